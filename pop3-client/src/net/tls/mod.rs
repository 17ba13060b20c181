//! Whom we believe: the certificate authorities of the system or of a file, one pinned certificate, or
//! anybody. Everything but the last ends the connection when in doubt.

mod certificate;
mod fault;
mod verify;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::trouble::Place;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore};
use sha2::{Digest as _, Sha256};

pub use fault::TlsError;
use verify::{Oddities, Rule, Verifier};

/// Which certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that an authority of the system vouches for.
    #[default]
    System,
    /// Those in this PEM file, whatever else they are, and those that an authority in it vouches for.
    File(PathBuf),
    /// This one and no other, whatever name, date or form it has.
    Pin(Fingerprint),
    /// Any: somebody in between goes unnoticed.
    Anybody,
}

/// The SHA-256 digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// What TLS came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TlsFacts {
    /// The version of the protocol.
    pub protocol: &'static str,
    /// The cipher suite.
    pub cipher: String,
    /// The fingerprint of the server's certificate.
    pub certificate: String,
    /// Why the certificate would not have been believed had it not been in the file itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub oddities: Vec<String>,
}

/// A connection that is to be made, and what will be odd about it.
pub(super) struct Plan {
    pub(super) connection: ClientConnection,
    pub(super) oddities: Oddities,
}

impl Trust {
    pub(super) fn plan(&self, host: &str) -> Result<Plan, TlsError> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.into()))?;
        let provider = Arc::new(ring::default_provider());
        let oddities = Oddities::default();
        let verifier = Verifier {
            rule: self.rule(&provider)?,
            provider: Arc::clone(&provider),
            oddities: Arc::clone(&oddities),
        };
        let set_up = |error: rustls::Error| TlsError::Failed(format!("TLS cannot begin: {error}"));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(set_up)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Plan {
            connection: ClientConnection::new(Arc::new(config), name).map_err(set_up)?,
            oddities,
        })
    }

    fn rule(&self, provider: &Arc<CryptoProvider>) -> Result<Rule, TlsError> {
        let (named, roots) = match self {
            Self::System => (Vec::new(), system_roots()?),
            Self::File(file) => file_roots(file)?,
            Self::Pin(pin) => return Ok(Rule::Pin(*pin)),
            Self::Anybody => return Ok(Rule::Anybody),
        };
        if roots.is_empty() {
            return Ok(Rule::Authorities(named, None));
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map(|verifier| Rule::Authorities(named, Some(verifier)))
            .map_err(|error| TlsError::Failed(format!("TLS cannot begin: {error}")))
    }
}

/// Runs the handshake to its end.
pub(super) fn shake_hands(
    connection: &mut ClientConnection,
    socket: &mut std::net::TcpStream,
    place: Place<'_>,
    patience: Duration,
) -> Result<(), TlsError> {
    let failed = |error: &io::Error| fault::failure(error, place, patience);
    socket
        .set_read_timeout(Some(patience))
        .and_then(|()| socket.set_write_timeout(Some(patience)))
        .map_err(|error| failed(&error))?;
    while connection.is_handshaking() {
        connection
            .complete_io(socket)
            .map_err(|error| failed(&error))?;
    }
    Ok(())
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

/// The certificates themselves, and the authorities among them.
fn file_roots(file: &Path) -> Result<(Vec<Fingerprint>, RootCertStore), TlsError> {
    let failure = |cause: String| TlsError::Authorities {
        file: file.into(),
        cause,
    };
    let octets = std::fs::read(file).map_err(|error| failure(error.to_string()))?;
    // the mark of some editors would hide the first one
    let text = octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&octets);
    let mut roots = RootCertStore::empty();
    let mut named = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let certificate = certificate.map_err(|error| failure(error.to_string()))?;
        if certificate::Facts::read(&certificate).is_none() {
            return Err(failure("one of them is no certificate, or damaged".into()));
        }
        named.push(Fingerprint::of(&certificate));
        // one that cannot be an authority can still be the server's own
        let _ = roots.add(certificate);
    }
    if named.is_empty() {
        let cause = match text.first() {
            Some(0x30) => {
                "it is in DER; write it as PEM: openssl x509 -inform der -in FILE -out NEW"
            }
            Some(0xFE | 0xFF) => "it is UTF-16; save it as UTF-8",
            Some(_) | None => "there is no certificate in it (-----BEGIN CERTIFICATE-----)",
        };
        return Err(failure(cause.into()));
    }
    Ok((named, roots))
}

impl TlsFacts {
    /// What ought to be told about a certificate that is believed only because it was named.
    pub fn oddities(&self) -> Vec<String> {
        let told = self.oddities.iter().map(|oddity| {
            format!("the certificate is believed because --ca-file holds it, though {oddity}")
        });
        told.collect()
    }

    pub(super) fn of(connection: &ClientConnection, oddities: &Oddities) -> Self {
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
            oddities: oddities.lock().map(|odd| odd.clone()).unwrap_or_default(),
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
