//! Whether a server is who the operator means: vouched for by an authority, or named exactly.
//!
//! A certificate that an operator named, in a file or by its fingerprint, is believed whatever else it
//! is: an authority's, expired, for another name, of an old form. What is odd about it is logged once.
//! Every other one has to be good in all respects. Never asks a person, and never believes a server
//! that does not hold the key.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::facts::{self, CertificateFacts, date};
use super::fingerprint::Fingerprint;
use super::{TlsError, provider};

/// Who is believed.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Those that were named exactly.
    named: Vec<Fingerprint>,
    /// Those that authorities vouch for, where any are believed.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    /// What a server showed last.
    shown: Mutex<Option<CertificateDer<'static>>>,
    /// That a named one is odd was told.
    told: AtomicBool,
}

/// Why a certificate is not believed, carried through the TLS library.
#[derive(Debug)]
pub(crate) struct Disbelief {
    /// `None`: it is none of those that were named, and only those are believed.
    pub(crate) reason: Option<CertificateError>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) facts: Option<CertificateFacts>,
}

impl fmt::Display for Disbelief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is not believed")
    }
}

impl std::error::Error for Disbelief {}

impl Verifier {
    pub(super) fn new(named: Vec<Fingerprint>, roots: RootCertStore) -> Result<Self, TlsError> {
        let provider = provider();
        let authorities = if roots.is_empty() {
            None
        } else {
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            let built = verifier.build();
            Some(built.map_err(|cause| TlsError::SetUp(cause.to_string()))?)
        };
        Ok(Self {
            named,
            authorities,
            provider,
            shown: Mutex::new(None),
            told: AtomicBool::new(false),
        })
    }

    /// What the server showed last, in words, for this name.
    pub(super) fn shown(&self, name: &str) -> Option<String> {
        let shown = self.last().clone()?;
        let fingerprint = Fingerprint::of(&shown);
        let Some(facts) = CertificateFacts::read(&shown) else {
            return Some(format!(
                "it shows a certificate that cannot be read ({fingerprint})"
            ));
        };
        let names = facts.names.join(", ");
        let (from, to) = (date(facts.not_before), date(facts.not_after));
        let text =
            format!("it shows a certificate for {names}, good from {from} to {to} ({fingerprint})");
        let name = ServerName::try_from(name).ok();
        let oddities = name.map(|name| facts.oddities(&name, SystemTime::now()));
        let oddities = oddities.unwrap_or_default();
        Some(if oddities.is_empty() {
            text
        } else {
            format!("{text}: {}", oddities.join(", and "))
        })
    }

    /// It is whole after every statement, so a panic elsewhere cannot have spoilt it.
    fn last(&self) -> MutexGuard<'_, Option<CertificateDer<'static>>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, certificate: &CertificateDer<'_>) {
        let mut shown = self.last();
        if shown.as_ref() != Some(certificate) {
            *shown = Some(certificate.clone().into_owned());
        }
    }

    /// It was named, so it counts; that it is odd should not surprise its operator one day.
    fn tell_oddities(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let oddities = CertificateFacts::read(certificate)
            .map(|facts| facts.oddities(name, SystemTime::now()))
            .unwrap_or_default();
        if !oddities.is_empty() {
            tracing::warn!(
                name = %name.to_str(),
                fingerprint = %Fingerprint::of(certificate),
                "the upstream's certificate is trusted because the configuration names exactly this one, though {}",
                oddities.join(", and ")
            );
        }
    }

    /// A signature by the key of a certificate that the TLS library cannot read.
    fn verify_by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = || Error::from(CertificateError::BadEncoding);
        let (algorithm, key) = facts::key(certificate).ok_or_else(bad)?;
        let known = &self.provider.signature_verification_algorithms;
        let candidates = known
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signature.scheme)
            .map_or(&[][..], |(_, candidates)| candidates);
        candidates
            .iter()
            .filter(|candidate| candidate.public_key_alg_id().as_ref() == algorithm)
            .find_map(|candidate| {
                candidate
                    .verify_signature(&key, message, signature.signature())
                    .ok()
            })
            .map(|()| HandshakeSignatureValid::assertion())
            .ok_or_else(|| CertificateError::BadSignature.into())
    }
}

/// Whether the TLS library could not even read it.
fn is_unreadable(verdict: &Result<HandshakeSignatureValid, Error>) -> bool {
    matches!(
        verdict,
        Err(Error::InvalidCertificate(
            CertificateError::BadEncoding | CertificateError::Other(_)
        ))
    )
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
        self.remember(end_entity);
        let fingerprint = Fingerprint::of(end_entity);
        if self.named.contains(&fingerprint) {
            self.tell_oddities(end_entity, server_name);
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = self.authorities.as_ref().map(|authorities| {
            authorities.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            )
        });
        let reason = match verdict {
            Some(Err(Error::InvalidCertificate(reason))) => Some(reason),
            Some(verdict) => return verdict,
            None => None,
        };
        let disbelief = Disbelief {
            reason,
            fingerprint,
            facts: CertificateFacts::read(end_entity),
        };
        Err(CertificateError::Other(OtherError(Arc::new(disbelief))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let verdict = verify_tls12_signature(message, certificate, signature, algorithms);
        if is_unreadable(&verdict) {
            return self.verify_by_key(message, certificate, signature);
        }
        verdict
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let verdict = verify_tls13_signature(message, certificate, signature, algorithms);
        // a scheme that TLS 1.3 does not know was refused before a certificate was looked at
        if is_unreadable(&verdict) {
            return self.verify_by_key(message, certificate, signature);
        }
        verdict
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
