//! The connections that wait for work, and how new ones are made.
//!
//! sqlx has a pool of its own. This one is for servers that must not hang: a database that refuses is known
//! at once and by its own words, nothing waits without a limit, nothing is asked when a connection comes
//! back, and no task runs beside, so that anything may be dropped anywhere.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_lock::{Semaphore, SemaphoreGuardArc};
use sqlx::{ConnectOptions, Connection, MySqlConnection, PgConnection, SqliteConnection};

use super::{Lease, Options, postgres, within};
use crate::config::PoolLimits;
use crate::error::SqlError;

/// Connections to one database.
pub(super) struct Pool {
    pub(super) options: Options,
    pub(super) limits: PoolLimits,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last used is used again first.
    idle: Vec<Idle>,
    /// When a connection last failed: those that were idle then may have failed with it.
    doubted: Option<Instant>,
    closed: bool,
}

struct Idle {
    connection: Connected,
    since: Instant,
}

/// A connection and its age.
pub(super) struct Connected {
    pub(super) live: Live,
    /// Each transaction may be carried out by another connection to the server: nothing that is prepared or
    /// set lasts longer.
    pub(super) shared: bool,
    made: Instant,
}

/// A driver's connection.
pub(super) enum Live {
    Sqlite(Box<SqliteConnection>),
    MySql(Box<MySqlConnection>),
    Postgres(Box<PgConnection>),
}

/// A connection that was idle for longer is asked whether it lives before it is used again.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How long a good-bye may take.
const FAREWELL: Duration = Duration::from_secs(1);

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

    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, SqlError> {
        let limit = self.limits.acquire_timeout;
        let permit = sqlx::__rt::timeout(limit, self.permits.acquire_arc()).await;
        let permit = permit.map_err(|_| {
            SqlError::Unavailable(format!(
                "all {} connections to the database were in use for {limit:?}: max_connections is too \
                 small, or the database too slow",
                self.limits.max_connections
            ))
        })?;
        self.part_from_the_old().await;
        while let Some((mut connection, trusted)) = self.pop()? {
            if trusted || connection.live.answers(limit).await {
                return Ok(self.lend(connection, permit));
            }
        }
        let (live, shared) = within(limit, self.connect()).await?;
        let made = Instant::now();
        let connection = Connected { live, shared, made };
        Ok(self.lend(connection, permit))
    }

    /// Takes a connection back that is as it was when it was lent.
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

    fn lend(self: &Arc<Self>, connection: Connected, permit: SemaphoreGuardArc) -> Lease {
        Lease::new(Arc::clone(self), connection, permit)
    }

    /// The last used, and whether it may be used unasked.
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

    /// Nothing that is done under the lock can leave it half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After so many seconds the server, too, gives up.
    pub(super) fn server_timeout(&self) -> u64 {
        self.limits.statement_timeout.as_secs().clamp(1, 86_400)
    }

    /// A connection, and whether it is shared.
    async fn connect(&self) -> sqlx::Result<(Live, bool)> {
        let seconds = self.server_timeout();
        match &self.options {
            Options::Sqlite(options) => {
                let connection = options.connect().await?;
                Ok((Live::Sqlite(Box::new(connection)), false))
            }
            Options::MySql(options) => {
                let mut connection = options.connect().await?;
                // each kind of it knows one of the two
                for (set, limit) in [
                    ("SET SESSION max_statement_time = ?", seconds),
                    ("SET SESSION max_execution_time = ?", seconds * 1000),
                ] {
                    let set = sqlx::query(set).bind(limit).persistent(false);
                    match set.execute(&mut connection).await {
                        Ok(_) | Err(sqlx::Error::Database(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok((Live::MySql(Box::new(connection)), false))
            }
            Options::Postgres(options, shared) => {
                let (connection, shared) = postgres::connect(options, *shared, seconds).await?;
                Ok((Live::Postgres(Box::new(connection)), shared))
            }
        }
    }
}

impl Live {
    async fn answers(&mut self, limit: Duration) -> bool {
        let ping = async {
            match self {
                Self::Sqlite(connection) => connection.ping().await,
                Self::MySql(connection) => connection.ping().await,
                Self::Postgres(connection) => connection.ping().await,
            }
        };
        within(limit, ping).await.is_ok()
    }

    /// In good order, if the database takes part in it.
    async fn close(self) {
        let close = async {
            match self {
                Self::Sqlite(connection) => connection.close().await,
                Self::MySql(connection) => connection.close().await,
                Self::Postgres(connection) => connection.close().await,
            }
        };
        let _ = within(FAREWELL, close).await;
    }
}
