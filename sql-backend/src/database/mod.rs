//! One database of three kinds: a pool, and connections leased from it.
//!
//! It owns the pool, its limits and its timeouts, and hides which driver is behind. A [`Lease`] is held for
//! one answer only, never while a client is slow. A lease whose work was not finished, because its future
//! was dropped or the connection failed, is thrown away with its connection: nothing half-read and no open
//! transaction ever goes back into the pool. Nothing connects before the first lease is asked for.

mod lease;
mod mysql;
mod options;
mod pool;
mod postgres;
mod sqlite;
mod value;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use lease::{Lease, Row};
pub(crate) use options::Options;
pub(crate) use value::{Cell, Column, Kind, Value, seconds_of};

use crate::config::PoolLimits;
use crate::error::SqlError;
use pool::Pool;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    MySql,
    Postgres,
}

/// A database. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub(crate) struct Database(Arc<Pool>);

impl Database {
    pub(crate) fn new(options: Options, limits: PoolLimits) -> Self {
        Self(Arc::new(Pool::new(options, limits)))
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.0.options.dialect()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// A connection out of the pool, or a new one.
    pub(crate) async fn lease(&self) -> Result<Lease, SqlError> {
        self.0.lease().await
    }

    /// Closes what is idle, and what is leased when it comes back. Nothing is leased any more.
    pub(crate) async fn close(&self) {
        self.0.close().await;
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

/// What to say about a column that cannot be read.
fn unreadable(type_name: &str) -> String {
    format!("a column of the type {type_name} cannot be read: cast it to text or to an integer")
}
