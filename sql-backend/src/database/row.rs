//! A row of any of the databases.

use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::{mysql, postgres, sqlite};
use crate::value::Cell;

/// A row, while it is being looked at.
pub(crate) enum Row<'a> {
    Sqlite(&'a SqliteRow),
    MySql(&'a MySqlRow),
    Postgres(&'a PgRow),
}

impl Row<'_> {
    /// A value. One that cannot be read is [`Cell::Unreadable`]; `Err` means that there is no such column.
    pub(crate) fn cell(&self, index: usize) -> Result<Cell, sqlx::Error> {
        let cell = match self {
            Self::Sqlite(row) => sqlite::cell(row, index),
            Self::MySql(row) => mysql::cell(row, index),
            Self::Postgres(row) => postgres::cell(row, index),
        };
        match cell {
            Err(sqlx::Error::Decode(why)) => Ok(Cell::Unreadable(why.to_string())),
            cell => cell,
        }
    }

    /// The columns' names in lower case.
    pub(crate) fn names(&self) -> Vec<String> {
        use sqlx::Row as _;
        fn lower<C: sqlx::Column>(columns: &[C]) -> Vec<String> {
            columns.iter().map(|c| c.name().to_lowercase()).collect()
        }
        match self {
            Self::Sqlite(row) => lower(row.columns()),
            Self::MySql(row) => lower(row.columns()),
            Self::Postgres(row) => lower(row.columns()),
        }
    }
}
