//! Whether a server is who it should be: vouched for by an authority, or named exactly.
//!
//! A certificate that was named, in a file or by its fingerprint, is trusted whatever else is true of it:
//! an authority's, expired, for another name, of an old form. Every other one has to be good in all
//! respects. Never asks questions, and never trusts a server that does not hold the key; the only
//! exception is [`Verifier::anybody`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::facts::{CertificateFacts, day};
use crate::fingerprint::Fingerprint;
use crate::key::signed;
use crate::trust::{SystemRoots, Trust, TrustError, named_in};

/// Which certificates are trusted.
#[derive(Debug)]
enum Rule {
    /// Those in a file itself, and those that authorities vouch for, if there are any.
    Authorities(Vec<Fingerprint>, Option<Arc<WebPkiServerVerifier>>),
    Named(Vec<Fingerprint>),
    Anybody,
}

/// A certificate that is trusted only because it was named exactly, and what would have been wrong with
/// it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Odd<'a> {
    /// The name that it should be for.
    pub name: &'a str,
    /// Which certificate.
    pub fingerprint: Fingerprint,
    /// What is odd about it, in words; at least one.
    pub oddities: &'a [String],
}

type Tell = dyn Fn(&Odd<'_>) + Send + Sync;

/// A verifier of servers' certificates for rustls.
pub struct Verifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
    /// What a server showed last.
    shown: Mutex<Option<CertificateDer<'static>>>,
    on_odd: Option<Box<Tell>>,
}

/// Why a certificate is not trusted, carried through the TLS library.
#[derive(Debug)]
pub(crate) struct Disbelief {
    /// `None`: it is not among the named ones, and only those are trusted.
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
    /// Loads the trusted certificates.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds no certificate, or the TLS library refuses the set-up.
    pub fn load(trust: &Trust) -> Result<Self, TrustError> {
        match trust {
            Trust::System => Self::with_roots(SystemRoots::load().store),
            Trust::File(file) => {
                let (named, roots) = named_in(file)?;
                Self::with_authorities(named, roots)
            }
            Trust::Certificates(named) => Ok(Self::of(Rule::Named(named.clone()))),
        }
    }

    /// Trusts certificates that these authorities vouch for.
    ///
    /// # Errors
    ///
    /// The TLS library refuses the set-up.
    pub fn with_roots(roots: RootCertStore) -> Result<Self, TrustError> {
        Self::with_authorities(Vec::new(), roots)
    }

    /// Trusts any server: somebody in between goes unnoticed.
    pub fn anybody() -> Self {
        Self::of(Rule::Anybody)
    }

    fn with_authorities(named: Vec<Fingerprint>, roots: RootCertStore) -> Result<Self, TrustError> {
        if roots.is_empty() {
            return Ok(Self::of(Rule::Authorities(named, None)));
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crate::provider())
            .build()
            .map(|authorities| Self::of(Rule::Authorities(named, Some(authorities))))
            .map_err(|cause| TrustError::SetUp(cause.to_string()))
    }

    fn of(rule: Rule) -> Self {
        Self {
            rule,
            provider: crate::provider(),
            shown: Mutex::new(None),
            on_odd: None,
        }
    }

    /// Calls this for each handshake in which a certificate is trusted only because it was named.
    #[must_use]
    pub fn on_odd(self, tell: impl Fn(&Odd<'_>) + Send + Sync + 'static) -> Self {
        Self {
            on_odd: Some(Box::new(tell)),
            ..self
        }
    }

    /// The configuration of a connection: this verifier, TLS 1.2 or later, no client certificate.
    ///
    /// # Errors
    ///
    /// The TLS library refuses the set-up.
    pub fn client_config(self: Arc<Self>) -> Result<ClientConfig, TrustError> {
        Ok(ClientConfig::builder_with_provider(crate::provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self)
            .with_no_client_auth())
    }

    /// What the server showed last, in words, and what is wrong with it for this name; none if there was
    /// none.
    pub fn shown(&self, name: &str) -> Option<String> {
        let shown = self.last().clone()?;
        let fingerprint = Fingerprint::of(&shown);
        let Some(facts) = CertificateFacts::read(&shown) else {
            return Some(format!(
                "it shows a certificate that cannot be read ({fingerprint})"
            ));
        };
        let names = facts.names.join(", ");
        let (from, to) = (day(facts.not_before), day(facts.not_after));
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

    /// A certificate that was named need not be one that the TLS library can read.
    fn is_named(&self, fingerprint: &Fingerprint) -> bool {
        match &self.rule {
            Rule::Authorities(named, _) | Rule::Named(named) => named.contains(fingerprint),
            Rule::Anybody => false,
        }
    }

    /// It was named, so it counts. What is odd about it is reported, so that there is no surprise later.
    fn tell(
        &self,
        certificate: &CertificateDer<'_>,
        fingerprint: Fingerprint,
        name: &ServerName<'_>,
    ) {
        let Some(tell) = &self.on_odd else { return };
        let facts = CertificateFacts::read(certificate);
        let oddities = facts.map(|facts| facts.oddities(name, SystemTime::now()));
        let oddities = oddities.unwrap_or_default();
        if !oddities.is_empty() {
            tell(&Odd {
                name: &name.to_str(),
                fingerprint,
                oddities: &oddities,
            });
        }
    }

    /// A signature by the key of a certificate whose form does not matter.
    fn by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        let (scheme, signature) = (signature.scheme, signature.signature());
        if signed(certificate, scheme, message, signature, known) {
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
        self.remember(end_entity);
        let fingerprint = Fingerprint::of(end_entity);
        if self.is_named(&fingerprint) {
            self.tell(end_entity, fingerprint, server_name);
            return Ok(ServerCertVerified::assertion());
        }
        let reason = match &self.rule {
            Rule::Anybody => return Ok(ServerCertVerified::assertion()),
            Rule::Named(_) => None,
            Rule::Authorities(_, None) => Some(CertificateError::UnknownIssuer),
            Rule::Authorities(_, Some(authorities)) => {
                let verdict = authorities.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                );
                match verdict {
                    Err(Error::InvalidCertificate(reason)) => Some(reason),
                    verdict => return verdict,
                }
            }
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
        if matches!(self.rule, Rule::Anybody) {
            // nothing is checked: an attacker in between could sign as well
            return Ok(HandshakeSignatureValid::assertion());
        }
        if self.is_named(&Fingerprint::of(certificate)) {
            return self.by_key(message, certificate, signature);
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(self.rule, Rule::Anybody) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        if is_of_tls13(signature.scheme) && self.is_named(&Fingerprint::of(certificate)) {
            return self.by_key(message, certificate, signature);
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        let mut schemes = known.supported_schemes();
        if matches!(self.rule, Rule::Anybody) {
            // certificates that are not checked need not be understood
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

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("rule", &self.rule)
            .finish_non_exhaustive()
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
