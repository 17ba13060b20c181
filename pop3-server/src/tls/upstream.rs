//! The certificates that we believe when we are the client.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::facts::CertificateFacts;
use super::fingerprint::Fingerprint;
use super::verify::Verifier;
use super::{TlsError, certificates, provider};

/// Which certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those that an authority of the operating system vouches for; if it has none (an empty container,
    /// say), Mozilla's as they were when this program was built.
    #[default]
    System,
    /// Those that an authority in this PEM file vouches for, and each one that stands in it itself,
    /// whatever else that is.
    File(PathBuf),
    /// These and no others, whatever name or date they have.
    Certificates(Vec<Fingerprint>),
}

/// How an upstream's certificate is verified: always, and for the name that was configured unless it was
/// named itself.
#[derive(Clone, Debug)]
pub struct UpstreamTls(Arc<ClientConfig>, Arc<Verifier>);

impl UpstreamTls {
    /// Loads what is believed.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds no certificate, or the TLS library refuses the set-up.
    pub fn load(trust: &Trust) -> Result<Self, TlsError> {
        let (named, roots) = match trust {
            Trust::System => (Vec::new(), system_roots()),
            Trust::File(file) => named_in(file)?,
            Trust::Certificates(named) => (named.clone(), RootCertStore::empty()),
        };
        let verifier = Arc::new(Verifier::new(named, roots)?);
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| TlsError::SetUp(cause.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>)
            .with_no_client_auth();
        Ok(Self(Arc::new(config), verifier))
    }

    /// The certificate that a server showed last, in words, and what is wrong with it for this name; none
    /// if there was none.
    pub fn shown(&self, name: &str) -> Option<String> {
        self.1.shown(name)
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

/// A certificate that cannot be an authority can still be the server's own.
fn named_in(file: &Path) -> Result<(Vec<Fingerprint>, RootCertStore), TlsError> {
    let certificates = certificates(file)?;
    if !certificates
        .iter()
        .any(|der| CertificateFacts::read(der).is_some())
    {
        return Err(TlsError::NoAuthority { file: file.into() });
    }
    let named = certificates.iter().map(Fingerprint::of).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    Ok((named, roots))
}
