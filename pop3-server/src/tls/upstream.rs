//! The certificates that we believe when we are the client.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::{TlsError, certificates, provider};

/// Which certificate authorities are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those of the operating system; if it has none (an empty container, say), Mozilla's as they were
    /// when this program was built.
    #[default]
    System,
    /// Those in this PEM file and no others.
    File(PathBuf),
}

/// How an upstream's certificate is verified: always, and for the name that was configured.
#[derive(Clone, Debug)]
pub struct UpstreamTls(Arc<ClientConfig>);

impl UpstreamTls {
    /// Loads the certificate authorities.
    pub fn load(trust: &Trust) -> Result<Self, TlsError> {
        let roots = match trust {
            Trust::System => system_roots(),
            Trust::File(file) => file_roots(file)?,
        };
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| TlsError::SetUp(cause.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of the system's store cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        tracing::debug!(unusable, "certificates of the system's store left out");
    }
    if roots.is_empty() {
        tracing::warn!("the system has no certificate authorities; using Mozilla's, built in");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn file_roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(file)?);
    if roots.is_empty() {
        return Err(TlsError::NoAuthority { file: file.into() });
    }
    Ok(roots)
}
