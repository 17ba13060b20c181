//! CRAM-MD5 (RFC 2195): HMAC-MD5 of the challenge. For backends that hold the secret.

use super::text;
use crate::apop;
use crate::backend::Login;
use crate::secret::Secret;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// Reads the client's answer: the name, a space, 32 hexadecimal digits. The name may hold spaces.
pub(super) fn read(challenge: &str, answer: &[u8]) -> Option<Login> {
    let at = answer.iter().rposition(|b| *b == b' ')?;
    let digest = apop::from_hex(&answer[at + 1..])?;
    Some(Login::CramMd5 {
        user: text(&answer[..at])?,
        challenge: challenge.into(),
        digest,
    })
}

/// Whether a digest proves the secret, in constant time.
pub fn verify(challenge: &str, secret: &Secret, digest: &[u8; 16]) -> bool {
    let Ok(mac) = Hmac::<Md5>::new_from_slice(secret.expose()) else {
        return false;
    };
    mac.chain_update(challenge.as_bytes())
        .verify_slice(digest)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c002_the_rfc_example() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let answer = b"tim b913a602c7eda7a495b4e6e7334d3890";
        let Some(Login::CramMd5 { user, digest, .. }) = read(challenge, answer) else {
            panic!("not read");
        };
        assert_eq!(user, "tim");
        assert!(verify(
            challenge,
            &Secret::from(&b"tanstaaftanstaaf"[..]),
            &digest
        ));
        assert!(!verify(challenge, &Secret::from(&b"tanstaaf"[..]), &digest));
        assert!(read(challenge, b"tim b913").is_none());
        assert!(read(challenge, b" b913a602c7eda7a495b4e6e7334d3890").is_none());
    }
}
