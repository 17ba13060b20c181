//! What can go wrong with a database, sorted by what has to be done about it.
//!
//! The texts are for the operator: they name the setting and the remedy where there is one. They never hold
//! the database's password, and the database never sees a mail user's password.

use std::{fmt, io};

use pop3_proto::backend::store::StoreError;
use sqlx::error::DatabaseError;

/// Why a store in a database cannot be used, or cannot be used now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The database's URL is wrong.
    #[error("the database URL: {0}")]
    Url(String),
    /// A configured query, or the template, cannot be used.
    #[error("{key}: {problem}")]
    Config {
        /// The setting, as it is called in [`Queries`](crate::Queries) and [`Template`](crate::Template);
        /// `queries.account` is that of [`Logins::Query`](crate::Logins::Query).
        key: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The database has no tables of ours, or those of another version.
    #[error("{0}")]
    Schema(String),
    /// It may work later: the database is not reachable, overloaded, or busy.
    #[error("{0}")]
    Unavailable(String),
    /// The database rolled a transaction back because it conflicted with another. It may be tried again.
    #[error("{0}")]
    Conflict(String),
    /// The database refuses: somebody has to do something about it.
    #[error("{0}")]
    Refused(String),
    /// There is an account of this name already.
    #[error("there is an account {0:?} already")]
    AccountExists(String),
    /// There is no such account.
    #[error("there is no account {0:?}")]
    NoAccount(String),
    /// This cannot be an account's name.
    #[error("{0:?} cannot be an account's name: 1 to 255 octets without control characters")]
    BadName(String),
    /// A credential that no login could ever prove.
    #[error("the credential: {0}")]
    Credential(String),
    /// Accounts and messages are added to the tool's own tables only.
    #[error("the tables of this store are not the tool's own: use the program that fills them")]
    NotOwnTables,
    /// The message to be stored could not be read.
    #[error("reading the message: {0}")]
    Input(#[from] std::io::Error),
}

impl SqlError {
    pub(crate) fn config(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config {
            key: key.into(),
            problem: problem.into(),
        }
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        let text = error.to_string();
        match error {
            SqlError::Unavailable(_) | SqlError::Conflict(_) | SqlError::Input(_) => {
                Self::Temporary(text)
            }
            SqlError::Url(_)
            | SqlError::Config { .. }
            | SqlError::Schema(_)
            | SqlError::Refused(_)
            | SqlError::AccountExists(_)
            | SqlError::NoAccount(_)
            | SqlError::BadName(_)
            | SqlError::Credential(_)
            | SqlError::NotOwnTables => Self::Permanent(text),
        }
    }
}

/// Why a message could not be read, or not be removed.
#[derive(Debug)]
pub(crate) enum Failed {
    Database(SqlError),
    Message(StoreError),
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Message(error)
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Database(error) => error.into(),
            Failed::Message(error) => error,
        }
    }
}

impl From<sqlx::Error> for SqlError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sqlx::Error is non-exhaustive"
    )]
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match error {
            Error::Database(error) => from_database(&*error),
            Error::Configuration(text) if text.to_string().contains("RSA") => Self::Refused(
                "the database wants the password encrypted (caching_sha2_password) on a connection \
                 without TLS: use its Unix socket (?socket=/path), or TLS (?ssl-mode=VERIFY_IDENTITY)"
                    .into(),
            ),
            Error::Configuration(text) => Self::Refused(format!("the database's settings: {text}")),
            Error::Tls(text) => Self::Refused(format!("TLS with the database: {text}")),
            // rustls reports certificates in such an error
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Refused(format!("TLS with the database: {error}"))
            }
            Error::Io(error) => Self::Unavailable(format!("the database: {error}")),
            error @ (Error::WorkerCrashed | Error::Protocol(_)) => Self::Unavailable(format!("the database: {error}")),
            error => Self::Refused(format!("the database: {error}")),
        }
    }
}

/// What a database says, in its own words, and whether waiting may help.
fn from_database(error: &dyn DatabaseError) -> SqlError {
    let code = error.code().unwrap_or_default();
    let number = error
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .map(|error| error.number());
    let sqlite = error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some();
    let mut text = format!("the database: {}", Words(error));
    // PgBouncer's words
    if error.message().contains("statement pooling") {
        text.push_str("; give PgBouncer pool_mode = transaction or session");
    }
    let temporary = match number {
        Some(number) => MYSQL_TEMPORARY.contains(&number),
        None if sqlite => code
            .parse::<u32>()
            .is_ok_and(|code| SQLITE_TEMPORARY.contains(&(code & 0xFF))),
        None => POSTGRES_TEMPORARY
            .iter()
            .any(|class| code.starts_with(class)),
    };
    let conflict = match number {
        Some(number) => number == 1213,
        None => !sqlite && matches!(&*code, "40001" | "40P01"),
    };
    let no_table = match number {
        Some(number) => number == 1146,
        None if sqlite => error.message().contains("no such table"),
        None => code == "42P01",
    };
    if conflict {
        SqlError::Conflict(text)
    } else if temporary {
        SqlError::Unavailable(text)
    } else if no_table {
        SqlError::Schema(text)
    } else {
        SqlError::Refused(text)
    }
}

/// Connection, resources, operator, system; serialization and deadlock; locks.
const POSTGRES_TEMPORARY: [&str; 7] = ["08", "40", "53", "55P03", "57", "58", "25006"];

/// Too many connections, shutdown, out of memory, disk full, locks, deadlock, read-only, killed, interrupted,
/// timeouts.
const MYSQL_TEMPORARY: [u16; 18] = [
    1021, 1037, 1040, 1041, 1053, 1077, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1290, 1317, 1836,
    1969, 3024,
];

/// BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
const SQLITE_TEMPORARY: [u32; 8] = [5, 6, 7, 9, 10, 13, 14, 15];

/// A database's message and its code.
struct Words<'a>(&'a dyn DatabaseError);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message())?;
        match self.0.code() {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}
