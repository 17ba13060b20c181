//! Where a server listens while it runs, and how it may be changed.
//!
//! Owns the way from whoever reads the configuration again, which may block, to the task that accepts. Binds
//! nothing and accepts nothing. A [`Change`] happens as a whole or not at all.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::handler::Handler;
use crate::runtime::Runtime;

/// A server that runs. Clones are the same one.
#[derive(Clone)]
pub struct Live<R: Runtime> {
    runtime: R,
    state: Arc<Mutex<State<R>>>,
}

struct State<R: Runtime> {
    patience: Patience,
    /// What the task that accepts has not done yet, the oldest first.
    changes: Vec<Ready<R>>,
    waiting: Option<Waker>,
    /// No socket accepts any more.
    is_over: bool,
}

/// How long the end of the server may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the signal until nothing more is accepted.
    pub(crate) drain: Duration,
    /// From then on, for connections to finish.
    pub(crate) grace: Duration,
}

/// What changes where a server listens.
#[must_use = "a change is made by Live::change"]
pub struct Change<R: Runtime> {
    new: Vec<(TcpListener, Arc<dyn Handler<R>>)>,
    others: Vec<(SocketAddr, Arc<dyn Handler<R>>)>,
    gone: Vec<SocketAddr>,
}

/// A change whose sockets are the runtime's already, so that nothing of it can fail.
pub(crate) struct Ready<R: Runtime> {
    pub(crate) new: Vec<Open<R>>,
    pub(crate) others: Vec<(SocketAddr, Arc<dyn Handler<R>>)>,
    pub(crate) gone: Vec<SocketAddr>,
}

/// A socket that accepts.
pub(crate) struct Open<R: Runtime> {
    pub(crate) address: SocketAddr,
    pub(crate) listener: R::Listener,
    pub(crate) handler: Arc<dyn Handler<R>>,
}

impl<R: Runtime> Open<R> {
    pub(crate) fn new(
        runtime: &R,
        socket: TcpListener,
        handler: Arc<dyn Handler<R>>,
    ) -> io::Result<Self> {
        Ok(Self {
            address: socket.local_addr()?,
            listener: runtime.listen(socket)?,
            handler,
        })
    }
}

impl<R: Runtime> Default for Change<R> {
    fn default() -> Self {
        Self {
            new: Vec::new(),
            others: Vec::new(),
            gone: Vec::new(),
        }
    }
}

impl<R: Runtime> fmt::Debug for Change<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new: Vec<_> = self.new.iter().map(|(socket, _)| socket).collect();
        let others: Vec<_> = self.others.iter().map(|(address, _)| address).collect();
        f.debug_struct("Change")
            .field("new", &new)
            .field("others", &others)
            .field("gone", &self.gone)
            .finish()
    }
}

impl<R: Runtime> Change<R> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts on a socket that listens already.
    pub fn listen(mut self, socket: TcpListener, handler: impl Handler<R>) -> Self {
        self.new.push((socket, Arc::new(handler)));
        self
    }

    /// Lets another handler speak on the connections that the socket at this address accepts from now on.
    pub fn speak(mut self, address: SocketAddr, handler: impl Handler<R>) -> Self {
        self.others.push((address, Arc::new(handler)));
        self
    }

    /// Closes the socket at this address, as [`TcpListener::local_addr`] names it. Connections that wait there are
    /// accepted before; those that are open go on.
    pub fn close(mut self, address: SocketAddr) -> Self {
        self.gone.push(address);
        self
    }
}

impl<R: Runtime> fmt::Debug for Live<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl<R: Runtime> Live<R> {
    pub(crate) fn new(runtime: R, patience: Patience) -> Self {
        Self {
            runtime,
            state: Arc::new(Mutex::new(State {
                patience,
                changes: Vec::new(),
                waiting: None,
                is_over: false,
            })),
        }
    }

    /// Changes where the server listens. New sockets accept before others are closed. A server that was asked to
    /// stop closes all.
    ///
    /// # Errors
    ///
    /// If the runtime cannot use one of the new sockets. Then nothing is changed.
    pub fn change(&self, change: Change<R>) -> io::Result<()> {
        let Change { new, others, gone } = change;
        let open = |(socket, handler)| Open::new(&self.runtime, socket, handler);
        let ready = Ready {
            new: new.into_iter().map(open).collect::<io::Result<_>>()?,
            others,
            gone,
        };
        let mut state = self.state();
        if state.is_over {
            return Ok(());
        }
        state.changes.push(ready);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        Ok(())
    }

    /// Sets how long connections may take to finish when the server is asked to stop after this.
    pub fn grace(&self, grace: Duration) {
        self.state().patience.grace = grace;
    }

    /// Sets how long the server serves on after the first signal to stop, if that comes after this.
    pub fn drain(&self, drain: Duration) {
        self.state().patience.drain = drain;
    }

    pub(crate) fn patience(&self) -> Patience {
        self.state().patience
    }

    pub(crate) fn runtime(&self) -> &R {
        &self.runtime
    }

    /// Takes what is to be changed; wakes the task when there is more.
    pub(crate) fn changes(&self, cx: &Context<'_>) -> Vec<Ready<R>> {
        let mut state = self.state();
        let before = state.waiting.replace(cx.waker().clone());
        let changes = std::mem::take(&mut state.changes);
        drop(state);
        // not under the lock: a waker may own a task
        drop(before);
        changes
    }

    /// Nothing is changed from now on. Returns how long connections may take to finish.
    pub(crate) fn end(&self) -> Patience {
        let mut state = self.state();
        state.is_over = true;
        let changes = std::mem::take(&mut state.changes);
        let patience = state.patience;
        drop(state);
        drop(changes);
        patience
    }

    /// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
