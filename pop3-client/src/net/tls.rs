//! Whom we believe: the certificate authorities of the system or of a file, one pinned certificate, or
//! anybody. Everything but the last ends the connection when in doubt.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion,
    RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

/// Which certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that an authority of the system vouches for.
    #[default]
    System,
    /// Those that an authority in this PEM file vouches for.
    File(PathBuf),
    /// This one and no other, whatever name or date it has.
    Pin(Fingerprint),
    /// Any: somebody in between goes unnoticed.
    Anybody,
}

/// The SHA-256 digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// TLS did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of authorities cannot be used.
    #[error("cannot use the certificates in {}: {cause}", file.display())]
    Authorities {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The host cannot stand in a certificate.
    #[error("'{0}' is no name that a certificate could prove")]
    Name(String),
    /// The certificate is not believed.
    #[error(
        "the certificate of '{host}' is not believed: {reason}.\n\
         Its fingerprint is {}.\n\
         If you know it to be the right one, pin it with --pin; --accept-any-certificate checks nothing at all",
        fingerprint.map_or_else(|| "unknown".into(), |fingerprint| fingerprint.to_string())
    )]
    Certificate {
        /// Whose.
        host: String,
        /// Why not.
        reason: String,
        /// Which it is.
        fingerprint: Option<Fingerprint>,
    },
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

/// What TLS came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TlsFacts {
    /// The version of the protocol.
    pub protocol: &'static str,
    /// The cipher suite.
    pub cipher: String,
    /// The fingerprint of the server's certificate.
    pub certificate: String,
}

impl Trust {
    pub(super) fn connection(&self, host: &str) -> Result<ClientConnection, TlsError> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.into()))?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            rule: self.rule(&provider)?,
            provider: Arc::clone(&provider),
        };
        let handshake = |error: rustls::Error| TlsError::Handshake(error.to_string());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(handshake)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        ClientConnection::new(Arc::new(config), name).map_err(handshake)
    }

    fn rule(&self, provider: &Arc<CryptoProvider>) -> Result<Rule, TlsError> {
        let roots = match self {
            Self::System => system_roots()?,
            Self::File(file) => file_roots(file)?,
            Self::Pin(pin) => return Ok(Rule::Pin(*pin)),
            Self::Anybody => return Ok(Rule::Anybody),
        };
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map(Rule::Authorities)
            .map_err(|error| TlsError::Handshake(error.to_string()))
    }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::Authorities {
            file: "the system's store".into(),
            cause:
                "there are none; install the system's certificate authorities, or name a file of \
                    them with --ca-file"
                    .into(),
        });
    }
    Ok(roots)
}

fn file_roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let failure = |cause: String| TlsError::Authorities {
        file: file.into(),
        cause,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| failure(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failure(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failure(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failure("there is no certificate in it".into()));
    }
    Ok(roots)
}

/// An error of the handshake in words that say what to do.
pub(super) fn failure(error: &io::Error, host: &str, trust: &Trust) -> TlsError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            let (reason, fingerprint) = explain(reason, trust);
            TlsError::Certificate {
                host: host.into(),
                reason,
                fingerprint,
            }
        }
        Some(rustls::Error::InvalidMessage(_)) => TlsError::Handshake(
            "the server does not speak TLS here; is the port right, or does it want STLS (--tls starttls)?".into(),
        ),
        Some(other) => TlsError::Handshake(other.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsError::Handshake("the server closed the connection".into())
        }
        None if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            TlsError::Handshake(
                "the server does not answer; does it want STLS (--tls starttls)?".into(),
            )
        }
        None => TlsError::Handshake(error.to_string()),
    }
}

fn explain(reason: &CertificateError, trust: &Trust) -> (String, Option<Fingerprint>) {
    let CertificateError::Other(other) = reason else {
        return (reason.to_string(), None);
    };
    let Some(Disbelief {
        reason,
        fingerprint,
    }) = other.0.downcast_ref()
    else {
        return (reason.to_string(), None);
    };
    let reason = match (reason, trust) {
        (None, _) => "it is not the one that was pinned".into(),
        (Some(CertificateError::UnknownIssuer), Trust::File(file)) => {
            format!("no authority in {} vouches for it", file.display())
        }
        (Some(CertificateError::UnknownIssuer), _) => {
            "no authority that this system knows vouches for it (self-signed, perhaps)".into()
        }
        (Some(reason), _) => reason.to_string(),
    };
    (reason, Some(*fingerprint))
}

/// What is carried through the TLS library when a certificate is not believed.
#[derive(Debug)]
struct Disbelief {
    /// `None`: it is not the pinned one.
    reason: Option<CertificateError>,
    fingerprint: Fingerprint,
}

impl fmt::Display for Disbelief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is not believed")
    }
}

impl std::error::Error for Disbelief {}

#[derive(Debug)]
struct Verifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Rule {
    Authorities(Arc<WebPkiServerVerifier>),
    Pin(Fingerprint),
    Anybody,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = Fingerprint::of(end_entity);
        let reason = match &self.rule {
            Rule::Anybody => return Ok(ServerCertVerified::assertion()),
            Rule::Pin(pin) if *pin == fingerprint => return Ok(ServerCertVerified::assertion()),
            Rule::Pin(_) => None,
            Rule::Authorities(verifier) => {
                let verdict = verifier.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                );
                match verdict {
                    Err(rustls::Error::InvalidCertificate(reason)) => Some(reason),
                    other => return other,
                }
            }
        };
        let disbelief = Disbelief {
            reason,
            fingerprint,
        };
        Err(CertificateError::Other(rustls::OtherError(Arc::new(disbelief))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl TlsFacts {
    pub(super) fn of(connection: &ClientConnection) -> Self {
        let protocol = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLS",
        };
        let cipher = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown");
        let certificate = connection
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|certificate| Fingerprint::of(certificate).to_string());
        Self {
            protocol,
            cipher: cipher.into(),
            certificate: certificate.unwrap_or_default(),
        }
    }
}

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
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
        write!(f, "{self}")
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// Reads 64 hexadecimal digits, with or without `sha256:` and colons between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text
            .strip_prefix("sha256:")
            .unwrap_or(text)
            .chars()
            .filter(|c| *c != ':')
            .collect();
        let wrong = || "a fingerprint is 'sha256:' and 64 hexadecimal digits".to_string();
        let mut octets = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        for (octet, place) in octets.iter_mut().zip((0..64).step_by(2)) {
            *octet = u8::from_str_radix(&digits[place..place + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(octets))
    }
}
