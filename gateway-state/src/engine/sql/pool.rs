//! The connections that wait for work. None is kept that something went wrong with, and nothing runs beside the
//! calls, so that any of them may be dropped anywhere.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_lock::{Mutex as AsyncMutex, MutexGuardArc, Semaphore, SemaphoreGuardArc};

use super::connection::Connection;
use super::options::Options;
use super::trouble;
use crate::error::StateError;
use database_link::timer;

/// The most connections at a time.
const CONNECTIONS: usize = 4;
/// How long to wait for one of them, for a new one, for the turn to write.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is asked whether it lives before it is used again.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Connections to one database.
pub(super) struct Pool {
    pub(super) options: Options,
    /// For errors.
    pub(super) place: String,
    permits: Arc<Semaphore>,
    /// SQLite has one writer at a time; who waits here does not poll for it.
    writer: Arc<AsyncMutex<()>>,
    state: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// And since when. The last used is used again first.
    connections: Vec<(Connection, Instant)>,
    closed: bool,
}

impl Pool {
    pub(super) fn new(options: Options, place: String) -> Self {
        Self {
            options,
            place,
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            writer: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// A connection, and the permit that is to be kept with it.
    pub(super) async fn take(&self) -> Result<(Connection, SemaphoreGuardArc), StateError> {
        let permit = self.patiently(self.permits.acquire_arc()).await?;
        while let Some((mut connection, since)) = self.pop()? {
            let trusted = since.elapsed() < TRUSTED_FOR;
            if trusted || timer::within(PATIENCE, connection.answers()).await == Some(true) {
                return Ok((connection, permit));
            }
        }
        let connection = self.patiently(Connection::open(&self.options)).await?;
        Ok((connection.map_err(|error| self.error(error))?, permit))
    }

    /// The turn to write, where only one can.
    pub(super) async fn turn(&self) -> Result<Option<MutexGuardArc<()>>, StateError> {
        match self.options {
            Options::Sqlite(_) => self.patiently(self.writer.lock_arc()).await.map(Some),
            Options::Postgres(_) => Ok(None),
        }
    }

    /// Takes a connection back that is as it was when it was lent.
    pub(super) fn put(&self, connection: Connection) {
        let mut idle = self.idle();
        if !idle.closed {
            idle.connections.push((connection, Instant::now()));
        }
    }

    /// Closes what is idle. What is at work is closed when it comes back.
    pub(super) async fn close(&self) {
        let connections = {
            let mut idle = self.idle();
            idle.closed = true;
            mem::take(&mut idle.connections)
        };
        for (connection, _) in connections {
            connection.close().await;
        }
    }

    pub(super) fn error(&self, error: sqlx::Error) -> StateError {
        trouble::error(&self.place, error)
    }

    pub(super) fn late(&self, limit: Duration) -> StateError {
        let place = &self.place;
        StateError::Unavailable(format!("{place}: no answer within {limit:?}"))
    }

    async fn patiently<T>(&self, wait: impl Future<Output = T>) -> Result<T, StateError> {
        let done = timer::within(PATIENCE, wait).await;
        done.ok_or_else(|| self.late(PATIENCE))
    }

    fn pop(&self) -> Result<Option<(Connection, Instant)>, StateError> {
        let mut idle = self.idle();
        if idle.closed {
            return Err(StateError::Unavailable("the state is closed".into()));
        }
        Ok(idle.connections.pop())
    }

    /// Nothing that is done under the lock can leave it half done.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
