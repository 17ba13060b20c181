//! What a certificate says of itself, and whether its key made a signature.
//!
//! Reads what the TLS library refuses to read: certificates of X.509 version 1, of authorities, with names
//! or dates that are wrong. Decides nothing about trust.

use std::net::IpAddr;
use std::time::SystemTime;

use rsa::sha2::{Sha256, Sha384, Sha512};
use rsa::signature::Verifier as _;
use rsa::{BoxedUint, PublicKey as RsaKey, pkcs1v15, pss};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::ServerName;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::Any;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

/// What a person wants to know of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The names and addresses that it is for, with commas between them.
    pub(super) names: String,
    /// The first and the last moment at which it is valid, in seconds since 1970.
    pub(super) valid: (i64, i64),
    every: Vec<String>,
}

impl Facts {
    /// Reads a certificate in DER; `None` if it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let every = names(&certificate);
        Some(Self {
            names: every.join(", "),
            valid: (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ),
            every,
        })
    }

    /// What is wrong with it at this moment for this name, in words; empty if nothing is.
    pub(super) fn oddities(&self, name: &ServerName<'_>, now: SystemTime) -> Vec<String> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        let mut oddities = Vec::new();
        if now > self.valid.1 {
            oddities.push(format!("it expired on {}", date(self.valid.1)));
        }
        if now < self.valid.0 {
            oddities.push(format!("it is not valid before {}", date(self.valid.0)));
        }
        let wanted = name.to_str();
        if !self.every.iter().any(|own| covers(own, &wanted)) {
            let own = match self.names.as_str() {
                "" => "no name at all",
                names => names,
            };
            oddities.push(format!("it is not for '{wanted}' but for {own}"));
        }
        oddities
    }
}

/// A day of the calendar.
pub(super) fn date(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(253_402_300_799);
    let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    stamp.split('T').next().unwrap_or_default().into()
}

/// Whether the key of this certificate made this signature. Whatever its form, and also for RSA keys that
/// are too short for the TLS library.
pub(super) fn signed(
    der: &[u8],
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
    known: &WebPkiSupportedAlgorithms,
) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    let info = certificate.public_key();
    // SubjectPublicKeyInfo is a sequence of the algorithm, itself a sequence, and the key
    let Some(algorithm) = content(info.raw).and_then(content) else {
        return false;
    };
    let key = &info.subject_public_key.data;
    let candidates = known
        .mapping
        .iter()
        .find(|(of, _)| *of == scheme)
        .map_or(&[][..], |(_, candidates)| candidates);
    let by_library = candidates
        .iter()
        .filter(|candidate| candidate.public_key_alg_id().as_ref() == algorithm)
        .any(|candidate| candidate.verify_signature(key, message, signature).is_ok());
    if by_library {
        return true;
    }
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            signed_by_rsa(key.modulus, key.exponent, scheme, message, signature)
        }
        Ok(_) | Err(_) => false,
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "all others are not of RSA")]
fn signed_by_rsa(
    modulus: &[u8],
    exponent: &[u8],
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let number = BoxedUint::from_be_slice_vartime;
    let Ok(key) = RsaKey::new(number(modulus), number(exponent)) else {
        return false;
    };
    macro_rules! verify {
        ($way:ident, $digest:ty) => {
            $way::Signature::try_from(signature).is_ok_and(|signature| {
                $way::VerifyingKey::<$digest>::new(key)
                    .verify(message, &signature)
                    .is_ok()
            })
        };
    }
    match scheme {
        SignatureScheme::RSA_PSS_SHA256 => verify!(pss, Sha256),
        SignatureScheme::RSA_PSS_SHA384 => verify!(pss, Sha384),
        SignatureScheme::RSA_PSS_SHA512 => verify!(pss, Sha512),
        SignatureScheme::RSA_PKCS1_SHA256 => verify!(pkcs1v15, Sha256),
        SignatureScheme::RSA_PKCS1_SHA384 => verify!(pkcs1v15, Sha384),
        SignatureScheme::RSA_PKCS1_SHA512 => verify!(pkcs1v15, Sha512),
        _ => false,
    }
}

/// What stands in the DER element at the front.
fn content(der: &[u8]) -> Option<&[u8]> {
    let (_, element) = Any::from_der(der).ok()?;
    Some(element.data)
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        for name in &alternative.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(crate::text::one_line(name));
            } else if let GeneralName::IPAddress(octets) = name {
                names.extend(address(octets));
            }
        }
    }
    if names.is_empty() {
        // not proved by it any more, but what a person will look for
        let common = certificate.subject().iter_common_name();
        names.extend(common.filter_map(|name| Some(crate::text::one_line(name.as_str().ok()?))));
    }
    names.truncate(100);
    names
}

fn address(octets: &[u8]) -> Option<String> {
    let address = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some(address.to_string())
}

/// RFC 6125: a name, or a star in the place of its first label.
fn covers(own: &str, wanted: &str) -> bool {
    let parent = || wanted.split_once('.').map(|(_, parent)| parent);
    match own.strip_prefix("*.") {
        Some(domain) => parent().is_some_and(|parent| parent.eq_ignore_ascii_case(domain)),
        None => own.eq_ignore_ascii_case(wanted),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn w078_a_key_of_1024_bit_is_held_to_its_signatures() {
        const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/");
        let read = |name: &str| std::fs::read(format!("{FILES}{name}")).unwrap();
        let certificate = CertificateDer::from_pem_slice(&read("short.crt")).unwrap();
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let ways = [
            (SignatureScheme::RSA_PSS_SHA256, read("short.pss")),
            (SignatureScheme::RSA_PKCS1_SHA384, read("short.pkcs1")),
        ];
        for (scheme, signature) in &ways {
            let made = |message: &[u8], signature: &[u8]| {
                signed(&certificate, *scheme, message, signature, &known)
            };
            assert!(made(b"message", signature));
            assert!(!made(b"massage", signature));
            for other in [&ways[0].1, &ways[1].1]
                .into_iter()
                .filter(|other| *other != signature)
            {
                assert!(!made(b"message", other));
            }
            for place in [0, 64, 127] {
                let mut changed = signature.clone();
                changed[place] ^= 1;
                assert!(!made(b"message", &changed));
            }
            assert!(!made(b"message", b""));
        }
        assert!(!signed(
            b"",
            SignatureScheme::RSA_PSS_SHA256,
            b"message",
            &ways[0].1,
            &known
        ));
    }
}
