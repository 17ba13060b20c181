//! What goes into a database and what comes out, the same for all three.

use time::{Date, Month};

/// A value that is bound to a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Int(i64),
    /// A smaller number, for functions that take no larger one: PostgreSQL's `substring`.
    Small(i32),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A column's value.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// A point in time: seconds since 1970, UTC.
    Moment(i64),
    /// There is a value, but it cannot be read, and this is why. That affects the row, not the list.
    Unreadable(String),
}

impl Cell {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As text, for names and header fields.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Null | Self::Unreadable(_) => String::new(),
            Self::Int(number) | Self::Moment(number) => number.to_string(),
            Self::Text(text) => text,
            Self::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// As the octets of a message.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Null | Self::Int(_) | Self::Text(_) | Self::Moment(_) | Self::Unreadable(_) => {
                self.into_text().into_bytes()
            }
        }
    }
}

/// The type of a column, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
    Moment,
    /// It depends on the row (SQLite), or is not known.
    Any,
    /// Cannot be read here.
    Other,
}

/// A column that a statement returns.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// In lower case.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The database's own name of the type.
    pub(crate) type_name: String,
    /// Its table and column, unless it is an expression.
    pub(crate) origin: Option<(String, String)>,
}

/// Seconds since 1970 of a civil date and time, UTC. A day after the last of its month is one of the next; `None`
/// if there is no such month or year.
pub(crate) fn seconds_of(year: i32, month: u8, day: u8, seconds_of_day: i64) -> Option<i64> {
    let month = Month::try_from(month).ok()?;
    let first = Date::from_calendar_date(year, month, 1).ok()?;
    let first = first.midnight().assume_utc().unix_timestamp();
    Some(first + (i64::from(day) - 1) * 86_400 + seconds_of_day)
}

/// The message about a column that cannot be read.
pub(crate) fn unreadable(type_name: &str) -> String {
    format!("a column of the type {type_name} cannot be read: cast it to text or to an integer")
}
