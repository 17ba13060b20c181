//! PLAIN (RFC 4616): `[authzid] NUL authcid NUL passwd`.

use super::{password, text};
use crate::backend::Login;

/// Reads the client's message. The backend decides whether one user may act for another.
pub(super) fn read(message: &[u8]) -> Option<Login> {
    let mut parts = message.split(|b| *b == 0);
    let (authzid, authcid, passwd) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (by, password) = (text(authcid)?, password(passwd)?);
    if authzid.is_empty() || authzid == authcid {
        return Some(Login::Password { user: by, password });
    }
    Some(Login::ActingFor {
        user: text(authzid)?,
        by,
        password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn w051_one_user_acts_for_another() {
        let login = Login::ActingFor {
            user: "ursel".into(),
            by: "tim".into(),
            password: Secret::from(&b"tan staaf"[..]),
        };
        assert_eq!(login.user(), Some("ursel"));
        assert_eq!(read(b"ursel\0tim\0tan staaf"), Some(login));
    }

    /// In the charset of an old client: not UTF-8.
    #[test]
    fn w051_a_password_of_any_octets() {
        for password in [&b"gr\xfc\xdfe"[..], b"\xff", "gr\u{fc}\u{df}e".as_bytes()] {
            let message = [b"\0tim\0", password].concat();
            let login = Login::Password {
                user: "tim".into(),
                password: Secret::from(password),
            };
            assert_eq!(read(&message), Some(login), "{password:?}");
        }
    }

    #[test]
    fn s021_three_parts_exactly() {
        let login = Login::Password {
            user: "tim".into(),
            password: Secret::from(&b"tan staaf"[..]),
        };
        assert_eq!(read(b"\0tim\0tan staaf"), Some(login.clone()));
        assert_eq!(read(b"tim\0tim\0tan staaf"), Some(login));
        let wrong: [&[u8]; 9] = [
            b"",
            b"tim",
            b"\0tim",
            b"\0tim\0a\0b",
            b"\0\0a",
            b"\0tim\0",
            b"urs\xffel\0tim\0a",
            b"\0t\xffm\0a",
            b"\0tim\0a\r\nDELE 1",
        ];
        for message in wrong {
            assert_eq!(read(message), None, "{message:?}");
        }
    }
}
