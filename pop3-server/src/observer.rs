//! Watching sessions: the seam for logs and counters.
//!
//! An [`Observer`] hears what happens, at the moment when it happens and in the task of the session it happens
//! in. It decides nothing and changes nothing. What the operator's log says is one observer,
//! [`Log`](crate::log::Log); counters are another. A pair of observers is one.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use pop3_server::observer::{About, Event, Observer};
//! use pop3_server::server::Server;
//!
//! #[derive(Default)]
//! struct Logins(AtomicU64);
//!
//! impl Observer for Logins {
//!     fn observe(&self, _: &About<'_>, event: &Event<'_>) {
//!         if matches!(event, Event::LoggedIn) {
//!             self.0.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let logins = Arc::new(Logins::default());
//! let server = Server::builder().observer(Arc::clone(&logins)).build();
//! # let _ = server;
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::{Failure, Note, Refusal};
use pop3_proto::server::{Reason, Summary};
use pop3_proto::time::Time;

/// Watches the sessions of a server. Called on the way of every session: it must neither block nor panic.
pub trait Observer: Send + Sync + 'static {
    /// Something happened in a session.
    fn observe(&self, about: &About<'_>, event: &Event<'_>);

    /// A connection was turned away, since there was no room for it.
    fn turned_away(&self, peer: SocketAddr, now: Time) {
        let _ = (peer, now);
    }
}

/// The session in which something happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct About<'a> {
    /// Its number, unique in this server. The span around the jobs of a store has it too, as `session`.
    pub session: u64,
    /// The name of its listener.
    pub listener: &'a str,
    /// The address of the client.
    pub peer: SocketAddr,
    /// The name of the upstream that serves the login, once there is one.
    pub upstream: Option<&'a str>,
    /// What it has done so far.
    pub summary: &'a Summary,
    /// When it began.
    pub began: Time,
    /// What time it is.
    pub now: Time,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The session has its place and begins.
    Admitted,
    /// A secret was sent in the clear.
    InTheClear {
        /// The user that it belongs to.
        user: Option<&'a str>,
    },
    /// A login is not looked at yet, because recent ones from this address or for this name failed.
    Waits {
        /// When it is its turn, as far as is known.
        until: Time,
    },
    /// A login was refused, or given up by its client.
    Refused(&'a Refusal),
    /// The maildrop is open.
    LoggedIn,
    /// A login failed or, if the session is logged in, the update at its end.
    Failed(&'a Failure),
    /// The backend has something to say beside its replies.
    Noted(&'a Note),
    /// A message could not be sent.
    MessageFailed(&'a Failure),
    /// The backend has answered.
    Answered {
        /// What it was asked for.
        asked: Asked,
        /// How long that took: to the verdict on a login or an update, to the first octet of a message.
        after: Duration,
    },
    /// The session is over. Nothing comes after it.
    Ended {
        /// Why, unless this server cut it off.
        reason: Option<Reason>,
        /// What went wrong with TLS, if that ended it.
        tls_failure: Option<&'a str>,
    },
}

/// What a backend is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// To open a maildrop.
    Login,
    /// For a message, whole or in part.
    Message,
    /// To remove what is marked as deleted.
    Update,
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        (**self).observe(about, event);
    }

    fn turned_away(&self, peer: SocketAddr, now: Time) {
        (**self).turned_away(peer, now);
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        self.0.observe(about, event);
        self.1.observe(about, event);
    }

    fn turned_away(&self, peer: SocketAddr, now: Time) {
        self.0.turned_away(peer, now);
        self.1.turned_away(peer, now);
    }
}
