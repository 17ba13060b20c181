//! One store that serves every login: all that a server with a [`Store`] or an [`AsyncStore`] of its own needs,
//! and what such a store is made of.
//!
//! Each user's maildrop is locked under the name that the client gave. Never looks at a password; the
//! store checks it.

use std::sync::Arc;

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;

pub use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncMessage, AsyncStore, Bytes};
pub use pop3_proto::backend::blocking::{Mailbox, Store};
pub use pop3_proto::backend::list::ListStore;
pub use pop3_proto::backend::store::{Entry, StoreError};
pub use pop3_proto::backend::{Access, Index, Login, Open};
pub use pop3_proto::secret::Secret;

use crate::service::{Denied, Peer, Routed, Service};

/// A store of blocking code as the service of a listener.
///
/// ```
/// use std::sync::Arc;
///
/// use pop3_proto::backend::list::ListStore;
/// use pop3_proto::secret::Secret;
/// use pop3_server::settings::Settings;
/// use pop3_server::store::Stored;
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
        Ok(routed(Blocking::new(Arc::clone(&self.store)), login))
    }
}

/// A store of async code as the service of a listener.
#[derive(Debug)]
pub struct AsyncStored<S> {
    store: Arc<S>,
}

impl<S: AsyncStore> AsyncStored<S> {
    /// Serves from this store.
    pub fn new(store: impl Into<Arc<S>>) -> Self {
        Self {
            store: store.into(),
        }
    }
}

impl<S: AsyncStore> Service for AsyncStored<S> {
    type Backend = Awaiting<S>;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<Self::Backend>, Denied> {
        Ok(routed(Awaiting::new(Arc::clone(&self.store)), login))
    }
}

fn routed<B>(backend: B, login: &Login) -> Routed<B> {
    Routed::new(backend, login.user().unwrap_or_default(), "store")
}
