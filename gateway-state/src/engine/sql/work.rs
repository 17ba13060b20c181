//! One piece of work: a transaction that writes, or a look. Dropped before its end, or after an error, it is taken
//! back with its connection.

use std::sync::Arc;
use std::time::Duration;

use async_lock::{MutexGuardArc, SemaphoreGuardArc};
use sqlx::SqlSafeStr;

use super::connection::Connection;
use super::cursor::{Mismatch, Row, Value};
use super::options::Options;
use super::pool::Pool;
use super::trouble;
use crate::error::StateError;
use database_link::timer;

/// How long a statement may take. The server gives up before.
const LIMIT: Duration = Duration::from_secs(30);

/// A look needs no transaction in SQLite. Elsewhere each statement needs one: behind a pooler its preparation and its
/// values could come to two servers otherwise.
const LOOK: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout TO '25s'";

/// A later upgrade from reading to writing could not wait for another writer.
const WRITE_SQLITE: &str = "BEGIN IMMEDIATE";

/// Each statement sees what was committed before it, and so a comparison and the change after it are one step. A server
/// may be set up to confirm what is not on its disk yet.
const WRITE_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout TO '25s'; \
    SET LOCAL synchronous_commit TO on";

/// A connection at work.
pub(super) struct Work {
    connection: Connection,
    pool: Arc<Pool>,
    /// Whether there is a transaction to end.
    transaction: bool,
    _turn: Option<MutexGuardArc<()>>,
    /// Given back after the connection.
    _permit: SemaphoreGuardArc,
}

impl Work {
    /// Begins a look: of one statement, so that it sees one moment.
    pub(super) async fn look(pool: &Arc<Pool>) -> Result<Self, StateError> {
        let begin = match pool.options {
            Options::Sqlite(_) => None,
            Options::Postgres(_) => Some(LOOK),
        };
        Self::begin(pool, None, begin).await
    }

    /// Begins a transaction that writes.
    pub(super) async fn write(pool: &Arc<Pool>) -> Result<Self, StateError> {
        let turn = pool.turn().await?;
        let begin = match pool.options {
            Options::Sqlite(_) => WRITE_SQLITE,
            Options::Postgres(_) => WRITE_POSTGRES,
        };
        Self::begin(pool, turn, Some(begin)).await
    }

    async fn begin(
        pool: &Arc<Pool>,
        turn: Option<MutexGuardArc<()>>,
        begin: Option<&'static str>,
    ) -> Result<Self, StateError> {
        let (connection, permit) = pool.take().await?;
        let mut work = Self {
            connection,
            pool: Arc::clone(pool),
            transaction: begin.is_some(),
            _turn: turn,
            _permit: permit,
        };
        if let Some(begin) = begin {
            work.plain(begin).await?;
        }
        Ok(work)
    }

    /// What the database calls the type of octets.
    pub(super) fn type_of_octets(&self) -> &'static str {
        match self.pool.options {
            Options::Sqlite(_) => "BLOB",
            Options::Postgres(_) => "BYTEA",
        }
    }

    /// Statements without parameters.
    pub(super) async fn plain(&mut self, sql: impl SqlSafeStr + Send) -> Result<(), StateError> {
        let done = timer::within(LIMIT, self.connection.plain(sql)).await;
        self.ended(done)
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StateError> {
        let done = timer::within(LIMIT, self.connection.execute(sql, values)).await;
        self.ended(done)
    }

    /// The rows that a statement returns, each read by `read`.
    pub(super) async fn rows<T>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        read: fn(&mut Row) -> Result<T, Mismatch>,
    ) -> Result<Vec<T>, StateError> {
        let done = timer::within(LIMIT, self.connection.rows(sql, values)).await;
        let rows = self.ended(done)?.into_iter();
        rows.map(|mut row| read(&mut row))
            .collect::<Result<_, _>>()
            .map_err(|error| trouble::mismatch(&self.pool.place, &error))
    }

    /// Ends it: what was written is there for good, and the connection free for others. After an error it is not known
    /// whether it is there.
    pub(super) async fn end(mut self) -> Result<(), StateError> {
        if self.transaction {
            self.plain("COMMIT").await?;
        }
        self.pool.put(self.connection);
        Ok(())
    }

    /// Closes the connection, and what it was about is taken back.
    pub(super) async fn give_up(self) {
        self.connection.close().await;
    }

    fn ended<T>(&self, done: Option<sqlx::Result<T>>) -> Result<T, StateError> {
        let done = done.ok_or_else(|| self.pool.late(LIMIT))?;
        done.map_err(|error| self.pool.error(error))
    }
}
