//! The connections that wait for work, and how new ones are made.
//!
//! sqlx has a pool of its own. This one is for servers that must not hang: a refusal of the database is
//! reported at once and in its own words, nothing waits without a limit, a returned connection is not
//! tested, and no task runs in the background, so anything may be dropped anywhere.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_lock::{Semaphore, SemaphoreGuardArc};

use super::connection::{Connected, connect, within};
use super::options::Options;
use crate::config::PoolLimits;
use crate::error::SqlError;
use database_link::timer;

/// Connections to one database.
pub(super) struct Pool {
    pub(super) options: Options,
    pub(super) limits: PoolLimits,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The one that was used last is used first.
    idle: Vec<Idle>,
    /// When a connection last failed: those that were idle then may have failed with it.
    doubted: Option<Instant>,
    closed: bool,
}

struct Idle {
    connection: Connected,
    since: Instant,
}

/// A connection that was idle for longer is tested before it is used again.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

impl Pool {
    pub(super) fn new(options: Options, limits: PoolLimits) -> Self {
        let permits = limits.max_connections.max(1) as usize;
        Self {
            options,
            limits,
            permits: Arc::new(Semaphore::new(permits)),
            state: Mutex::default(),
        }
    }

    /// A connection, and the permit that belongs to it.
    pub(super) async fn take(&self) -> Result<(Connected, SemaphoreGuardArc), SqlError> {
        let limit = self.limits.acquire_timeout;
        let permit = timer::within(limit, self.permits.acquire_arc()).await;
        let permit = permit.ok_or_else(|| {
            SqlError::Unavailable(format!(
                "all {} connections to the database were in use for {limit:?}: max_connections is too \
                 small, or the database too slow",
                self.limits.max_connections
            ))
        })?;
        self.part_from_the_old().await;
        while let Some((mut connection, trusted)) = self.pop()? {
            if trusted || connection.live.answers(limit).await {
                return Ok((connection, permit));
            }
        }
        let connection = within(limit, connect(&self.options, self.server_timeout())).await?;
        Ok((connection, permit))
    }

    /// Takes back a connection that is in order.
    pub(super) fn put(&self, connection: Connected) {
        let since = Instant::now();
        let mut state = self.state();
        if !state.closed {
            state.idle.push(Idle { connection, since });
        }
    }

    /// A connection was thrown away.
    pub(super) fn doubt(&self) {
        self.state().doubted = Some(Instant::now());
    }

    pub(super) async fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.closed = true;
            mem::take(&mut state.idle)
        };
        for idle in idle {
            idle.connection.live.close().await;
        }
    }

    /// The one that was used last, and whether it may be used untested.
    fn pop(&self) -> Result<Option<(Connected, bool)>, SqlError> {
        let mut state = self.state();
        if state.closed {
            return Err(SqlError::Unavailable("the store is closed".into()));
        }
        let Some(Idle { connection, since }) = state.idle.pop() else {
            return Ok(None);
        };
        let doubted = state.doubted.is_some_and(|doubted| since <= doubted);
        Ok(Some((
            connection,
            !doubted && since.elapsed() < TRUSTED_FOR,
        )))
    }

    async fn part_from_the_old(&self) {
        let limits = &self.limits;
        let old = |idle: &mut Idle| {
            idle.since.elapsed() > limits.idle_timeout
                || idle.connection.made.elapsed() > limits.max_lifetime
        };
        let old: Vec<Idle> = self.state().idle.extract_if(.., old).collect();
        for idle in old {
            idle.connection.live.close().await;
        }
    }

    /// Nothing under the lock can be interrupted half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After this number of seconds the server gives up, too.
    pub(super) fn server_timeout(&self) -> u64 {
        self.limits.statement_timeout.as_secs().clamp(1, 86_400)
    }
}
