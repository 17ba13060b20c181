//! A driver's connection: how it is made, tested and closed, each within a limit.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, MySqlConnection, PgConnection, SqliteConnection};

use super::options::Options;
use super::{mysql, postgres};
use crate::error::SqlError;
use database_link::timer;

/// A connection and its age.
pub(super) struct Connected {
    pub(super) live: Live,
    /// Each transaction may run on another connection to the server: nothing that is prepared or set lasts
    /// longer.
    pub(super) shared: bool,
    pub(super) made: Instant,
}

/// A driver's connection.
pub(super) enum Live {
    Sqlite(Box<SqliteConnection>),
    MySql(Box<MySqlConnection>),
    Postgres(Box<PgConnection>),
}

/// How long closing may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// A new connection, on which the server gives up after this number of seconds.
pub(super) async fn connect(options: &Options, seconds: u64) -> sqlx::Result<Connected> {
    let (live, shared) = match options {
        Options::Sqlite(options) => (Live::Sqlite(Box::new(options.connect().await?)), false),
        Options::MySql(options) => {
            let connection = mysql::connect(options, seconds).await?;
            (Live::MySql(Box::new(connection)), false)
        }
        Options::Postgres(options, shared) => {
            let (connection, shared) = postgres::connect(options, *shared, seconds).await?;
            (Live::Postgres(Box::new(connection)), shared)
        }
    };
    let made = Instant::now();
    Ok(Connected { live, shared, made })
}

impl Live {
    pub(super) async fn answers(&mut self, limit: Duration) -> bool {
        let ping = async {
            match self {
                Self::Sqlite(connection) => connection.ping().await,
                Self::MySql(connection) => connection.ping().await,
                Self::Postgres(connection) => connection.ping().await,
            }
        };
        within(limit, ping).await.is_ok()
    }

    /// Closes it in good order, if the database cooperates.
    pub(super) async fn close(self) {
        let close = async {
            match self {
                Self::Sqlite(connection) => connection.close().await,
                Self::MySql(connection) => connection.close().await,
                Self::Postgres(connection) => connection.close().await,
            }
        };
        let _ = within(FAREWELL, close).await;
    }
}

/// Runs something on a connection for this long at most.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, SqlError> {
    match timer::within(limit, work).await {
        Some(result) => result.map_err(SqlError::from),
        None => Err(SqlError::Unavailable(format!(
            "the database did not answer within {limit:?}"
        ))),
    }
}
