//! The state of grants and accounts, for code that blocks.
//!
//! Owns the runtime that the state's connections live in: they belong to one, and neither the sessions' runtime nor
//! a thread of its blocking pool outlives all of them. Decides nothing.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use gateway_state::{Account, Binding, GrantId, Keys, State, StateError, StateUrl, Tokens};

use super::answer::Obtained;
use super::authority::unix;
use super::lookups::Lookups;
use super::provider::Provider;

/// The state, and what it runs in. Clones are the same.
#[derive(Clone)]
pub struct Records {
    state: State,
    runtime: Arc<Own>,
    lookups: Arc<Lookups>,
}

/// A runtime that may be dropped on a thread of another one: the last to let go is the end of the server.
#[cfg(feature = "tokio")]
struct Own(Option<tokio::runtime::Runtime>);
/// smol has one reactor for the whole process.
#[cfg(not(feature = "tokio"))]
type Own = ();

impl Records {
    /// Opens it. Blocks.
    pub fn open(url: &StateUrl, keys: Keys) -> Result<Self, StateError> {
        let (runtime, state) = Self::in_runtime(|| State::open(url, keys))?;
        Ok(Self::new(state, runtime))
    }

    /// Opens it though the key is lost: what was sealed with it is removed. How many grants that were. Blocks.
    pub fn open_without_key(url: &StateUrl, keys: Keys) -> Result<(Self, u64), StateError> {
        let opened = Self::in_runtime(|| State::open_without_key(url, keys));
        let (runtime, (state, removed)) = opened?;
        Ok((Self::new(state, runtime), removed))
    }

    fn in_runtime<T, F: Future<Output = Result<T, StateError>>>(
        open: impl FnOnce() -> F,
    ) -> Result<(Own, T), StateError> {
        let runtime = own().map_err(|error| StateError::Refused(error.to_string()))?;
        let opened = wait(&runtime, open())?;
        Ok((runtime, opened))
    }

    fn new(state: State, runtime: Own) -> Self {
        Self {
            state,
            runtime: Arc::new(runtime),
            lookups: Arc::default(),
        }
    }

    /// An account that is at hand; waits for nothing.
    pub fn account_at_hand(&self, name: &str) -> Option<Account> {
        self.state.account_at_hand(name)
    }

    /// An account, for a login that waits. Blocks.
    pub fn account(&self, name: &str) -> Result<Option<Account>, StateError> {
        let ask = || self.with(|state| state.account(name));
        self.lookups.ask(ask)
    }

    /// Keeps what a sign-in brought, in the place of what there was. Blocks.
    pub fn keep_grant(
        &self,
        id: &GrantId,
        provider: &Provider,
        obtained: Obtained,
    ) -> Result<(), StateError> {
        let (issuer, client) = (provider.issuer(), provider.client_id.as_str());
        let binding = Binding {
            issuer: &issuer,
            client,
        };
        let now = unix();
        let tokens = Tokens {
            refresh: obtained.refresh,
            access: Some(obtained.access),
            access_expires: now.saturating_add(obtained.life.as_secs()),
            scope: obtained.scope,
        };
        self.with(|state| state.put_grant(id, binding, &tokens, now))
            .map(|_| ())
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
impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(feature = "tokio")]
fn own() -> std::io::Result<Own> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .map(|runtime| Own(Some(runtime)))
}

#[cfg(feature = "tokio")]
fn wait<T>(runtime: &Own, future: impl Future<Output = T>) -> T {
    match &runtime.0 {
        Some(runtime) => runtime.block_on(future),
        // it goes when this does
        None => futures_lite::future::block_on(future),
    }
}

#[cfg(not(feature = "tokio"))]
fn own() -> std::io::Result<Own> {
    Ok(())
}

#[cfg(not(feature = "tokio"))]
fn wait<T>((): &Own, future: impl Future<Output = T>) -> T {
    futures_lite::future::block_on(future)
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_last_to_let_go_may_be_a_task() {
        let records = Records::open(&"memory:".parse().unwrap(), Keys::generate().unwrap());
        let records = records.unwrap();
        let other = tokio::runtime::Builder::new_current_thread().build();
        other.unwrap().block_on(async move { drop(records) });
    }
}
