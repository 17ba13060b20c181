//! The state of grants and accounts, for code that blocks.
//!
//! Owns the runtime that the state's connections live in: they belong to one, and neither the sessions' runtime nor
//! a thread of its blocking pool outlives all of them. Decides nothing.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use gateway_state::{Keys, State, StateError, StateUrl};

/// The state, and what it runs in. Clones are the same.
#[derive(Clone)]
pub struct Records {
    state: State,
    runtime: Arc<Own>,
}

#[cfg(feature = "tokio")]
type Own = tokio::runtime::Runtime;
/// smol has one reactor for the whole process.
#[cfg(not(feature = "tokio"))]
type Own = ();

impl Records {
    /// Opens it. Blocks.
    pub fn open(url: &StateUrl, keys: Keys) -> Result<Self, StateError> {
        let runtime = own().map_err(|error| StateError::Refused(error.to_string()))?;
        let state = wait(&runtime, State::open(url, keys))?;
        Ok(Self {
            state,
            runtime: Arc::new(runtime),
        })
    }

    /// Does something with it. Blocks; never called within a runtime's own threads.
    pub fn with<'s, T, F: Future<Output = T>>(&'s self, work: impl FnOnce(&'s State) -> F) -> T {
        wait(&self.runtime, work(&self.state))
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

#[cfg(feature = "tokio")]
fn own() -> std::io::Result<Own> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

#[cfg(feature = "tokio")]
fn wait<T>(runtime: &Own, future: impl Future<Output = T>) -> T {
    runtime.block_on(future)
}

#[cfg(not(feature = "tokio"))]
fn own() -> std::io::Result<Own> {
    Ok(())
}

#[cfg(not(feature = "tokio"))]
fn wait<T>((): &Own, future: impl Future<Output = T>) -> T {
    futures_lite::future::block_on(future)
}
