//! One database of three kinds: a pool, and connections leased from it.
//!
//! It owns the pool, its limits and its timeouts, and hides which driver is behind. A [`Lease`] is held for
//! one answer only, never while a client is slow. A lease whose work was not finished, because its future
//! was dropped or the connection failed, is thrown away with its connection: nothing half-read and no open
//! transaction ever goes back into the pool. Nothing connects before the first lease is asked for.

mod lease;
mod mysql;
mod options;
mod postgres;
mod sqlite;
mod value;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{Connection as _, MySqlPool, PgPool, SqlitePool};

pub(crate) use lease::{Lease, Row};
pub(crate) use options::Options;
pub(crate) use value::{Cell, Column, Kind, Value, seconds_of};

use crate::config::PoolLimits;
use crate::error::SqlError;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    MySql,
    Postgres,
}

/// A database. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub(crate) struct Database(Arc<Inner>);

struct Inner {
    options: Options,
    limits: PoolLimits,
    /// Made with the first lease, and so within the runtime that its tasks need.
    pool: OnceLock<Pool>,
}

enum Pool {
    Sqlite(SqlitePool),
    MySql(MySqlPool),
    Postgres(PgPool),
}

/// An idle connection is asked whether it lives before it is used again.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

impl Database {
    pub(crate) fn new(options: Options, limits: PoolLimits) -> Self {
        Self(Arc::new(Inner {
            options,
            limits,
            pool: OnceLock::new(),
        }))
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.0.options.dialect()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// A connection out of the pool, or a new one.
    pub(crate) async fn lease(&self) -> Result<Lease, SqlError> {
        let timeout = self.0.limits.statement_timeout;
        let lease = match self.0.pool.get_or_init(|| self.0.make_pool()) {
            Pool::Sqlite(pool) => pool.acquire().await.map(|c| Lease::sqlite(c, timeout)),
            Pool::MySql(pool) => pool.acquire().await.map(|c| Lease::mysql(c, timeout)),
            Pool::Postgres(pool) => pool.acquire().await.map(|c| Lease::postgres(c, timeout)),
        };
        match lease {
            Ok(lease) => Ok(lease),
            Err(sqlx::Error::PoolTimedOut) => Err(self.out_of_connections()),
            Err(error) => Err(error.into()),
        }
    }

    /// One connection past the pool, to learn why there is none: the pool waits for a server that does not
    /// answer, and then only says that it waited.
    pub(crate) async fn probe(&self) -> Result<(), SqlError> {
        if let Options::Sqlite(options) = &self.0.options {
            let file = options.get_filename().to_owned();
            let there = file.clone();
            if !blocking::unblock(move || there.exists()).await {
                return Err(SqlError::Schema(format!(
                    "there is no file {}: migrate creates it, with the tool's own tables",
                    file.display()
                )));
            }
        }
        let connected = within(self.0.limits.acquire_timeout, async {
            match &self.0.options {
                Options::Sqlite(options) => {
                    sqlx::SqliteConnection::connect_with(options)
                        .await?
                        .close()
                        .await
                }
                Options::MySql(options) => {
                    sqlx::MySqlConnection::connect_with(options)
                        .await?
                        .close()
                        .await
                }
                Options::Postgres(options) => {
                    sqlx::PgConnection::connect_with(options)
                        .await?
                        .close()
                        .await
                }
            }
        });
        connected.await
    }

    /// Closes what is idle, and what is leased when it comes back.
    pub(crate) async fn close(&self) {
        match self.0.pool.get() {
            Some(Pool::Sqlite(pool)) => pool.close().await,
            Some(Pool::MySql(pool)) => pool.close().await,
            Some(Pool::Postgres(pool)) => pool.close().await,
            None => {}
        }
    }

    fn out_of_connections(&self) -> SqlError {
        let (open, idle) = match self.0.pool.get() {
            Some(Pool::Sqlite(pool)) => (pool.size(), pool.num_idle()),
            Some(Pool::MySql(pool)) => (pool.size(), pool.num_idle()),
            Some(Pool::Postgres(pool)) => (pool.size(), pool.num_idle()),
            None => (0, 0),
        };
        let waited = self.0.limits.acquire_timeout;
        SqlError::Unavailable(format!(
            "no connection to the database within {waited:?}: {open} of {} are open, {idle} idle; \
             the server does not answer, or max_connections is too small",
            self.0.limits.max_connections
        ))
    }
}

/// Runs something on a connection for so long at most.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, SqlError> {
    // the timer of whatever runtime the connection lives on; nothing public in sqlx gives it
    match sqlx::__rt::timeout(limit, work).await {
        Ok(result) => result.map_err(SqlError::from),
        Err(_) => Err(SqlError::Unavailable(format!(
            "the database did not answer within {limit:?}"
        ))),
    }
}

impl Inner {
    fn make_pool(&self) -> Pool {
        let seconds = self.limits.statement_timeout.as_secs().clamp(1, 86_400);
        match &self.options {
            Options::Sqlite(options) => {
                let pool = self.pool_options();
                Pool::Sqlite(pool.connect_lazy_with((**options).clone()))
            }
            Options::MySql(options) => {
                let pool = self.pool_options::<sqlx::MySql>();
                let pool = pool.after_connect(move |connection, _| {
                    Box::pin(async move {
                        // so that the server, too, gives up; each kind of it knows one of the two
                        let limits = [
                            ("SET SESSION max_statement_time = ?", seconds),
                            ("SET SESSION max_execution_time = ?", seconds * 1000),
                        ];
                        for (set, limit) in limits {
                            match sqlx::query(set).bind(limit).execute(&mut *connection).await {
                                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                                Err(error) => return Err(error),
                            }
                        }
                        Ok(())
                    })
                });
                Pool::MySql(pool.connect_lazy_with((**options).clone()))
            }
            Options::Postgres(options) => {
                let pool = self.pool_options::<sqlx::Postgres>();
                let pool = pool.after_connect(move |connection, _| {
                    Box::pin(async move {
                        let set = sqlx::query("SELECT set_config('statement_timeout', $1, false)");
                        set.bind(format!("{seconds}s")).execute(connection).await?;
                        Ok(())
                    })
                });
                Pool::Postgres(pool.connect_lazy_with((**options).clone()))
            }
        }
    }

    fn pool_options<DB: sqlx::Database>(&self) -> PoolOptions<DB> {
        PoolOptions::new()
            .max_connections(self.limits.max_connections.max(1))
            .min_connections(0)
            .acquire_timeout(self.limits.acquire_timeout)
            .idle_timeout(self.limits.idle_timeout)
            .max_lifetime(self.limits.max_lifetime)
            .test_before_acquire(false)
            .before_acquire(|connection: &mut DB::Connection, state| {
                Box::pin(async move {
                    if state.idle_for > TRUSTED_FOR {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
    }
}

/// What to say about a column that cannot be read.
fn unreadable(type_name: &str) -> String {
    format!("a column of the type {type_name} cannot be read: cast it to text or to an integer")
}
