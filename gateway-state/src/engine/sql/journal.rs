//! What SQLite keeps beside a file, and whether the file is whole without it.
//!
//! Looks at lengths alone: a file is never opened here that SQLite may have open.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;

use crate::error::StateError;

/// Fails if the file is not as long as its pages, and nothing is beside it that would make it so.
pub(super) async fn check_length(
    options: &SqliteConnectOptions,
    pages: i64,
    page: i64,
) -> Result<(), StateError> {
    let path = options.get_filename().to_owned();
    let check = move || {
        let journal = fs::metadata(beside(&path, "-wal")).map_or(0, |metadata| metadata.len());
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let (pages, page) = (pages.unsigned_abs(), page.unsigned_abs().max(1));
        if journal == 0 && (!length.is_multiple_of(page) || length / page < pages) {
            return Err(StateError::Unreadable {
                place: path.display().to_string(),
                problem: format!("it has {length} octets of {}", pages * page),
            });
        }
        Ok(())
    };
    blocking::unblock(check).await
}

/// What SQLite keeps beside the file.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
