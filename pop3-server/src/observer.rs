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

use crate::limit::Limit;

/// Watches the sessions of a server. Called on the way of every session: it must neither block nor panic.
pub trait Observer: Send + Sync + 'static {
    /// Something happened in a session.
    fn observe(&self, about: &About<'_>, event: &Event<'_>);

    /// A connection was turned away, since there was no room for it.
    fn turned_away(&self, peer: SocketAddr, now: Time) {
        let _ = (peer, now);
    }

    /// A connection, or a login, found this limit reached. It is refused; where it comes to descriptors, it waits.
    fn limited(&self, limit: Limit) {
        let _ = limit;
    }

    /// A connection was closed before its session, since what has to come first did not come.
    fn unheard(&self, peer: SocketAddr, why: Unheard, now: Time) {
        let _ = (peer, why, now);
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
    /// How far it is.
    pub stage: Stage,
    /// Whether its connection to the upstream is one that waited since an earlier login.
    pub resumed: bool,
    /// What it has done so far.
    pub summary: &'a Summary,
    /// When it began.
    pub began: Time,
    /// What time it is.
    pub now: Time,
}

/// How far a session is: the states of RFC 1939 section 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has logged in.
    #[default]
    Authorization,
    /// The maildrop is open.
    Transaction,
    /// The client said QUIT, and what is marked as deleted is removed.
    Update,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The session has its place and begins.
    Admitted,
    /// TLS with the client is in force: [`Summary::tls`].
    Secured,
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
    /// A login was refused.
    Refused(&'a Refusal),
    /// A login came to no verdict: its client left, its time was over, or the server goes down. The class of the
    /// refusal says nothing.
    GivenUp(&'a Refusal),
    /// Something became of the connection to the upstream.
    Upstream(Contact),
    /// The maildrop is open. From here on the stage is [`Stage::Transaction`].
    LoggedIn,
    /// The client said QUIT. From here on the stage is [`Stage::Update`].
    Updates,
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
    /// Octets on the wire of the client since the last time: told when they have become many, and before the end.
    Octets {
        /// How many came from the client.
        received: u32,
        /// How many the client's socket took.
        sent: u32,
    },
    /// Octets on the wire of the upstream since the last time: told when they have become many, and before the login's
    /// connection is given up.
    UpstreamOctets {
        /// How many came from the upstream.
        received: u32,
        /// How many the upstream's socket took.
        sent: u32,
    },
    /// The session is over. Nothing comes after it.
    Ended {
        /// Why, unless this server cut it off.
        reason: Option<Reason>,
        /// What went wrong with TLS, if that ended it.
        tls_failure: Option<&'a str>,
    },
}

/// What became of the connection to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contact {
    /// It is open; TLS and the login are still to come.
    Connected,
    /// One that waited since an earlier login is used again.
    Resumed,
    /// There is none: no address, no answer in time, or a refusal.
    Unreachable,
    /// TLS failed, not for the certificate.
    TlsFailed,
    /// The upstream's certificate is not trusted.
    Untrusted,
    /// It was open and ended when nobody wanted it to.
    Broken,
}

/// Why a connection had no session, on a listener with a [preamble](crate::preamble).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// The listener does not hear this peer.
    NotTrusted,
    /// What came is no preamble.
    Invalid,
    /// It did not come in time.
    Late,
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

    fn limited(&self, limit: Limit) {
        (**self).limited(limit);
    }

    fn unheard(&self, peer: SocketAddr, why: Unheard, now: Time) {
        (**self).unheard(peer, why, now);
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

    fn limited(&self, limit: Limit) {
        self.0.limited(limit);
        self.1.limited(limit);
    }

    fn unheard(&self, peer: SocketAddr, why: Unheard, now: Time) {
        self.0.unheard(peer, why, now);
        self.1.unheard(peer, why, now);
    }
}
