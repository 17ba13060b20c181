//! The private parts that the fuzz targets use. Compiled only with `cfg(fuzzing)`.

use std::path::Path;

use crate::passwd::folded;
use crate::table::{self, Found};

/// A file of accounts in the form that logins use.
pub struct Table(table::Table);

impl Table {
    /// Reads the text of a file.
    pub fn read(path: &Path, octets: Vec<u8>) -> Self {
        Self(table::Table::read(path, octets))
    }

    /// How many accounts can be logged in to.
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// Whether a line is wrong.
    pub fn has_faults(&self) -> bool {
        !self.0.faults().is_empty()
    }

    /// The maildrop of an account that is not off.
    pub fn maildrop(&self, name: &str) -> Option<String> {
        match self.0.find(&folded(name)) {
            Found::Account(entry) => Some(entry.maildrop().to_owned()),
            Found::Nobody | Found::Off { .. } => None,
        }
    }
}
