//! The file of an SQLite database: made whole or not at all, and looked at before anything is believed of it.
//!
//! A file is never opened here that SQLite may have open: closing it would drop the locks that this process has on
//! it.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;

use super::journal::beside;
use super::options::Options;
use super::pool::Pool;
use super::schema;
use super::work::Work;
use crate::engine::Stamp;
use crate::error::StateError;

/// Makes the file, for its owner alone, if there is none. Of several who do that at once one makes it. A process that
/// is killed meanwhile leaves a file of another name, and no half a state.
pub(super) async fn make_if_missing(
    options: &SqliteConnectOptions,
    fresh: &Stamp,
) -> Result<(), StateError> {
    let path = options.get_filename().to_owned();
    let there = {
        let path = path.clone();
        blocking::unblock(move || look(&path)).await?
    };
    if there {
        return Ok(());
    }
    let folder = folder_of(&path).to_owned();
    let unmade = |error: io::Error| {
        StateError::Unavailable(format!("{} cannot be made: {error}", path.display()))
    };
    let new = {
        let folder = folder.clone();
        let make = move || {
            let mut new = tempfile::Builder::new();
            let new = new.prefix(".state.").suffix(".new").tempfile_in(folder);
            // closed: SQLite opens it
            new.map(tempfile::NamedTempFile::into_temp_path)
        };
        blocking::unblock(make).await.map_err(unmade)?
    };
    let unfinished = Options::Sqlite(Box::new(options.clone().filename(&new)));
    let pool = Arc::new(Pool::new(unfinished, path.display().to_string()));
    let made = async {
        let mut work = Work::write(&pool).await?;
        schema::make(&mut work, fresh).await?;
        // all of it is in the file: it has a journal beside it from here on only
        work.end().await?;
        let mut work = Work::look(&pool).await?;
        work.plain("PRAGMA journal_mode = WAL").await?;
        work.end().await
    };
    let made = made.await;
    pool.close().await;
    made?;
    let persist = move || match new.persist_noclobber(&path) {
        Ok(()) => File::open(folder_of(&path))?.sync_all(),
        // somebody else was faster
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    };
    let path = options.get_filename().display();
    let unmade = |error| StateError::Unavailable(format!("{path} cannot be made: {error}"));
    blocking::unblock(persist).await.map_err(unmade)
}

/// Whether there is a file that may be a state.
fn look(path: &Path) -> Result<bool, StateError> {
    let unreadable = |problem: &str| StateError::Unreadable {
        place: path.display().to_string(),
        problem: problem.into(),
    };
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(unreadable("it is no file")),
        // SQLite would begin anew
        Ok(metadata) if metadata.len() == 0 => Err(unreadable("the file is empty")),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !folder_of(path).is_dir() {
                let folder = folder_of(path).display();
                return Err(StateError::Refused(format!(
                    "there is no folder {folder} for the state"
                )));
            }
            // it would be taken for a part of the new one
            if beside(path, "-wal").exists() || beside(path, "-journal").exists() {
                return Err(unreadable("there is its journal without the file itself"));
            }
            Ok(false)
        }
        Err(error) => Err(StateError::Unavailable(format!(
            "{}: {error}",
            path.display()
        ))),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}
