//! How a setting is written, read and shown.
//!
//! Owns the text of a configuration with the place of everything in it, the forms of values, and the [`Row`] that
//! holds everything about one key. Knows no particular setting, and not what settings are for.

pub(crate) mod document;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod example;
pub(crate) mod names;
pub(crate) mod reference;
pub(crate) mod row;
pub(crate) mod syntax;
pub(crate) mod value;

pub(crate) use row::{Row, rows};
