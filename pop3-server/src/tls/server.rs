//! The certificates that clients are shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{DnsName, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use peer_trust::pem::{certificates, read};
use peer_trust::provider;

use super::TlsError;

/// Where a certificate and its key lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// A PEM file with the chain, the server's own certificate first.
    pub chain: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
}

impl Identity {
    /// The files of a chain and of its key.
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            chain: chain.into(),
            key: key.into(),
        }
    }

    /// Reads both.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or they do not belong together.
    pub fn load(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        certified_key(self)
    }
}

/// How a listener speaks TLS. Immutable: a reload makes a new one, and running sessions keep theirs.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// Loads certificates and keys. The first one is for clients that name no server, or one that
    /// no certificate here has.
    pub fn load(identities: &[Identity]) -> Result<Self, TlsError> {
        let keys: Result<Vec<_>, _> = identities.iter().map(certified_key).collect();
        Self::showing(Arc::new(Certificates::new(keys?)?))
    }

    /// Shows what `certificates` chooses, which may change.
    ///
    /// # Errors
    ///
    /// If the TLS library cannot be set up.
    pub fn showing(certificates: Arc<dyn ResolvesServerCert>) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| TlsError::SetUp(cause.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        // A client that names protocols must name this one: no HTTP request ends up here (V32).
        config.alpn_protocols = vec![b"pop3".to_vec()];
        config.ticketer = Ticketer::new().map_err(|cause| TlsError::SetUp(cause.to_string()))?;
        config.send_tls13_tickets = 1;
        Ok(Self(Arc::new(config)))
    }

    /// What clients may ask to speak (ALPN), in the place of `pop3`: for listeners that speak something else.
    #[must_use]
    pub fn protocols(mut self, names: impl IntoIterator<Item: Into<Vec<u8>>>) -> Self {
        let names = names.into_iter().map(Into::into);
        Arc::make_mut(&mut self.0).alpn_protocols = names.collect();
        self
    }

    /// Shows clients that ask for this protocol alone (ALPN) what `certificates` chooses.
    #[must_use]
    pub fn aside(
        mut self,
        protocol: &'static [u8],
        certificates: Arc<dyn ResolvesServerCert>,
    ) -> Self {
        let config = Arc::make_mut(&mut self.0);
        config.alpn_protocols.push(protocol.to_vec());
        config.cert_resolver = Arc::new(Aside {
            protocol,
            certificates,
            usual: Arc::clone(&config.cert_resolver),
        });
        self
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// Takes the configuration as it is, with its protocols (ALPN should name `pop3` or nothing), tickets and client
/// certificates.
impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }
}

impl From<ServerConfig> for ServerTls {
    fn from(config: ServerConfig) -> Self {
        Self(Arc::new(config))
    }
}

fn certified_key(identity: &Identity) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&identity.chain)?;
    let key = private_key(&identity.key)?;
    CertifiedKey::from_der(chain, key, &provider())
        .map(Arc::new)
        .map_err(|cause| TlsError::Identity {
            chain: identity.chain.clone(),
            key: identity.key.clone(),
            cause: cause.to_string(),
        })
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    use rustls::pki_types::pem::Error;

    let pem = read(file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|cause| {
        // "BEGIN ENCRYPTED PRIVATE KEY", or the older "Proc-Type: 4,ENCRYPTED"
        if pem.windows(9).any(|word| word == b"ENCRYPTED") {
            TlsError::EncryptedKey { file: file.into() }
        } else if matches!(cause, Error::NoItemsFound) {
            TlsError::NoKey { file: file.into() }
        } else {
            // The text of other errors may quote the file, which holds a secret.
            TlsError::Pem {
                file: file.into(),
                cause: "it is damaged".into(),
            }
        }
    })
}

/// The certificates of a listener. Bounded by what was configured: names that clients send are looked
/// up and forgotten (V08).
#[derive(Debug)]
struct Certificates {
    default: Arc<CertifiedKey>,
    others: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    fn new(keys: Vec<Arc<CertifiedKey>>) -> Result<Self, TlsError> {
        let mut keys = keys.into_iter();
        let default = keys.next().ok_or(TlsError::NoIdentity)?;
        Ok(Self {
            default,
            others: keys.collect(),
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = || {
            let name = DnsName::try_from(client.server_name()?).ok()?;
            let name = ServerName::DnsName(name);
            [&self.default]
                .into_iter()
                .chain(&self.others)
                .find(|key| proves(key, &name))
        };
        // With one certificate there is no choice, so do not read it.
        let chosen = if self.others.is_empty() {
            None
        } else {
            named()
        };
        Some(Arc::clone(chosen.unwrap_or(&self.default)))
    }
}

/// Certificates for one protocol, beside the usual ones.
#[derive(Debug)]
struct Aside {
    protocol: &'static [u8],
    certificates: Arc<dyn ResolvesServerCert>,
    usual: Arc<dyn ResolvesServerCert>,
}

impl ResolvesServerCert for Aside {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut asked = client.alpn().into_iter().flatten();
        match (asked.next(), asked.next()) {
            (Some(only), None) if only == self.protocol => self.certificates.resolve(client),
            _ => self.usual.resolve(client),
        }
    }
}

fn proves(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    key.end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .and_then(|certificate| verify_server_name(&certificate, name))
        .is_ok()
}
