//! The tables, and how they come to be.
//!
//! | table | holds |
//! |---|---|
//! | `gateway_state` | one row: the version, the state's id, a seal that only its keys open |
//! | `gateway_grants` | a row for each grant: what [`GrantSummary`](crate::GrantSummary) has, and the sealed tokens |
//! | `gateway_accounts` | a row for each account |
//! | `gateway_sign_ins` | a row for each sign-in under way, by the digest of its key |
//! | `gateway_slips` | a row for each slip, by the digest of its key |
//!
//! A step is never changed once it was released; a new one is added at the end. All steps that a program makes are
//! one transaction. Names are folded where they are compared.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnectOptions;

use super::cursor::values;
use super::journal;
use super::options::Options;
use super::pool::Pool;
use super::work::Work;
use crate::engine::Stamp;
use crate::error::StateError;

/// What leads from one version to the next. `{octets}` is the type of octets, which has two names.
pub(super) type Step = &'static [&'static str];

pub(super) const STEPS: [Step; 3] = [TABLES, SLIPS, NETWORKS];

const TABLES: Step = &[
    "CREATE TABLE gateway_state (
        version BIGINT NOT NULL,
        id TEXT NOT NULL,
        sealed {octets} NOT NULL)",
    "CREATE TABLE gateway_grants (
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        issuer TEXT NOT NULL,
        client TEXT NOT NULL,
        version BIGINT NOT NULL,
        access_expires BIGINT NOT NULL,
        ended TEXT,
        ended_at BIGINT,
        obtained BIGINT NOT NULL,
        refreshed BIGINT NOT NULL,
        used BIGINT NOT NULL,
        sealed {octets} NOT NULL,
        PRIMARY KEY (name, owner))",
    "CREATE TABLE gateway_accounts (
        folded TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        mailbox TEXT NOT NULL,
        mailbox_folded TEXT NOT NULL,
        place TEXT NOT NULL,
        owner TEXT,
        credential TEXT NOT NULL,
        access TEXT NOT NULL,
        networks TEXT NOT NULL,
        expires BIGINT,
        enabled BIGINT NOT NULL,
        label TEXT NOT NULL,
        created BIGINT NOT NULL,
        used BIGINT)",
    "CREATE INDEX gateway_accounts_mailbox ON gateway_accounts (mailbox_folded)",
    "CREATE TABLE gateway_sign_ins (
        digest {octets} NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        sealed {octets} NOT NULL,
        created BIGINT NOT NULL,
        expires BIGINT NOT NULL)",
    "CREATE INDEX gateway_sign_ins_owner ON gateway_sign_ins (name, owner)",
    "CREATE INDEX gateway_sign_ins_expires ON gateway_sign_ins (expires)",
];

const SLIPS: Step = &[
    "CREATE TABLE gateway_slips (
        digest {octets} NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        sealed {octets} NOT NULL,
        created BIGINT NOT NULL,
        expires BIGINT NOT NULL)",
    "CREATE INDEX gateway_slips_kind ON gateway_slips (kind, expires)",
];

/// A flood of sign-ins is not to make each of them slower.
const NETWORKS: Step = &[
    "ALTER TABLE gateway_sign_ins ADD COLUMN network TEXT",
    "CREATE INDEX gateway_sign_ins_network ON gateway_sign_ins (network, created)",
    "CREATE INDEX gateway_sign_ins_early ON gateway_sign_ins ((created - (expires - created)))",
];

/// Reads the stamp of what is there. Where there are no tables in a server's database, they are made, with this one.
pub(super) async fn open(pool: &Arc<Pool>, fresh: &Stamp) -> Result<Stamp, StateError> {
    if let Options::Sqlite(options) = &pool.options {
        // before anything is written beside it
        let mut work = Work::look(pool).await?;
        match check_file(pool, &mut work, options).await {
            Ok(()) => work.end().await?,
            Err(error) => {
                work.give_up().await;
                return Err(error);
            }
        }
    }
    // refused here if nothing can be written
    let mut work = Work::write(pool).await?;
    if let Options::Postgres(_) = pool.options {
        work.plain(ALONE).await?;
        let tables =
            "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('gateway_state')";
        if one(&mut work, tables).await? == 0 {
            make(&mut work, fresh).await?;
        }
    }
    let version = version(pool, &mut work).await?;
    refuse_newer(pool, version, STEPS.len())?;
    let stamp = read_stamp(pool, &mut work).await?;
    work.end().await?;
    Ok(stamp)
}

/// Fails unless the file is a state, and all of it.
async fn check_file(
    pool: &Pool,
    work: &mut Work,
    options: &SqliteConnectOptions,
) -> Result<(), StateError> {
    let pages = one(work, "PRAGMA page_count").await?;
    let page = one(work, "PRAGMA page_size").await?;
    journal::check_length(options, pages, page).await?;
    let words = work
        .rows("PRAGMA quick_check(1)", &[], |row| row.text())
        .await?;
    if words.iter().any(|words| words != "ok") {
        return Err(unreadable(pool, words.join("; ")));
    }
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'gateway_state'";
    if one(work, tables).await? == 0 {
        return Err(unreadable(
            pool,
            "it is the database of another program".into(),
        ));
    }
    Ok(())
}

