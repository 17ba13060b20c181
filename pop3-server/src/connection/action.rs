//! What a connection asks of its driver, and of which socket.

use std::any::Any;
use std::fmt;

use pop3_proto::backend::{Endpoint, Job};

use crate::parking::Leaving;

/// Which of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The POP3 client's.
    Client,
    /// The mail store's, if the backend has one.
    Upstream,
}

/// What a connection asks of its driver.
#[must_use]
pub enum Action<D> {
    /// Open the upstream's socket, in the place of the one that may be there. Answered by
    /// [`Connected`](pop3_proto::backend::Outcome::Connected) or [`Lost`](pop3_proto::backend::Outcome::Lost).
    Connect(Endpoint),
    /// Take this socket, which waited, as the upstream's. It is one of the same runtime.
    Resume(Box<dyn Any + Send>),
    /// Put the upstream's socket aside with this.
    Park(Box<Leaving>),
    /// Close the upstream's socket, or give the attempt up.
    Disconnect,
    /// Run this and bring back [`Done`](pop3_proto::backend::Outcome::Done).
    Run(Job<D>),
    /// The backend is gone: close its socket and forget what still runs for it.
    Release,
    /// Everything is sent: end the sending direction of the client's socket.
    ShutDownClient,
    /// Close the client's socket.
    CloseClient,
}

impl<D> fmt::Debug for Action<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(endpoint) => f.debug_tuple("Connect").field(endpoint).finish(),
            Self::Resume(_) => f.write_str("Resume"),
            Self::Park(_) => f.write_str("Park"),
            Self::Disconnect => f.write_str("Disconnect"),
            Self::Run(_) => f.write_str("Run"),
            Self::Release => f.write_str("Release"),
            Self::ShutDownClient => f.write_str("ShutDownClient"),
            Self::CloseClient => f.write_str("CloseClient"),
        }
    }
}
