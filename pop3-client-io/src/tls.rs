//! Which certificates are trusted, what was agreed on, and what went
//! wrong. Everything but [`Trust::Anybody`] ends the connection when in
//! doubt.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peer_trust::pem::FileError;
use peer_trust::{Fingerprint, TrustError, Verifier};
use pop3_proto::trouble::{Place, Trouble};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection};

use crate::words::Words;

/// Which certificates are trusted.
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

/// TLS failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] FileError),
    /// The host cannot stand in a certificate.
    #[error("'{0}' is not a name that a certificate could prove")]
    Name(String),
    /// The certificate is not trusted, or the handshake failed: the place, the cause, the remedy.
    #[error("{0}")]
    Failed(String),
}

/// What was agreed on in TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TlsFacts {
    /// The version of the protocol.
    pub protocol: &'static str,
    /// The cipher suite.
    pub cipher: String,
    /// The fingerprint of the server's certificate.
    pub certificate: String,
    /// Why the certificate would not have been trusted if it had not been in the file itself.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub oddities: Vec<String>,
}

impl Trust {
    /// Begins a connection; what is odd about the certificate goes into `oddities`.
    pub(crate) fn plan(
        &self,
        host: &str,
        oddities: &Arc<Mutex<Vec<String>>>,
    ) -> Result<ClientConnection, TlsError> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.into()))?;
        let config = Arc::new(self.verifier(oddities)?).client_config()?;
        ClientConnection::new(Arc::new(config), name)
            .map_err(|error| TrustError::from(error).into())
    }

    fn verifier(&self, oddities: &Arc<Mutex<Vec<String>>>) -> Result<Verifier, TrustError> {
        let trust = match self {
            Self::System => peer_trust::Trust::System,
            Self::File(file) => {
                let oddities = Arc::clone(oddities);
                let trust = peer_trust::Trust::File(file.clone());
                return Ok(Verifier::load(&trust)?.on_odd(move |odd| {
                    if let Ok(mut oddities) = oddities.lock() {
                        *oddities = odd.oddities.to_vec();
                    }
                }));
            }
            Self::Pin(pin) => peer_trust::Trust::Certificates(vec![*pin]),
            Self::Anybody => return Ok(Verifier::anybody()),
        };
        Verifier::load(&trust)
    }
}

impl TlsFacts {
    /// The remark about a certificate that is trusted only because it was named.
    pub fn oddities(&self, words: &Words) -> Vec<String> {
        let by = words.named_by;
        let told = self.oddities.iter().map(|oddity| {
            format!("the certificate is believed because {by} holds it, though {oddity}")
        });
        told.collect()
    }

    pub(crate) fn of(connection: &Connection, oddities: &Mutex<Vec<String>>) -> Self {
        let (protocol, cipher) = peer_trust::agreed(connection);
        let certificate = connection
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|certificate| Fingerprint::of(certificate).to_string());
        let oddities = oddities.lock();
        Self {
            protocol,
            cipher: cipher.into(),
            certificate: certificate.unwrap_or_default(),
            oddities: oddities.map(|odd| odd.clone()).unwrap_or_default(),
        }
    }
}

impl From<TrustError> for TlsError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::File(error) => Self::Authorities(error),
            error @ (TrustError::SetUp(_) | _) => Self::Failed(error.to_string()),
        }
    }
}

/// An error of the handshake.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "of many errors a few count here"
)]
pub(crate) fn failure(
    error: &io::Error,
    place: Place<'_>,
    words: &Words,
    patience: Duration,
) -> TlsError {
    let text = |trouble: Trouble<'_>| trouble.text(place, &words.remedies);
    let library = error.get_ref().and_then(|inner| inner.downcast_ref());
    TlsError::Failed(match (library, error.kind()) {
        (Some(error), _) => peer_trust::describe(error, place, &words.remedies),
        (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            text(Trouble::TlsClosed)
        }
        (None, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            text(Trouble::TlsSilent { waited: patience })
        }
        (None, _) => text(Trouble::Tls {
            cause: &error.to_string(),
        }),
    })
}
