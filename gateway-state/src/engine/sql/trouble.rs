//! What a driver's errors mean for a state: whether waiting helps, or a person has to.

use std::io;

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use super::cursor::Mismatch;
use crate::error::StateError;

/// An error of the state at this place.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlx::Error is non-exhaustive"
)]
pub(super) fn error(place: &str, error: sqlx::Error) -> StateError {
    use sqlx::Error;
    match error {
        Error::Database(error) if error.try_downcast_ref::<SqliteError>().is_some() => {
            sqlite(place, &*error)
        }
        Error::Database(error) => postgres(place, &*error),
        // rustls puts what it thinks of a certificate into one
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            StateError::Refused(format!("{place}: TLS: {error}"))
        }
        error @ (Error::Io(_) | Error::WorkerCrashed | Error::Protocol(_)) => {
            StateError::Unavailable(format!("{place}: {error}"))
        }
        error => StateError::Refused(format!("{place}: {error}")),
    }
}

/// A row that this program would not have written.
pub(super) fn mismatch(place: &str, mismatch: &Mismatch) -> StateError {
    StateError::Unreadable {
        place: place.into(),
        problem: mismatch.to_string(),
    }
}

/// The primary code is in the lowest octet.
fn sqlite(place: &str, error: &dyn DatabaseError) -> StateError {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    let words = format!("{} ({})", error.message(), error.code().unwrap_or_default());
    let remedy = match code.unwrap_or_default() & 0xFF {
        5 | 6 => "another process has been writing it for too long",
        8 => "it cannot be written: the file, its folder or the disk is read-only",
        10 => "the disk fails, or has no room",
        13 => "the disk is full",
        14 => "it cannot be opened: look at the rights of the file and its folder",
        7 | 9 | 15 => "try again",
        11 | 26 => {
            return StateError::Unreadable {
                place: place.into(),
                problem: words,
            };
        }
        _ => return StateError::Refused(format!("{place}: {words}")),
    };
    StateError::Unavailable(format!("{place}: {remedy}: {words}"))
}

fn postgres(place: &str, error: &dyn DatabaseError) -> StateError {
    let code = error.code().unwrap_or_default();
    let text = format!("{place}: {} ({code})", error.message());
    if TEMPORARY.iter().any(|class| code.starts_with(class)) {
        StateError::Unavailable(text)
    } else {
        StateError::Refused(text)
    }
}

/// Connection; serialization and deadlock; resources; locks; operator; system; read-only.
const TEMPORARY: [&str; 7] = ["08", "40", "53", "55P03", "57", "58", "25006"];
