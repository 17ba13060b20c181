//! One store that serves every login: all that a server with a [`Store`] of its own needs.
//!
//! Each user's maildrop is locked under the name that the client gave. Never looks at a password; that
//! is the store's.

use std::sync::Arc;

use pop3_proto::backend::Login;
use pop3_proto::backend::blocking::{Blocking, Store};

use crate::service::{Denied, Peer, Routed, Service};

/// A store as the service of a listener.
///
/// ```
/// use std::sync::Arc;
///
/// use pop3_proto::backend::list::ListStore;
/// use pop3_proto::secret::Secret;
/// use pop3_server::settings::Settings;
/// use pop3_server::stored::Stored;
///
/// let mut store = ListStore::default();
/// store.add_account("tim", Secret::from(&b"tanstaaf"[..]));
/// let settings = Settings::new(Arc::new(Stored::new(store)));
/// # let _ = settings;
/// ```
#[derive(Debug)]
pub struct Stored<S> {
    store: Arc<S>,
}

impl<S: Store> Stored<S> {
    /// Serves from this store.
    pub fn new(store: impl Into<Arc<S>>) -> Self {
        Self {
            store: store.into(),
        }
    }
}

impl<S: Store> Service for Stored<S> {
    type Backend = Blocking<S>;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<Self::Backend>, Denied> {
        Ok(Routed {
            backend: Blocking::new(Arc::clone(&self.store)),
            maildrop: login.user().unwrap_or_default().into(),
            upstream: "store".into(),
            tls: None,
        })
    }
}
