//! A connection to a mail server that outlives its session.
//!
//! Owns what passes between a backend and its driver when a connection is put aside at the end of a session, and
//! when the next login takes it up again. Never keeps a connection, and never decides which login gets one: the
//! driver does, by the [`Claim`].
//!
//! A session ends with [`Effect::Park`](super::Effect::Park): the socket, its TLS and a [`Waiting`] machine stay
//! together. The next login asks with [`Effect::Resume`](super::Effect::Resume); if a connection waits under an equal
//! claim, it comes back with [`Outcome::Resumed`](super::Outcome::Resumed). The machine is the same backend's on both
//! sides, and a driver never looks into it.

use alloc::boxed::Box;
use alloc::string::String;
use core::any::Any;
use core::fmt;

use super::{Backend, Endpoint};
use crate::secret::Secret;

/// Whose a connection is, and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The account at the mail server. One connection at most waits for each.
    pub account: String,
    /// Everything that has to be the same: the mechanism, the credential, and what else decides what the connection
    /// may do. Compared in constant time, and never kept by a driver: only a keyed digest is.
    pub proof: Secret,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = &self.account;
        f.debug_struct("Claim")
            .field("account", account)
            .finish_non_exhaustive()
    }
}

/// A backend that only keeps a connection in order until a login takes it.
///
/// [`Request::Abandon`](super::Request::Abandon) tells it to say good-bye; so does its deadline. It asks for
/// [`Effect::Disconnect`](super::Effect::Disconnect) when the connection is of no use any more, and answers nothing.
pub trait Waiting: Backend<Done = ()> + Any {
    /// Whether a login may take it now.
    fn is_fit(&self) -> bool;
}

/// A connection that is put aside.
pub struct Parked {
    /// Who may take it.
    pub claim: Claim,
    /// What keeps it in order meanwhile.
    pub waiting: Box<dyn Waiting>,
    /// What is dropped when it waits no longer, whether a login takes it or it ends: a layer's.
    pub kept: Option<Box<dyn Any + Send>>,
}

/// A connection that is wanted.
pub struct Wanted {
    /// Under which claim it may wait.
    pub claim: Claim,
    /// Where a new one goes to, if none waits.
    pub endpoint: Endpoint,
}
