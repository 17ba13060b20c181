//! What a driver is given to connect with.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

/// How to connect. Holds the password, and so has no `Debug`.
pub(crate) enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

/// How long another process may write the same file.
const BUSY: Duration = Duration::from_secs(10);

impl Options {
    pub(crate) fn file(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path);
        // a missing file is made apart, and its journal is chosen there, once
        let options = options.create_if_missing(false).busy_timeout(BUSY);
        let options = options.synchronous(SqliteSynchronous::Full);
        Self::Sqlite(Box::new(options.disable_statement_logging()))
    }

    pub(crate) fn server(options: &PgConnectOptions) -> Self {
        // a pooler would refuse what it does not know
        let options = options.clone().extra_float_digits(None);
        Self::Postgres(Box::new(options.disable_statement_logging()))
    }
}
