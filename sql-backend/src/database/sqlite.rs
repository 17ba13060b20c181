//! SQLite: reading values.

use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, TypeInfo, ValueRef};

use crate::value::{Cell, Kind};

pub(super) fn cell(row: &SqliteRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let bytes = |value| <Vec<u8> as Decode<Sqlite>>::decode(value).map_err(sqlx::Error::Decode);
    // SQLite turns a number into text where text is asked for
    match kind(value.type_info().name()) {
        Kind::Int => <i64 as Decode<Sqlite>>::decode(value)
            .map(Cell::Int)
            .map_err(sqlx::Error::Decode),
        Kind::Bytes => bytes(value).map(Cell::Bytes),
        Kind::Text | Kind::Moment | Kind::Any | Kind::Other => {
            let text = String::from_utf8(bytes(value)?);
            Ok(text.map_or_else(|error| Cell::Bytes(error.into_bytes()), Cell::Text))
        }
    }
}

pub(super) fn kind(type_name: &str) -> Kind {
    match type_name {
        "INTEGER" | "BOOLEAN" => Kind::Int,
        "BLOB" => Kind::Bytes,
        _ => Kind::Any,
    }
}
