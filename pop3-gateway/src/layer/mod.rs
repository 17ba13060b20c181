//! What stands between a session and its mailbox, whatever kind of mailbox it is.
//!
//! Owns which layers there are and the order in which they stand; each of its files owns one. A layer never
//! knows a kind of mailbox, nor the configuration.

#[cfg(feature = "cluster")]
mod cap;
mod lock;
mod read_ahead;
mod rename;
#[cfg(feature = "oauth")]
pub mod token;

use pop3_proto::backend::erased::AnyBackend;
use pop3_proto::backend::layered::Layered;

#[cfg(feature = "cluster")]
pub use cap::{Cap, Capped};
pub use lock::Lock;
pub use read_ahead::{Budget, Share};
pub use rename::Rename;

/// A mailbox within the layers of one session. Requests come to the first one first, replies last.
pub type Served =
    Layered<Option<Rename>, Layered<Option<Lock>, Layered<Option<Share>, AnyBackend>>>;

/// The layers of one session.
#[derive(Debug, Default)]
pub struct Layers {
    /// Another name than the client's.
    pub rename: Option<Rename>,
    /// What a store's maildrops are locked under.
    pub lock: Option<Lock>,
    /// The session's share of what is fetched ahead, given back at its end.
    pub read_ahead: Option<Share>,
}

impl Layers {
    /// Puts them around a mailbox.
    pub fn around(self, mailbox: AnyBackend) -> Served {
        let read_ahead = Layered::new(self.read_ahead, mailbox);
        Layered::new(self.rename, Layered::new(self.lock, read_ahead))
    }
}
