//! A driver's connection: statements in, rows out. The only place that knows two drivers.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{
    Arguments, ColumnIndex, ConnectOptions as _, Connection as _, Decode, Encode, Executor as _,
    SqlSafeStr, Type, TypeInfo as _, ValueRef as _,
};

use super::cursor::{Cell, Row, Value};
use super::options::Options;
use database_link::timer;

/// How long a good-bye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection to one of them.
pub(super) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

impl Connection {
    pub(super) async fn open(options: &Options) -> sqlx::Result<Self> {
        Ok(match options {
            Options::Sqlite(options) => Self::Sqlite(Box::new(options.connect().await?)),
            Options::Postgres(options) => Self::Postgres(Box::new(options.connect().await?)),
        })
    }

    /// Statements without parameters.
    pub(super) async fn plain(&mut self, sql: impl SqlSafeStr + Send) -> sqlx::Result<()> {
        let sql = sqlx::raw_sql(sql);
        match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map(drop),
            Self::Postgres(connection) => connection.execute(sql).await.map(drop),
        }
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> sqlx::Result<u64> {
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(sql, arguments::<SqliteArguments>(values)?);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                let query =
                    sqlx::query_with(sql, arguments::<PgArguments>(values)?).persistent(false);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    /// The rows that a statement returns.
    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> sqlx::Result<Vec<Row>> {
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(sql, arguments::<SqliteArguments>(values)?);
                let query = query.try_map(|found: SqliteRow| row(&found));
                query.fetch_all(&mut **connection).await
            }
            Self::Postgres(connection) => {
                // prepared ones would be lost behind a pooler
                let query =
                    sqlx::query_with(sql, arguments::<PgArguments>(values)?).persistent(false);
                let query = query.try_map(|found: PgRow| row(&found));
                query.fetch_all(&mut **connection).await
            }
        }
    }

    pub(super) async fn answers(&mut self) -> bool {
        let answer = match self {
            Self::Sqlite(connection) => connection.ping().await,
            Self::Postgres(connection) => connection.ping().await,
        };
        answer.is_ok()
    }

    /// In good order, as far as the database takes part in it.
    pub(super) async fn close(self) {
        let close = async {
            match self {
                Self::Sqlite(connection) => connection.close().await,
                Self::Postgres(connection) => connection.close().await,
            }
        };
        timer::within(FAREWELL, close).await;
    }
}

fn arguments<'a, A: Arguments + Default>(values: &[Value<'a>]) -> sqlx::Result<A>
where
    Option<i64>: Encode<'a, A::Database> + Type<A::Database>,
    Option<&'a str>: Encode<'a, A::Database> + Type<A::Database>,
    &'a [u8]: Encode<'a, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    for value in values {
        match *value {
            Value::Int(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(octets) => arguments.add(octets),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn row<R: sqlx::Row>(row: &R) -> sqlx::Result<Row>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database>,
    for<'r> String: Decode<'r, R::Database>,
{
    let cell = |index| {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let name = value.type_info().name().to_owned();
        match name.as_str() {
            "INTEGER" | "INT8" => Decode::decode(value).map(Cell::Int),
            "BLOB" | "BYTEA" => Decode::decode(value).map(Cell::Bytes),
            _ => Decode::decode(value).map(Cell::Text),
        }
        .map_err(sqlx::Error::Decode)
    };
    let cells = (0..row.len()).map(cell).collect::<sqlx::Result<_>>();
    cells.map(Row::new)
}
