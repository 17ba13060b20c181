//! Telling every connection that the server shuts down, and knowing when all are gone.
//!
//! Owns the list of those to tell: every live member. Never waits itself.
//!
//! # Examples
//!
//! ```
//! use pop3_server::shutdown::{Phase, Shutdown};
//!
//! let shutdown = Shutdown::new();
//! shutdown.advance();
//! assert_eq!(shutdown.phase(), Phase::Finishing);
//! shutdown.advance();
//! assert_eq!(shutdown.phase(), Phase::Ending);
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Business as usual.
    #[default]
    Running,
    /// Business as usual, but not for long: whoever sends clients is to send them elsewhere.
    Draining,
    /// Finish what runs, then go.
    Finishing,
    /// Go now.
    Ending,
}

/// The shutdown of one server. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Changed under the lock only, so that a task that registers under the lock misses no
    /// change. Read without it, because every connection asks at every turn.
    phase: AtomicU8,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    members: HashMap<u64, Option<Waker>>,
    waiting: Option<Waker>,
}

impl Shutdown {
    /// A server that runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every member to finish and go; asked again, to go now.
    pub fn advance(&self) {
        let next = match self.phase() {
            Phase::Running | Phase::Draining => Phase::Finishing,
            Phase::Finishing | Phase::Ending => Phase::Ending,
        };
        self.advance_to(next);
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            2 => Phase::Finishing,
            _ => Phase::Ending,
        }
    }

    pub(crate) fn advance_to(&self, phase: Phase) {
        let mut state = self.state();
        if phase <= self.phase() {
            return;
        }
        self.0.phase.store(phase as u8, Ordering::Release);
        let waiting = state.waiting.take();
        // Members do not hear of the drain, in which nothing changes for them.
        let members = state.members.values_mut();
        let told = members.take_while(|_| phase > Phase::Draining);
        let wakers: Vec<Waker> = told.filter_map(Option::take).chain(waiting).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A member that hears of the shutdown, and is waited for until dropped.
    pub(crate) fn join(&self) -> Member {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.members.insert(id, None);
        drop(state);
        Member {
            shutdown: self.clone(),
            id,
            told: Phase::Running,
            waker: None,
        }
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> usize {
        self.state().members.len()
    }

    /// Wakes the task at the next change: another phase or, once it is no longer running, when a member
    /// is gone. One task at a time.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let before = self.state().waiting.replace(cx.waker().clone());
        // Not under the lock: a waker may own a task that owns a member.
        drop(before);
    }

    /// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member: it hears of the shutdown, and is waited for.
#[derive(Debug)]
pub(crate) struct Member {
    shutdown: Shutdown,
    id: u64,
    told: Phase,
    /// What is registered, so that the table is touched only when it changes.
    waker: Option<Waker>,
}

impl Member {
    /// Another one, for another task.
    pub(crate) fn another(&self) -> Self {
        self.shutdown.join()
    }

    /// The phase, once it is further than the last time; [`Phase::Draining`] passes unheard.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> Poll<Phase> {
        let registered = |waker: &Waker| waker.will_wake(cx.waker());
        if !self.waker.as_ref().is_some_and(registered) {
            self.waker = Some(cx.waker().clone());
            let mut state = self.shutdown.state();
            let before = state.members.insert(self.id, self.waker.clone());
            drop(state);
            drop(before);
        }
        let phase = self.shutdown.phase();
        if phase == self.told || phase == Phase::Draining {
            return Poll::Pending;
        }
        // The change took the waker out of the table.
        self.waker = None;
        self.told = phase;
        Poll::Ready(phase)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.shutdown.state();
        let waker = state.members.remove(&self.id);
        // While the server accepts nothing waits for members to go; waking the acceptor at the end of every
        // connection would be in vain.
        let waiting = match self.shutdown.phase() {
            Phase::Running | Phase::Draining => None,
            Phase::Finishing | Phase::Ending => state.waiting.take(),
        };
        drop(state);
        drop(waker);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}
