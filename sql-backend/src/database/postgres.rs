//! PostgreSQL: connecting and reading values.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Decode, Executor, Postgres, Row, Type, TypeInfo, ValueRef,
};

use crate::value::{self, Cell, Kind, Value};

/// 2000-01-01, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800;

/// Asked for when a connection is made; the server's own value is 1, and no other client asks for this one.
const DIGITS: i8 = 3;

/// A connection, and whether it is shared: a pooler such as PgBouncer may run each transaction on another
/// connection to the server. Then the settings from the beginning do not hold. Nothing is prepared here,
/// because a shared connection would lose it.
pub(super) async fn connect(
    options: &PgConnectOptions,
    shared: bool,
    seconds: u64,
) -> sqlx::Result<(PgConnection, bool)> {
    let asking = options.clone().extra_float_digits(DIGITS);
    let (mut connection, refused) = match asking.connect().await {
        Err(sqlx::Error::Database(error)) if error.message().contains("startup parameter") => {
            let options = options.clone().extra_float_digits(None);
            (options.connect().await?, true)
        }
        connection => (connection?, false),
    };
    let question =
        "SELECT current_setting('extra_float_digits'), current_setting('server_encoding')";
    let answer = sqlx::raw_sql(question).fetch_one(&mut connection).await?;
    let (digits, encoding): (String, String) = (answer.try_get(0)?, answer.try_get(1)?);
    let shared = shared || refused || digits != DIGITS.to_string();
    if encoding == "SQL_ASCII" {
        // octets as they are: the server would refuse text that is not UTF-8
        connection
            .execute("SET client_encoding TO 'SQL_ASCII'")
            .await?;
    }
    if !shared {
        connection
            .execute(AssertSqlSafe(timeout("SET", seconds)))
            .await?;
    }
    Ok((connection, shared))
}

/// Makes the server give up, too: `SET`, or `SET LOCAL` for this transaction.
pub(super) fn timeout(set: &str, seconds: u64) -> String {
    format!("{set} statement_timeout TO '{seconds}s'")
}

/// The type that a bound value of this kind is announced as.
pub(super) fn type_of(value: Value<'_>) -> PgTypeInfo {
    match value {
        Value::Int(_) => <i64 as Type<Postgres>>::type_info(),
        Value::Small(_) => <i32 as Type<Postgres>>::type_info(),
        Value::Text(_) => <str as Type<Postgres>>::type_info(),
        Value::Bytes(_) => <[u8] as Type<Postgres>>::type_info(),
    }
}

pub(super) fn cell(row: &PgRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_name = value.type_info().name().to_owned();
    if matches!(type_name.as_str(), "FLOAT4" | "FLOAT8") {
        let number = if type_name == "FLOAT4" {
            <f32 as Decode<Postgres>>::decode(value).map(|number| number.to_string())
        } else {
            <f64 as Decode<Postgres>>::decode(value).map(|number| number.to_string())
        };
        return number.map(Cell::Text).map_err(sqlx::Error::Decode);
    }
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    let unreadable = || sqlx::Error::Decode(value::unreadable(&type_name).into());
    match kind(&type_name) {
        Kind::Int => integer(bytes).map(Cell::Int).ok_or_else(unreadable),
        Kind::Bytes => Ok(Cell::Bytes(bytes.to_vec())),
        Kind::Moment => moment(&type_name, bytes).ok_or_else(unreadable),
        Kind::Text if type_name == "UUID" => uuid(bytes).map(Cell::Text).ok_or_else(unreadable),
        Kind::Text | Kind::Any => {
            let text = String::from_utf8(bytes.to_vec());
            Ok(text.map_or_else(|error| Cell::Bytes(error.into_bytes()), Cell::Text))
        }
        Kind::Other => Err(unreadable()),
    }
}

pub(super) fn kind(type_name: &str) -> Kind {
    match type_name {
        "BOOL" | "INT2" | "INT4" | "INT8" => Kind::Int,
        "BYTEA" => Kind::Bytes,
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "JSON" | "UUID" | "FLOAT4"
        | "FLOAT8" | "citext" => Kind::Text,
        "TIMESTAMP" | "TIMESTAMPTZ" | "DATE" => Kind::Moment,
        _ => Kind::Other,
    }
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a] => Some(i64::from(a)),
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Some(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// Infinite times do not count.
fn moment(type_name: &str, bytes: &[u8]) -> Option<Cell> {
    let count = integer(bytes)?;
    if matches!(count, i64::MIN | i64::MAX) {
        return Some(Cell::Null);
    }
    let seconds = match type_name {
        "DATE" if matches!(count, -2_147_483_648 | 2_147_483_647) => return Some(Cell::Null),
        "DATE" => count * 86_400,
        _ => count.div_euclid(1_000_000),
    };
    Some(Cell::Moment(EPOCH + seconds))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    use std::fmt::Write;
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let mut text = String::with_capacity(36);
    for (at, octet) in bytes.iter().enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) {
            "-"
        } else {
            ""
        };
        // writing to a String cannot fail
        let _ = write!(text, "{dash}{octet:02x}");
    }
    Some(text)
}
