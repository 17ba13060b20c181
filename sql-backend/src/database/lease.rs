//! A connection that is leased from the pool, for one answer.

use std::sync::Arc;

use async_lock::SemaphoreGuardArc;
use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{
    Arguments as _, AssertSqlSafe, ColumnOrigin, Connection, Executor, Statement as _, TypeInfo,
};

use super::connection::{Connected, Live, within};
use super::pool::Pool;
use super::row::Row;
use super::{mysql, postgres, sqlite};
use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::statement::Statement;
use crate::value::{Cell, Column, Kind, Value};

/// A connection. Dropped while it works, or within a transaction, it is closed instead of going back.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connected>,
    /// Something was begun and is not finished.
    unsettled: bool,
    /// A transaction is open.
    transaction: bool,
    /// The permit; given back after the connection.
    _permit: SemaphoreGuardArc,
}

/// A value for each parameter that a statement may use.
pub(crate) type Values<'a> = [(&'a str, Value<'a>)];

/// A driver's arguments for a statement.
macro_rules! arguments {
    ($Arguments:ident, $statement:expr, $values:expr) => {{
        let mut arguments = $Arguments::default();
        for name in $statement.names() {
            match value_of(name, $values)? {
                Value::Int(number) => arguments.add(number),
                Value::Small(number) => arguments.add(number),
                Value::Text(text) => arguments.add(text),
                Value::Bytes(bytes) => arguments.add(bytes),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

impl Lease {
    pub(super) const fn new(
        pool: Arc<Pool>,
        connection: Connected,
        permit: SemaphoreGuardArc,
    ) -> Self {
        Self {
            pool,
            connection: Some(connection),
            unsettled: false,
            transaction: false,
            _permit: permit,
        }
    }

    /// Shows each row to `look`, one after the other; they are never all in memory.
    pub(crate) async fn each(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
        look: &mut (dyn FnMut(Row<'_>) -> sqlx::Result<()> + Send),
    ) -> Result<(), SqlError> {
        let alone = self.enter().await?;
        let timeout = self.pool.limits.statement_timeout;
        let sql = statement.sql();
        let kept = !self.is_shared();
        let live = self.begin_work()?;
        let result = within(timeout, async {
            match live {
                Live::Sqlite(connection) => {
                    let arguments = arguments!(SqliteArguments, statement, values);
                    let query = sqlx::query_with(sql, arguments);
                    let query = query.try_map(|row| look(Row::Sqlite(&row)));
                    query.fetch_all(&mut **connection).await.map(drop)
                }
                Live::MySql(connection) => {
                    let arguments = arguments!(MySqlArguments, statement, values);
                    let query = sqlx::query_with(sql, arguments);
                    let query = query.try_map(|row| look(Row::MySql(&row)));
                    query.fetch_all(&mut **connection).await.map(drop)
                }
                Live::Postgres(connection) => {
                    let arguments = arguments!(PgArguments, statement, values);
                    let query = sqlx::query_with(sql, arguments);
                    let query = query.persistent(kept);
                    let query = query.try_map(|row| look(Row::Postgres(&row)));
                    query.fetch_all(&mut **connection).await.map(drop)
                }
            }
        });
        let result = result.await;
        self.leave(alone, result).await
    }

    /// The first row's cells, if there is one.
    pub(crate) async fn first(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Option<Vec<(String, Cell)>>, SqlError> {
        let mut first = None;
        let mut look = |row: Row<'_>| {
            if first.is_none() {
                let names = row.names().into_iter().enumerate();
                let cells = names.map(|(index, name)| Ok((name, row.cell(index)?)));
                first = Some(cells.collect::<sqlx::Result<_>>()?);
            }
            Ok(())
        };
        self.each(statement, values, &mut look).await?;
        Ok(first)
    }

    /// The first column of the first row.
    pub(crate) async fn cell(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Option<Cell>, SqlError> {
        let row = self.first(statement, values).await?;
        Ok(row
            .and_then(|cells| cells.into_iter().next())
            .map(|(_, cell)| cell))
    }

    /// Carries out a statement; returns how many rows it changed.
    pub(crate) async fn execute(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<u64, SqlError> {
        let alone = self.enter().await?;
        let timeout = self.pool.limits.statement_timeout;
        let sql = statement.sql();
        let kept = !self.is_shared();
        let live = self.begin_work()?;
        let result = within(timeout, async {
            match live {
                Live::Sqlite(connection) => {
                    let arguments = arguments!(SqliteArguments, statement, values);
                    let result = sqlx::query_with(sql, arguments).execute(&mut **connection);
                    result.await.map(|result| result.rows_affected())
                }
                Live::MySql(connection) => {
                    let arguments = arguments!(MySqlArguments, statement, values);
                    let result = sqlx::query_with(sql, arguments).execute(&mut **connection);
                    result.await.map(|result| result.rows_affected())
                }
                Live::Postgres(connection) => {
                    let arguments = arguments!(PgArguments, statement, values);
                    let query = sqlx::query_with(sql, arguments).persistent(kept);
                    let result = query.execute(&mut **connection);
                    result.await.map(|result| result.rows_affected())
                }
            }
        });
        let result = result.await;
        self.leave(alone, result).await
    }

    /// Whether an error has made it useless.
    pub(crate) const fn is_spent(&self) -> bool {
        self.unsettled
    }

    /// Begins a transaction that writes what it has read. Another one that changes the same waits, or one of the
    /// two fails with a conflict.
    pub(crate) async fn begin_strictly(&mut self) -> Result<(), SqlError> {
        match self.pool.options.dialect() {
            Dialect::Sqlite => self.begin().await,
            Dialect::MySql => {
                self.plain("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE".into())
                    .await?;
                self.begin().await
            }
            Dialect::Postgres => self.open("BEGIN ISOLATION LEVEL REPEATABLE READ").await,
        }
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&mut self) -> Result<(), SqlError> {
        let begin = match self.pool.options.dialect() {
            // a later upgrade from reading to writing could not wait for another writer
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::MySql => "START TRANSACTION",
            Dialect::Postgres => "BEGIN",
        };
        self.open(begin).await
    }

    /// Ends the transaction. After an error it is not known whether it took effect.
    pub(crate) async fn commit(&mut self) -> Result<(), SqlError> {
        self.plain("COMMIT".into()).await?;
        self.transaction = false;
        Ok(())
    }

    /// Runs a statement of this crate, without parameters, unprepared.
    pub(crate) async fn plain(&mut self, sql: String) -> Result<(), SqlError> {
        let timeout = self.pool.limits.statement_timeout;
        // all of it comes from this crate
        let sql = AssertSqlSafe(sql);
        let live = self.begin_work()?;
        let result = within(timeout, async {
            match live {
                Live::Sqlite(connection) => connection.execute(sql).await.map(drop),
                Live::MySql(connection) => connection.execute(sql).await.map(drop),
                Live::Postgres(connection) => connection.execute(sql).await.map(drop),
            }
        });
        let result = result.await;
        self.end_work(result)
    }

    /// The columns that a statement returns, without running it. `values` tell the parameters' types.
    pub(crate) async fn columns(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<Column>, SqlError> {
        fn columns<C: sqlx::Column>(columns: &[C], kind: fn(&str) -> Kind) -> Vec<Column> {
            let column = |column: &C| Column {
                name: column.name().to_lowercase(),
                kind: kind(column.type_info().name()),
                type_name: column.type_info().name().to_owned(),
                origin: match column.origin() {
                    ColumnOrigin::Table(origin) => {
                        Some((origin.table.to_string(), origin.name.to_string()))
                    }
                    ColumnOrigin::Expression | ColumnOrigin::Unknown => None,
                },
            };
            columns.iter().map(column).collect()
        }
        let alone = self.enter().await?;
        let timeout = self.pool.limits.statement_timeout;
        let sql = statement.sql();
        let kept = !self.is_shared();
        let live = self.begin_work()?;
        let result = within(timeout, async {
            match live {
                Live::Sqlite(connection) => {
                    let prepared = connection.prepare(sql).await?;
                    Ok(columns(prepared.columns(), sqlite::kind))
                }
                Live::MySql(connection) => {
                    let prepared = connection.prepare(sql).await?;
                    Ok(columns(prepared.columns(), mysql::kind))
                }
                Live::Postgres(connection) => {
                    let types = statement.names().map(|name| value_of(name, values));
                    let types = types.map(|value| value.map(postgres::type_of));
                    let types = types.collect::<sqlx::Result<Vec<_>>>()?;
                    let prepared = connection.prepare_with(sql, &types).await?;
                    let columns = columns(prepared.columns(), postgres::kind);
                    if !kept {
                        connection.clear_cached_statements().await?;
                    }
                    Ok(columns)
                }
            }
        });
        let result = result.await;
        self.leave(alone, result).await
    }

    fn is_shared(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.shared)
    }

    /// On a shared connection each statement has a transaction of its own if none is open: otherwise another
    /// program's statement could come between its preparation and its values. Returns whether one was begun.
    async fn enter(&mut self) -> Result<bool, SqlError> {
        let alone = self.is_shared() && !self.transaction;
        if alone {
            self.open("BEGIN").await?;
        }
        Ok(alone)
    }

    async fn leave<T>(&mut self, alone: bool, result: Result<T, SqlError>) -> Result<T, SqlError> {
        let result = self.end_work(result)?;
        if alone {
            self.commit().await?;
        }
        Ok(result)
    }

    /// Opens a transaction.
    async fn open(&mut self, begin: &str) -> Result<(), SqlError> {
        self.transaction = true;
        if self.is_shared() {
            let timeout = postgres::timeout("SET LOCAL", self.pool.server_timeout());
            return self.plain(format!("{begin}; {timeout}")).await;
        }
        self.plain(begin.to_owned()).await
    }

    fn begin_work(&mut self) -> Result<&mut Live, SqlError> {
        let gone = || SqlError::Unavailable("the connection to the database was lost".into());
        if self.unsettled {
            return Err(gone());
        }
        self.unsettled = true;
        let connection = self.connection.as_mut();
        connection.map(|c| &mut c.live).ok_or_else(gone)
    }

    /// After an error the state is unknown: the connection is not used again.
    fn end_work<T>(&mut self, result: Result<T, SqlError>) -> Result<T, SqlError> {
        self.unsettled = result.is_err();
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.unsettled || self.transaction {
            self.pool.doubt();
        } else {
            self.pool.put(connection);
        }
    }
}

fn value_of<'a>(name: &str, values: &Values<'a>) -> sqlx::Result<Value<'a>> {
    let value = values.iter().find(|(known, _)| *known == name);
    // the names were checked when the statement was made
    let missing = || sqlx::Error::InvalidArgument(format!("there is no value for :{name}"));
    value.map(|(_, value)| *value).ok_or_else(missing)
}
