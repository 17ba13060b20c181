//! MySQL and MariaDB: connecting and reading values.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlValueRef};
use sqlx::{ConnectOptions, Decode, MySql, Row, TypeInfo, ValueRef};

use crate::value::{Cell, Kind, seconds_of, unreadable};

/// A connection on which the server gives up after this number of seconds.
pub(super) async fn connect(
    options: &MySqlConnectOptions,
    seconds: u64,
) -> sqlx::Result<MySqlConnection> {
    let mut connection = options.connect().await?;
    // MySQL and MariaDB know one of the two each
    for (set, limit) in [
        ("SET SESSION max_statement_time = ?", seconds),
        ("SET SESSION max_execution_time = ?", seconds * 1000),
    ] {
        let set = sqlx::query(set).bind(limit).persistent(false);
        match set.execute(&mut connection).await {
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(connection)
}

pub(super) fn cell(row: &MySqlRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_name = value.type_info().name().to_owned();
    let unsigned = type_name.ends_with("UNSIGNED");
    match kind(&type_name) {
        Kind::Int if type_name == "BIT" => bits(value),
        Kind::Int if unsigned => {
            let number = <u64 as Decode<MySql>>::decode(value).map_err(sqlx::Error::Decode)?;
            i64::try_from(number)
                .map(Cell::Int)
                .map_err(|error| sqlx::Error::Decode(error.into()))
        }
        Kind::Int => <i64 as Decode<MySql>>::decode(value)
            .map(Cell::Int)
            .map_err(sqlx::Error::Decode),
        Kind::Other if matches!(type_name.as_str(), "FLOAT" | "DOUBLE") => {
            <f64 as Decode<MySql>>::decode(value)
                .map(|number| Cell::Text(number.to_string()))
                .map_err(sqlx::Error::Decode)
        }
        kind @ (Kind::Bytes | Kind::Text | Kind::Moment | Kind::Any | Kind::Other) => {
            let bytes = <&[u8] as Decode<MySql>>::decode(value).map_err(sqlx::Error::Decode)?;
            match kind {
                Kind::Bytes => Ok(Cell::Bytes(bytes.to_vec())),
                Kind::Moment => Ok(moment(bytes)),
                Kind::Int | Kind::Text | Kind::Any => Ok(text(bytes)),
                Kind::Other => Err(sqlx::Error::Decode(unreadable(&type_name).into())),
            }
        }
    }
}

pub(super) fn kind(type_name: &str) -> Kind {
    match type_name {
        "BOOLEAN" | "YEAR" | "BIT" => Kind::Int,
        "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BINARY" | "VARBINARY" => Kind::Bytes,
        "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET"
        | "JSON" | "DECIMAL" => Kind::Text,
        "DATE" | "DATETIME" | "TIMESTAMP" => Kind::Moment,
        "NULL" => Kind::Any,
        _ if type_name.contains("INT") => Kind::Int,
        _ => Kind::Other,
    }
}

/// A flag, mostly: the most significant octet first.
fn bits(value: MySqlValueRef<'_>) -> Result<Cell, sqlx::Error> {
    let octets = <&[u8] as Decode<MySql>>::decode(value).map_err(sqlx::Error::Decode)?;
    let number = octets.iter().try_fold(0_i64, |number, octet| {
        number.checked_mul(256)?.checked_add(i64::from(*octet))
    });
    let too_large = || sqlx::Error::Decode("a BIT column holds more than 63 bits".into());
    number.map(Cell::Int).ok_or_else(too_large)
}

fn text(bytes: &[u8]) -> Cell {
    let text = String::from_utf8(bytes.to_vec());
    text.map_or_else(|error| Cell::Bytes(error.into_bytes()), Cell::Text)
}

/// Length, year, month, day, hour, minute, second: what is zero at the end may be missing. The session's
/// time zone is UTC.
fn moment(bytes: &[u8]) -> Cell {
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let year = u16::from_le_bytes([at(1), at(2)]);
    let time = i64::from(at(5)) * 3600 + i64::from(at(6)) * 60 + i64::from(at(7));
    match (at(3), at(4)) {
        (month, day @ 1..=31) => {
            let moment = seconds_of(i32::from(year), month, day, time);
            moment.map_or(Cell::Null, Cell::Moment)
        }
        _ => Cell::Null,
    }
}
