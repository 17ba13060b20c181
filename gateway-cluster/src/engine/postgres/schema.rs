//! The tables, and how they come to be.
//!
//! | table | holds |
//! |---|---|
//! | `gateway_cluster_version` | one row: the version |
//! | `gateway_cluster` | the rows of the ledger, each under the name of its cluster |
//!
//! A step is never changed once it was released; a new one is added at the end.

use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row as _};

use super::super::Trouble;
use super::trouble;

const STEPS: [&str; 1] = ["CREATE UNLOGGED TABLE gateway_cluster (
        name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,
        value TEXT NOT NULL,
        until BIGINT)"];

/// The oldest version of the server.
const OLDEST: i32 = 100_000;

/// One at a time makes tables, whichever process it is in.
const ALONE: &str = "SELECT pg_advisory_xact_lock(4915404)";

/// Looks whether this is a server that a cluster can use, and makes or brings up to date what is missing.
pub(super) async fn open(connection: &mut PgConnection, place: &str) -> Result<(), Trouble> {
    let trouble = |error| trouble::of(place, error);
    let look = "SELECT pg_is_in_recovery(), current_setting('server_version_num')::int,
        to_regclass('gateway_cluster_version') IS NOT NULL";
    let row = connection.fetch_one(sqlx::raw_sql(look)).await;
    let row = row.map_err(trouble)?;
    let columns = || -> sqlx::Result<(bool, i32, bool)> {
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    };
    let (replica, version, made) = columns().map_err(trouble)?;
    if replica {
        return Err(Trouble::lasting(format!("{place}: {}", trouble::READ_ONLY)));
    }
    if version < OLDEST {
        return Err(Trouble::lasting(format!(
            "{place}: version {} is too old: a cluster needs PostgreSQL 10 or newer",
            version / 10_000
        )));
    }
    if made && version_of(connection, place).await? == STEPS.len() {
        return Ok(());
    }
    let begin = format!(
        "BEGIN; {ALONE}; CREATE TABLE IF NOT EXISTS gateway_cluster_version (version BIGINT NOT NULL)"
    );
    connection
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(begin)))
        .await
        .map_err(trouble)?;
    let done = version_of(connection, place).await?;
    if done > STEPS.len() {
        return Err(Trouble::lasting(format!(
            "{place}: its tables are of version {done}, and this program knows {} only: update this node",
            STEPS.len()
        )));
    }
    for step in &STEPS[done..] {
        connection
            .execute(sqlx::raw_sql(*step))
            .await
            .map_err(trouble)?;
    }
    let end = format!(
        "DELETE FROM gateway_cluster_version; INSERT INTO gateway_cluster_version VALUES ({}); COMMIT",
        STEPS.len()
    );
    let end = sqlx::raw_sql(sqlx::AssertSqlSafe(end));
    connection.execute(end).await.map_err(trouble)?;
    Ok(())
}

/// How many steps were made.
async fn version_of(connection: &mut PgConnection, place: &str) -> Result<usize, Trouble> {
    let look = sqlx::raw_sql("SELECT coalesce(max(version), 0) FROM gateway_cluster_version");
    let row = connection.fetch_one(look).await;
    let version = row.and_then(|row| row.try_get::<i64, _>(0));
    let version = version.map_err(|error| trouble::of(place, error))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
