//! How a setting is written, read and shown.
//!
//! Owns the text of a configuration with the place of everything in it, the forms of values, and the [`Row`] that
//! says of one key all that there is to say. Knows no setting itself, and nothing of what settings are for.

pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod names;
pub(crate) mod row;
pub(crate) mod value;

pub(crate) use row::{Row, rows};
