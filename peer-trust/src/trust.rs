//! The decision about certificates, and what is loaded for it.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::facts::CertificateFacts;
use crate::fingerprint::Fingerprint;
use crate::pem::{Fault, FileError, certificates};

/// Which certificates are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those that an authority of the operating system vouches for; if it has none (an empty container,
    /// say), Mozilla's as they were when this program was built.
    #[default]
    System,
    /// Those that an authority in this PEM file vouches for, and each certificate in the file
    /// itself, whatever its kind.
    File(PathBuf),
    /// These and no others, whatever name, date or form they have.
    Certificates(Vec<Fingerprint>),
}

/// The trusted certificates cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The TLS library refuses the set-up.
    #[error("TLS cannot be set up: {0}")]
    SetUp(String),
}

impl From<rustls::Error> for TrustError {
    fn from(cause: rustls::Error) -> Self {
        Self::SetUp(cause.to_string())
    }
}

/// The authorities of the operating system, and remarks about them.
#[derive(Debug)]
#[non_exhaustive]
pub struct SystemRoots {
    /// The authorities.
    pub store: RootCertStore,
    /// The certificates that they were read from; none where they are [built in](Self::built_in).
    pub certificates: Vec<CertificateDer<'static>>,
    /// Certificates of the system's store that cannot be read, in words.
    pub errors: Vec<String>,
    /// How many certificates were read but cannot be used.
    pub unusable: usize,
    /// The system has none, and these are Mozilla's as they were when this program was built.
    pub built_in: bool,
}

impl SystemRoots {
    /// Asks the operating system.
    pub fn load() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (_, unusable) = store.add_parsable_certificates(found.certs.iter().cloned());
        let built_in = store.is_empty();
        if built_in {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self {
            store,
            certificates: if built_in { Vec::new() } else { found.certs },
            errors: found.errors.iter().map(ToString::to_string).collect(),
            unusable,
            built_in,
        }
    }
}

/// The certificates of a file themselves, and the authorities among them. A certificate that cannot be an
/// authority can still be the server's own.
pub(crate) fn named_in(file: &Path) -> Result<(Vec<Fingerprint>, RootCertStore), FileError> {
    let certificates = certificates(file)?;
    let readable =
        |der: &rustls::pki_types::CertificateDer<'_>| CertificateFacts::read(der).is_some();
    if !certificates.iter().any(readable) {
        return Err(Fault::Unreadable.of(file));
    }
    let named = certificates.iter().map(Fingerprint::of).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    Ok((named, roots))
}
