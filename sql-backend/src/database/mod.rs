//! One database of three kinds: a pool, and connections leased from it.
//!
//! It owns the pool, its limits and its timeouts, and hides which driver it uses. A [`Lease`] is held for
//! one answer only, never while a client is slow. A lease whose work was not finished, because its future
//! was dropped or the connection failed, is thrown away with its connection: nothing half-read and no open
//! transaction ever goes back into the pool. Nothing connects before the first lease is asked for.

mod connection;
mod lease;
mod mysql;
mod options;
mod pool;
mod postgres;
mod row;
mod sqlite;

use std::sync::Arc;

pub(crate) use lease::Lease;
pub(crate) use options::Options;
pub(crate) use row::Row;

use crate::config::PoolLimits;
use crate::dialect::Dialect;
use crate::error::SqlError;
use pool::Pool;

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

    /// A connection from the pool, or a new one.
    pub(crate) async fn lease(&self) -> Result<Lease, SqlError> {
        let (connection, permit) = self.0.take().await?;
        Ok(Lease::new(Arc::clone(&self.0), connection, permit))
    }

    /// Closes idle connections, and leased ones when they come back. Nothing is leased any more.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}
