//! PLAIN (RFC 4616): `[authzid] NUL authcid NUL passwd`.

use super::{password, text};
use crate::backend::Login;

/// Reads the client's message. Acting for somebody else (an authorization identity that differs from
/// the authentication identity) is not to be had, so such a message is none.
pub(super) fn read(message: &[u8]) -> Option<Login> {
    let mut parts = message.split(|b| *b == 0);
    let (authzid, authcid, passwd) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(authzid.is_empty() || authzid == authcid) {
        return None;
    }
    Some(Login::Password {
        user: text(authcid)?,
        password: password(passwd)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

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
            b"ursel\0tim\0a",
            b"\0t\xffm\0a",
            b"\0tim\0a\r\nDELE 1",
        ];
        for message in wrong {
            assert_eq!(read(message), None, "{message:?}");
        }
    }
}
