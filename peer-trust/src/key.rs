//! Whether the key of a certificate made a signature, whatever form the certificate has.

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::Any;
use x509_parser::prelude::FromDer as _;

/// Whether the key of this certificate made this signature. With the feature `short-rsa` this includes RSA
/// keys that are too short for the TLS library.
pub(crate) fn signed(
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
    by_library || rsa_signed(&certificate, scheme, message, signature)
}

/// The content of the first DER element.
fn content(der: &[u8]) -> Option<&[u8]> {
    let (_, element) = Any::from_der(der).ok()?;
    Some(element.data)
}

#[cfg(not(feature = "short-rsa"))]
const fn rsa_signed(_: &X509Certificate<'_>, _: SignatureScheme, _: &[u8], _: &[u8]) -> bool {
    false
}

#[cfg(feature = "short-rsa")]
#[allow(clippy::wildcard_enum_match_arm, reason = "all others are not of RSA")]
fn rsa_signed(
    certificate: &X509Certificate<'_>,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> bool {
    use rsa::sha2::{Sha256, Sha384, Sha512};
    use rsa::signature::Verifier as _;
    use rsa::{BoxedUint, PublicKey as RsaKey, pkcs1v15, pss};
    use x509_parser::public_key::PublicKey;

    let Ok(PublicKey::RSA(key)) = certificate.public_key().parsed() else {
        return false;
    };
    let number = BoxedUint::from_be_slice_vartime;
    let Ok(key) = RsaKey::new(number(key.modulus), number(key.exponent)) else {
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

#[cfg(all(test, feature = "short-rsa"))]
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
