//! Whether a server's certificate is believed: named exactly, vouched for by an authority, or any.
//!
//! What is named exactly is believed whatever else it is (an authority's, expired, for another name, of an
//! old form), and has to hold the key all the same. What is odd about it is told.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::Fingerprint;
use super::certificate::{Facts, signed};

/// Who is believed.
#[derive(Debug)]
pub(super) enum Rule {
    /// What stands in a file itself, and what authorities vouch for, if there are any.
    Authorities(Vec<Fingerprint>, Option<Arc<WebPkiServerVerifier>>),
    Pin(Fingerprint),
    Anybody,
}

/// What is odd about a certificate that is believed all the same.
pub(super) type Oddities = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) rule: Rule,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) oddities: Oddities,
}

/// What is carried through the TLS library when a certificate is not believed.
#[derive(Debug)]
pub(super) struct Disbelief {
    /// `None`: it is not the pinned one.
    pub(super) reason: Option<CertificateError>,
    pub(super) fingerprint: Fingerprint,
    pub(super) facts: Facts,
}

impl fmt::Display for Disbelief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is not believed")
    }
}

impl std::error::Error for Disbelief {}

impl Verifier {
    /// A certificate that was named need not be one that the TLS library can read.
    fn is_named(&self, certificate: &CertificateDer<'_>) -> bool {
        let fingerprint = Fingerprint::of(certificate);
        match &self.rule {
            Rule::Authorities(named, _) => named.contains(&fingerprint),
            Rule::Pin(pin) => *pin == fingerprint,
            Rule::Anybody => false,
        }
    }

    fn verify_by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        let made = signed(
            certificate,
            signature.scheme,
            message,
            signature.signature(),
            known,
        );
        if made {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match &self.rule {
            Rule::Anybody => return Ok(ServerCertVerified::assertion()),
            Rule::Authorities(_, Some(verifier)) => verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            Rule::Authorities(_, None) => Err(CertificateError::UnknownIssuer.into()),
            Rule::Pin(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        };
        let reason = match verdict {
            Err(Error::InvalidCertificate(reason)) => reason,
            other => return other,
        };
        let facts = Facts::read(end_entity).unwrap_or_default();
        if self.is_named(end_entity) {
            if let (Rule::Authorities(..), Ok(mut oddities)) = (&self.rule, self.oddities.lock()) {
                *oddities = facts.oddities(server_name, SystemTime::now());
            }
            return Ok(ServerCertVerified::assertion());
        }
        let disbelief = Disbelief {
            reason: (!matches!(self.rule, Rule::Pin(_))).then_some(reason),
            fingerprint: Fingerprint::of(end_entity),
            facts,
        };
        Err(CertificateError::Other(OtherError(Arc::new(disbelief))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.rule {
            // nothing is checked: whoever is in between could sign as well
            Rule::Anybody => Ok(HandshakeSignatureValid::assertion()),
            Rule::Authorities(..) | Rule::Pin(_) if self.is_named(certificate) => {
                self.verify_by_key(message, certificate, signature)
            }
            Rule::Authorities(..) | Rule::Pin(_) => {
                let algorithms = &self.provider.signature_verification_algorithms;
                verify_tls12_signature(message, certificate, signature, algorithms)
            }
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.rule {
            Rule::Anybody => Ok(HandshakeSignatureValid::assertion()),
            Rule::Authorities(..) | Rule::Pin(_)
                if self.is_named(certificate) && is_of_tls13(signature.scheme) =>
            {
                self.verify_by_key(message, certificate, signature)
            }
            Rule::Authorities(..) | Rule::Pin(_) => {
                let algorithms = &self.provider.signature_verification_algorithms;
                verify_tls13_signature(message, certificate, signature, algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        let mut schemes = known.supported_schemes();
        if matches!(self.rule, Rule::Anybody) {
            // what is not checked need not be understood
            schemes.extend([
                SignatureScheme::ECDSA_NISTP521_SHA512,
                SignatureScheme::ED448,
                SignatureScheme::RSA_PKCS1_SHA1,
                SignatureScheme::ECDSA_SHA1_Legacy,
            ]);
        }
        schemes
    }
}

/// RFC 8446 section 4.2.3 forbids the others in a handshake.
const fn is_of_tls13(scheme: SignatureScheme) -> bool {
    !matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
            | SignatureScheme::RSA_PKCS1_SHA1
            | SignatureScheme::ECDSA_SHA1_Legacy
    )
}
