//! How many passwords are checked at a time: as many as there are cores, with a bounded queue before it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lets a bounded number of threads through.
pub(crate) struct Gate {
    state: Mutex<State>,
    freed: Condvar,
    permits: usize,
    max_waiting: usize,
    patience: Duration,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
}

/// No permit within the time, or too many wait already.
#[derive(Debug)]
pub(crate) struct Busy;

/// The right to compute a hash, given back when dropped.
pub(crate) struct Permit<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(permits: usize, max_waiting: usize, patience: Duration) -> Self {
        Self {
            state: Mutex::default(),
            freed: Condvar::new(),
            permits: permits.max(1),
            max_waiting,
            patience,
        }
    }

    /// Waits for a permit.
    pub(crate) fn enter(&self) -> Result<Permit<'_>, Busy> {
        let mut state = self.lock();
        if state.running >= self.permits {
            if state.waiting >= self.max_waiting {
                return Err(Busy);
            }
            state.waiting += 1;
            let full = |state: &mut State| state.running >= self.permits;
            let waited = self.freed.wait_timeout_while(state, self.patience, full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
            if state.running >= self.permits {
                return Err(Busy);
            }
        }
        state.running += 1;
        drop(state);
        Ok(Permit(self))
    }

    /// Two counters: a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.freed.notify_one();
    }
}