pub(super) async fn stamp(pool: &Arc<Pool>) -> Result<Stamp, StateError> {
    let mut work = Work::look(pool).await?;
    let stamp = read_stamp(pool, &mut work).await?;
    work.end().await?;
    Ok(stamp)
}

/// Makes all tables.
pub(super) async fn make(work: &mut Work, stamp: &Stamp) -> Result<(), StateError> {
    for step in STEPS {
        apply(work, step).await?;
    }
    let insert = "INSERT INTO gateway_state (version, id, sealed) VALUES ($1, $2, $3)";
    let version = STEPS.len() as i64;
    let values = values![version, stamp.id.as_str(), stamp.sealed.as_slice()];
    work.execute(insert, values).await.map(drop)
}

/// Brings older tables to the version after the last of these steps.
pub(super) async fn migrate(pool: &Arc<Pool>, steps: &[Step]) -> Result<(), StateError> {
    let mut work = Work::write(pool).await?;
    if let Options::Postgres(_) = pool.options {
        work.plain(ALONE).await?;
    }
    let version = version(pool, &mut work).await?;
    refuse_newer(pool, version, steps.len())?;
    let done = usize::try_from(version).unwrap_or_default();
    for step in &steps[done..] {
        apply(&mut work, step).await?;
    }
    if done < steps.len() {
        let set = "UPDATE gateway_state SET version = $1";
        work.execute(set, values![steps.len() as i64]).await?;
    }
    work.end().await
}

pub(super) async fn reseal(pool: &Arc<Pool>, old: &[u8], new: &[u8]) -> Result<bool, StateError> {
    let mut work = Work::write(pool).await?;
    let update = "UPDATE gateway_state SET sealed = $2 WHERE sealed = $1";
    let changed = work.execute(update, values![old, new]).await?;
    work.end().await?;
    Ok(changed == 1)
}

pub(super) async fn forget_sealed(
    pool: &Arc<Pool>,
    old: &[u8],
    new: &[u8],
) -> Result<u64, StateError> {
    let mut work = Work::write(pool).await?;
    let update = "UPDATE gateway_state SET sealed = $2 WHERE sealed = $1";
    if work.execute(update, values![old, new]).await? != 1 {
        let problem = format!("{}: somebody else changes its key now", pool.place);
        return Err(StateError::Unavailable(problem));
    }
    work.execute("DELETE FROM gateway_sign_ins", &[]).await?;
    if version(pool, &mut work).await? > 1 {
        work.execute("DELETE FROM gateway_slips", &[]).await?;
    }
    let grants = work.execute("DELETE FROM gateway_grants", &[]).await?;
    work.end().await?;
    Ok(grants)
}

/// One at a time makes tables, whichever process it is in.
const ALONE: &str = "SELECT pg_advisory_xact_lock(4915402)";

async fn apply(work: &mut Work, step: Step) -> Result<(), StateError> {
    let octets = work.type_of_octets();
    for statement in step {
        // a constant, with a constant in it
        let statement = AssertSqlSafe(statement.replace("{octets}", octets));
        work.plain(statement).await?;
    }
    Ok(())
}

async fn read_stamp(pool: &Pool, work: &mut Work) -> Result<Stamp, StateError> {
    let rows = work.rows("SELECT id, sealed FROM gateway_state", &[], |row| {
        let (id, sealed) = (row.text()?, row.bytes()?);
        Ok(Stamp { id, sealed })
    });
    let missing = || unreadable(pool, "its own row is missing".into());
    rows.await?.pop().ok_or_else(missing)
}

async fn version(pool: &Pool, work: &mut Work) -> Result<i64, StateError> {
    let rows = work.rows("SELECT version FROM gateway_state", &[], |row| row.int());
    match rows.await?[..] {
        [version] => Ok(version),
        _ => Err(unreadable(
            pool,
            "its own row is missing, or there are several".into(),
        )),
    }
}

/// The one number that a statement gives.
async fn one(work: &mut Work, sql: &'static str) -> Result<i64, StateError> {
    let rows = work.rows(sql, &[], |row| row.int()).await?;
    Ok(rows.first().copied().unwrap_or_default())
}

fn refuse_newer(pool: &Pool, version: i64, known: usize) -> Result<(), StateError> {
    let known = known as i64;
    if version > known {
        return Err(StateError::Newer {
            place: pool.place.clone(),
            found: version,
            known,
        });
    }
    Ok(())
}

fn unreadable(pool: &Pool, problem: String) -> StateError {
    StateError::Unreadable {
        place: pool.place.clone(),
        problem,
    }
}

#[cfg(test)]
mod tests;
