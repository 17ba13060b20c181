//! A certificate that listeners show, and that a renewal replaces while they do.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pop3_server::rustls::server::{ClientHello, ResolvesServerCert};
use pop3_server::rustls::sign::CertifiedKey;

/// What is shown now. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Shown(Arc<ArcSwap<CertifiedKey>>);

impl Shown {
    pub(super) fn new(key: Arc<CertifiedKey>) -> Self {
        Self(Arc::new(ArcSwap::new(key)))
    }

    /// Handshakes that begin from now on see this one.
    pub(super) fn replace(&self, key: Arc<CertifiedKey>) {
        self.0.store(key);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
