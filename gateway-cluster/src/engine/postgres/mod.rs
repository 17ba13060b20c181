//! The engine in PostgreSQL: rows of one table, that a batch is carried out on in the [`Ledger`].
//!
//! A batch is one transaction and two round trips: the first takes the cluster's lock and reads, the second writes and
//! commits. The table is not logged: what is in it ends with the processes that it is about, so nothing waits for a disk.
//! After a crash or a failover it is empty, as Redis is after a restart, and the nodes say again what they hold.

mod schema;
mod trouble;
mod waits;

use std::time::Duration;

use database_link::timer;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use super::{Common, Engine, Trouble};
use crate::ask::{Answer, Ask};
use crate::ledger::{BORN, FENCE, LEASES, Ledger, NODES, Row, Terms, rows_of};
use waits::Waits;

/// After so many batches, what has ended is removed.
const SWEEP: u32 = 64;

/// A connection to be, and one that is.
pub(crate) struct Postgres {
    options: PgConnectOptions,
    /// What all names begin with.
    prefix: String,
    /// For errors.
    place: String,
    waits: Option<Waits>,
    connection: Option<PgConnection>,
    batches: u32,
}

impl Postgres {
    pub(crate) fn new(options: PgConnectOptions, cluster: &str, place: String) -> Self {
        Self {
            options,
            prefix: format!("{cluster}/"),
            place,
            waits: None,
            connection: None,
            batches: 0,
        }
    }

    async fn connect(&self) -> Result<PgConnection, Trouble> {
        let trouble = |error| trouble::of(&self.place, error);
        let mut connection = self.options.connect().await.map_err(trouble)?;
        schema::open(&mut connection, &self.place).await?;
        Ok(connection)
    }

    async fn run(
        &self,
        connection: &mut PgConnection,
        common: &Common,
        asks: &[Ask],
        sweep: bool,
    ) -> Result<Vec<Answer>, Trouble> {
        let trouble = |error| trouble::of(&self.place, error);
        let begin = AssertSqlSafe(self.begin(common, asks));
        let rows = connection.fetch_all(sqlx::raw_sql(begin)).await;
        let (now, rows) = self.read(rows.map_err(trouble)?)?;
        let mut ledger = Ledger::load(rows);
        let terms = Terms {
            timing: common.timing,
            check: common.check,
            server: "",
            now,
        };
        let answers = asks.iter().map(|ask| ledger.answer(terms, ask)).collect();
        let end = AssertSqlSafe(self.end(ledger.take_changes(), sweep.then_some(now)));
        connection
            .execute(sqlx::raw_sql(end))
            .await
            .map_err(trouble)?;
        Ok(answers)
    }

    /// A transaction that reads what a batch is about. A node that is stopped in it holds up the others for less than they
    /// wait for an answer: none of them decides alone because of it.
    fn begin(&self, common: &Common, asks: &[Ask]) -> String {
        let patience = common.timing.answer.as_millis();
        let mut names = vec![BORN.to_owned(), NODES.into(), FENCE.into()];
        names.extend(asks.iter().flat_map(rows_of));
        names.sort();
        names.dedup();
        let names: Vec<String> = names.iter().map(|name| self.name(name)).collect();
        let (first, end) = (self.name(LEASES), self.name("lease;"));
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;
             SET LOCAL lock_timeout TO {patience};
             SET LOCAL statement_timeout TO {patience};
             SET LOCAL idle_in_transaction_session_timeout TO {idle};
             SELECT pg_advisory_xact_lock({LOCK}, hashtext({lock}));
             SELECT '', (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text, NULL::bigint
             UNION ALL SELECT name, value, until FROM gateway_cluster
             WHERE name IN ({names}) OR name >= {first} AND name < {end}",
            idle = patience / 2,
            lock = quoted(&self.prefix),
            names = names.join(", "),
        )
    }

    fn read(&self, rows: Vec<PgRow>) -> Result<(u64, Vec<(String, Row)>), Trouble> {
        let (mut now, mut read) = (0, Vec::new());
        for row in rows {
            // the lock's row has one column
            if row.len() != 3 {
                continue;
            }
            let columns = || -> sqlx::Result<(String, String, Option<i64>)> {
                Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
            };
            let (name, value, until) =
                columns().map_err(|error| trouble::of(&self.place, error))?;
            match name.strip_prefix(&self.prefix) {
                Some(name) => {
                    let until = until.map(|until| u64::try_from(until).unwrap_or_default());
                    read.push((name.to_owned(), Row { value, until }));
                }
                None => now = value.parse().unwrap_or_default(),
            }
        }
        Ok((now, read))
    }

    /// What has changed, and the end of the transaction.
    fn end(&self, changes: Vec<(String, Option<Row>)>, sweep: Option<u64>) -> String {
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        for (name, row) in changes {
            let name = self.name(&name);
            let Some(row) = row else {
                gone.push(name);
                continue;
            };
            let until = row
                .until
                .map_or_else(|| "NULL".into(), |until| until.to_string());
            put.push(format!("({name}, {}, {until})", quoted(&row.value)));
        }
        let mut sql = String::new();
        if !put.is_empty() {
            sql.push_str(&format!(
                "INSERT INTO gateway_cluster (name, value, until) VALUES {} ON CONFLICT (name)
                 DO UPDATE SET value = excluded.value, until = excluded.until;",
                put.join(", ")
            ));
        }
        if !gone.is_empty() {
            sql.push_str(&format!(
                "DELETE FROM gateway_cluster WHERE name IN ({});",
                gone.join(", ")
            ));
        }
        if let Some(now) = sweep {
            sql.push_str(&format!(
                "DELETE FROM gateway_cluster WHERE until <= {now};"
            ));
        }
        sql.push_str("COMMIT");
        sql
    }

    fn name(&self, name: &str) -> String {
        quoted(&format!("{}{name}", self.prefix))
    }
}

impl Engine for Postgres {
    fn answer(&mut self, common: &Common, asks: &[Ask]) -> Result<Vec<Answer>, Trouble> {
        let waits = match self.waits.take() {
            Some(waits) => waits,
            None => Waits::new().map_err(|error| Trouble::new(error.to_string()))?,
        };
        let known = self.connection.take();
        let sweep = self.batches.is_multiple_of(SWEEP);
        // a first connection makes tables, too
        let limit = match known.is_some() {
            true => common.timing.answer,
            false => common.timing.answer + CONNECT,
        };
        let work = async {
            let mut connection = match known {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answers = self.run(&mut connection, common, asks, sweep).await?;
            Ok((connection, answers))
        };
        let done = waits.run(timer::within(limit, work));
        self.waits = Some(waits);
        let (connection, answers) = done.unwrap_or_else(|| {
            let place = &self.place;
            Err(Trouble::new(format!("{place}: no answer in time")))
        })?;
        self.connection = Some(connection);
        self.batches = self.batches.wrapping_add(1);
        Ok(answers)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let (Some(waits), Some(connection)) = (self.waits.take(), self.connection.take()) {
            let _ = waits.run(timer::within(Duration::from_secs(1), connection.close()));
        }
    }
}

/// How much longer a first connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The clusters' locks among all others.
const LOCK: i32 = 4_915_403;

/// A text of this crate's own as a literal. There is nothing special in any: names are checked, the rest is made of
/// digits, digests and the marks between them.
fn quoted(text: &str) -> String {
    let plain = |octet: &char| octet.is_ascii_alphanumeric() || " .:;_@=-/".contains(*octet);
    let text: String = text.chars().filter(plain).collect();
    format!("'{text}'")
}
