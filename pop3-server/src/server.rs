//! What all connections of a process share.
//!
//! Owns locks, counts and the shutdown. Never looks into a connection, and accepts none itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::crowd::Crowd;
use crate::dial::Dialler;
use crate::hold::Holder;
use crate::limit::Slots;
use crate::lock::Locks;
use crate::log::Log;
use crate::observer::Observer;
use crate::parking::Parking;
use crate::shutdown::Shutdown;
use crate::throttle::{Others, Throttle};

/// What all connections share. Clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    observer: Arc<dyn Observer>,
    locks: Locks,
    holder: Arc<dyn Holder>,
    throttle: Throttle,
    crowd: Crowd,
    users: Slots<Arc<str>>,
    dialler: Dialler,
    parking: Parking,
    sessions: AtomicU64,
    shutdown: Shutdown,
}

/// Makes a server whose parts are not the usual ones.
#[must_use]
pub struct Builder {
    observer: Arc<dyn Observer>,
    holder: Option<Arc<dyn Holder>>,
    locks: Locks,
    throttle: Throttle,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            observer: Arc::new(Log::default()),
            holder: None,
            locks: Locks::default(),
            throttle: Throttle::default(),
        }
    }
}

impl Builder {
    /// Sets the observer of the sessions, in the place of the [`Log`].
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Sets what grants the use of maildrops, in the place of the table of this process.
    pub fn holder(mut self, holder: impl Holder) -> Self {
        self.holder = Some(Arc::new(holder));
        self
    }

    /// Sets the table of this process, where the holder has one: [`Server::locks`] says what is in it.
    pub fn locks(mut self, locks: Locks) -> Self {
        self.locks = locks;
        self
    }

    /// Sets who else knows of failed logins, beside this process.
    pub fn others(mut self, others: impl Others) -> Self {
        self.throttle = Throttle::with(Arc::new(others));
        self
    }

    /// The server, without connections.
    pub fn build(self) -> Server {
        let Self {
            observer,
            holder,
            locks,
            throttle,
        } = self;
        let parking = Parking::default();
        Server(Arc::new(Shared {
            observer,
            holder: holder.unwrap_or_else(|| Arc::new(locks.clone())),
            locks,
            throttle,
            crowd: Crowd::default(),
            users: Slots::default(),
            dialler: Dialler::new(parking.clone()),
            parking,
            sessions: AtomicU64::default(),
            shutdown: Shutdown::default(),
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl Default for Server {
    fn default() -> Self {
        Builder::default().build()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("locks", &self.0.locks)
            .field("crowd", &self.0.crowd)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server without connections, whose sessions are in the log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the parts of a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.0.observer
    }

    pub(crate) fn holder(&self) -> &dyn Holder {
        &*self.0.holder
    }

    /// The maildrops that the table of this process holds.
    pub fn locks(&self) -> &Locks {
        &self.0.locks
    }

    /// The way to stop it from elsewhere.
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(crate) fn dialler(&self) -> &Dialler {
        &self.0.dialler
    }

    /// The connections to upstreams that wait for the next login. A service makes its lots of it.
    pub fn parking(&self) -> &Parking {
        &self.0.parking
    }

    /// The logins that failed, and those that wait.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// The connections.
    pub fn crowd(&self) -> &Crowd {
        &self.0.crowd
    }

    pub(crate) fn users(&self) -> &Slots<Arc<str>> {
        &self.0.users
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }
}
