//! Rows in a database: SQLite or PostgreSQL, by the same statements. Whatever is written is on the disk when the
//! call returns.

mod accounts;
mod connection;
mod cursor;
mod file;
mod grants;
mod journal;
mod looked_up;
mod options;
mod pool;
mod schema;
mod sign_ins;
mod slips;
mod trouble;
mod work;

use std::sync::Arc;

use crate::engine::Stamp;
use crate::error::StateError;
use looked_up::LookedUp;
use pool::Pool;

pub(crate) use options::Options;

/// A database.
pub(crate) struct Sql {
    pool: Arc<Pool>,
    looked_up: LookedUp,
}

impl Sql {
    /// Opens what is there, whatever its stamp, or makes it with this one. The stamp that it has; older tables stay
    /// as they are until [`migrate`](Self::migrate). `place` is what errors call it.
    pub(crate) async fn open(
        options: Options,
        place: String,
        fresh: &Stamp,
    ) -> Result<(Self, Stamp), StateError> {
        if let Options::Sqlite(options) = &options {
            file::make_if_missing(options, fresh).await?;
        }
        let looked_up = LookedUp::new(&options);
        let pool = Arc::new(Pool::new(options, place));
        let stamp = schema::open(&pool, fresh).await?;
        Ok((Self { pool, looked_up }, stamp))
    }

    /// Brings older tables to this program's version.
    pub(crate) async fn migrate(&self) -> Result<(), StateError> {
        schema::migrate(&self.pool, &schema::STEPS).await
    }

    pub(crate) async fn stamp(&self) -> Result<Stamp, StateError> {
        schema::stamp(&self.pool).await
    }

    /// Puts another seal in the place of one, if it is still that one.
    pub(crate) async fn reseal_stamp(&self, old: &[u8], new: &[u8]) -> Result<bool, StateError> {
        schema::reseal(&self.pool, old, new).await
    }

    /// Removes all that is sealed, and puts another stamp in the place of one. How many grants were removed.
    pub(crate) async fn forget_sealed(&self, old: &[u8], new: &[u8]) -> Result<u64, StateError> {
        schema::forget_sealed(&self.pool, old, new).await
    }

    /// Closes what is idle. What is at work is closed when it comes back.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}
