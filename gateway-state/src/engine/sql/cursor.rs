//! Values on their way into a database, and rows on their way out, whichever database it is.

use std::vec;

/// What is bound to a parameter.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(&'a [u8]),
}

/// What a column has.
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, read from left to right.
pub(super) struct Row(vec::IntoIter<Cell>);

/// A column is not of the type that it was made with.
#[derive(Debug, thiserror::Error)]
#[error("a column has a value of another type")]
pub(super) struct Mismatch;

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Bytes(octets)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

/// Times: databases have no larger ones.
impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        i64::try_from(number).unwrap_or(i64::MAX).into()
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Int(None), Self::from)
    }
}

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    pub(super) fn int(&mut self) -> Result<i64, Mismatch> {
        match self.0.next() {
            Some(Cell::Int(number)) => Ok(number),
            Some(Cell::Null | Cell::Text(_) | Cell::Bytes(_)) | None => Err(Mismatch),
        }
    }

    pub(super) fn time(&mut self) -> Result<u64, Mismatch> {
        self.int().map(|number| u64::try_from(number).unwrap_or(0))
    }

    pub(super) fn text(&mut self) -> Result<String, Mismatch> {
        self.maybe_text()?.ok_or(Mismatch)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Mismatch> {
        match self.0.next() {
            Some(Cell::Bytes(octets)) => Ok(octets),
            Some(Cell::Null | Cell::Text(_) | Cell::Int(_)) | None => Err(Mismatch),
        }
    }

    pub(super) fn maybe_time(&mut self) -> Result<Option<u64>, Mismatch> {
        match self.0.next() {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Int(number)) => Ok(Some(u64::try_from(number).unwrap_or(0))),
            Some(Cell::Text(_) | Cell::Bytes(_)) | None => Err(Mismatch),
        }
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, Mismatch> {
        match self.0.next() {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Int(_) | Cell::Bytes(_)) | None => Err(Mismatch),
        }
    }
}

/// Values for the parameters of a statement, from `$1` on.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::engine::sql::cursor::Value::from($value)),*] };
}
pub(super) use values;
