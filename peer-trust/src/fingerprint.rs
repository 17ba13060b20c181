//! The SHA-256 digest of a certificate, as people write it.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of a certificate's DER form, as `openssl x509 -fingerprint -sha256` shows it.
///
/// Reads 64 hexadecimal digits in any case, with or without colons or spaces between the octets, after `sha256:`
/// or openssl's words. Writes `sha256:` and no colons.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits, with or without colons between them")]
pub struct NoFingerprint;

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let text = text.rsplit('=').next().unwrap_or(text).trim();
        let bare = match text.split_at_checked(7) {
            Some((head, rest)) if head.eq_ignore_ascii_case("sha256:") => rest,
            Some(_) | None => text,
        };
        let digits: Vec<u8> = if bare.contains([':', ' ']) {
            let octets: Vec<_> = bare.split([':', ' ']).collect();
            if octets.iter().any(|octet| octet.len() != 2) {
                return Err(NoFingerprint);
            }
            octets.concat().into_bytes()
        } else {
            bare.as_bytes().to_vec()
        };
        let mut octets = [0; 32];
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != octets.len() || !rest.is_empty() {
            return Err(NoFingerprint);
        }
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
            let pair = digit(*high).zip(digit(*low)).ok_or(NoFingerprint)?;
            *octet = pair.0 << 4 | pair.1;
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
