//! The certificates that we believe when we are the client. What is odd about them is logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peer_trust::{Odd, SystemRoots, Trust, Verifier};
use rustls::{ClientConfig, RootCertStore};

use super::TlsError;

/// How an upstream's certificate is verified: always, and for the configured name, unless the
/// configuration names the certificate itself.
#[derive(Clone, Debug)]
pub struct UpstreamTls(Arc<ClientConfig>, Arc<Verifier>);

impl UpstreamTls {
    /// Loads what is believed.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds no certificate, or the TLS library refuses the set-up.
    pub fn load(trust: &Trust) -> Result<Self, TlsError> {
        let verifier = match trust {
            Trust::System => Verifier::with_roots(system_roots())?,
            Trust::File(_) | Trust::Certificates(_) => Verifier::load(trust)?,
        };
        let told = AtomicBool::new(false);
        let verifier = Arc::new(verifier.on_odd(move |odd| {
            if !told.swap(true, Ordering::Relaxed) {
                tell(odd);
            }
        }));
        let config = Arc::clone(&verifier).client_config()?;
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
    let found = SystemRoots::load();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of the system's store cannot be read");
    }
    if found.unusable > 0 {
        let unusable = found.unusable;
        tracing::debug!(unusable, "certificates of the system's store left out");
    }
    if found.built_in {
        tracing::warn!("the system has no certificate authorities; using Mozilla's, built in");
    }
    found.store
}

/// It was named, so it counts. The log says what is odd about it, so that there is no surprise later.
fn tell(odd: &Odd<'_>) {
    tracing::warn!(
        name = %odd.name,
        fingerprint = %odd.fingerprint,
        "the upstream's certificate is trusted because the configuration names exactly this one, though {}",
        odd.oddities.join(", and ")
    );
}
