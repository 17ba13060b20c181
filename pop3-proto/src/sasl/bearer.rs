//! XOAUTH2 and OAUTHBEARER (RFC 7628): an OAuth 2 access token in one message.

use alloc::string::String;

use super::text;
use crate::backend::{Login, Mechanism};
use crate::secret::Secret;

/// The last challenge, sent when a token was refused (RFC 7628 section 3.2.2);
/// the client answers with anything, and then the `-ERR` follows.
pub const ERROR_STATUS: &[u8] = br#"{"status":"invalid_token","schemes":"bearer","scope":""}"#;

/// Separates the key-value pairs.
const SEPARATOR: u8 = 0x01;

/// Reads the client's message: `user=U^Aauth=Bearer T^A^A` or `n,a=U,^Aauth=Bearer T^A^A`.
pub(super) fn read(mechanism: &Mechanism, message: &[u8]) -> Option<Login> {
    let mut pairs = message
        .strip_suffix(&[SEPARATOR, SEPARATOR])?
        .split(|b| *b == SEPARATOR);
    let first = pairs.next()?;
    let user = match mechanism.as_str() {
        "XOAUTH2" => text(first.strip_prefix(b"user=")?)?,
        _ => authorization_identity(first)?,
    };
    let mut token = None;
    for pair in pairs {
        let at = pair.iter().position(|b| *b == b'=')?;
        // unknown keys are skipped; host and port are the server's name in the eyes of the client,
        // and a gateway may have several
        if pair[..at].eq_ignore_ascii_case(b"auth") {
            token = Some(bearer_token(&pair[at + 1..])?);
        }
    }
    Some(Login::Bearer {
        mechanism: mechanism.clone(),
        user,
        token: token?,
        renewal: None,
    })
}

/// The identity in a GS2 header (RFC 5801 section 4) without channel binding; empty if there is none.
fn authorization_identity(header: &[u8]) -> Option<String> {
    let header = core::str::from_utf8(header).ok()?;
    let mut fields = header.split(',');
    let (binding, identity, end) = (fields.next()?, fields.next()?, fields.next()?);
    if !matches!(binding, "n" | "y") || !end.is_empty() || fields.next().is_some() {
        return None;
    }
    if identity.is_empty() {
        return Some(String::new());
    }
    let name = identity.strip_prefix("a=")?;
    let escapes_are_known = name
        .match_indices('=')
        .all(|(at, _)| matches!(name.get(at..at + 3), Some("=2C" | "=3D")));
    let name = escapes_are_known.then(|| name.replace("=2C", ",").replace("=3D", "="))?;
    text(name.as_bytes())
}

/// `Bearer b64token` (RFC 6750 section 2.1), the scheme in any case.
fn bearer_token(value: &[u8]) -> Option<Secret> {
    let (scheme, token) = value.split_at_checked(7)?;
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b);
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty() && token.iter().all(is_token))
        .then(|| Secret::from(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(name: &str, message: &[u8]) -> Option<(String, Secret)> {
        let mechanism = Mechanism::new(name)?;
        let Some(Login::Bearer { user, token, .. }) = read(&mechanism, message) else {
            return None;
        };
        Some((user, token))
    }

    #[test]
    fn o002_o005_both_forms() {
        let token = Secret::from(&b"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg=="[..]);
        let expected = Some((String::from("u@example.com"), token));
        let xoauth2 = b"user=u@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(bearer("XOAUTH2", xoauth2), expected);
        let oauthbearer = b"n,a=u@example.com,\x01host=h\x01port=995\x01new=x\x01auth=bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(bearer("OAUTHBEARER", oauthbearer), expected);
    }

    #[test]
    fn o002_what_is_not_one() {
        let wrong: [&[u8]; 8] = [
            b"",
            b"\x01\x01",
            b"n,,\x01\x01",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Basic x\x01\x01",
            b"p=tls-exporter,,\x01auth=Bearer x\x01\x01",
            b"n,a==2D,\x01auth=Bearer x\x01\x01",
            b"n,,\x01auth=Bearer a\r\nb\x01\x01",
        ];
        for message in wrong {
            assert_eq!(bearer("OAUTHBEARER", message), None, "{message:?}");
        }
        assert_eq!(bearer("XOAUTH2", b"user=\x01auth=Bearer x\x01\x01"), None);
    }
}
