//! From a database URL to a driver's options, with safe defaults.

use database_link::{Address, AddressError, is_local};
use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::config::DatabaseUrl;
use crate::dialect::Dialect;
use crate::error::SqlError;

/// How to connect. Holds the password, so it has no `Debug`.
pub(crate) enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    MySql(Box<MySqlConnectOptions>),
    /// And whether the URL calls connections shared: then no statement is kept.
    Postgres(Box<PgConnectOptions>, bool),
}

/// What may come after the question mark beside the parameters of PostgreSQL.
const PARAMETERS: [&str; 8] = [
    "mode",
    "immutable",
    "sslca",
    "statement-cache-capacity",
    "charset",
    "collation",
    "socket",
    "timezone",
];

impl Options {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self, SqlError> {
        let address = Address::new(url.expose(), &PARAMETERS).map_err(wrong)?;
        match address.scheme() {
            "sqlite" => sqlite(url.expose(), address),
            "mysql" | "mariadb" => mysql(address, password(url)?),
            "postgres" | "postgresql" => postgres(address, password(url)?),
            _ => Err(SqlError::Url(
                "it begins with sqlite:, mysql://, mariadb:// or postgres://".into(),
            )),
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::MySql(_) => Dialect::MySql,
            Self::Postgres(..) => Dialect::Postgres,
        }
    }
}

fn sqlite(text: &str, address: Address<'_>) -> Result<Options, SqlError> {
    if text.contains(":memory:") || text.contains("mode=memory") {
        let problem = "a database in memory ends with its connection: name a file";
        return Err(SqlError::Url(problem.into()));
    }
    let options: SqliteConnectOptions = address.read().map_err(wrong)?;
    if options.get_filename().as_os_str().is_empty() {
        return Err(SqlError::Url("name a file: sqlite:///path/to/file".into()));
    }
    // a missing file is created by migrate() alone, with rights for its owner only
    let options = options.create_if_missing(false).row_buffer_size(1024);
    Ok(Options::Sqlite(Box::new(
        options.disable_statement_logging(),
    )))
}

fn mysql(address: Address<'_>, password: Option<&str>) -> Result<Options, SqlError> {
    let mut options: MySqlConnectOptions = address.read().map_err(wrong)?;
    if let Some(password) = password {
        options = options.password(password);
    }
    if !address.chose_tls() && options.get_socket().is_some() {
        options = options.ssl_mode(MySqlSslMode::Disabled);
    } else if !address.chose_tls() && !is_local(options.get_host()) {
        options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
    }
    Ok(Options::MySql(Box::new(
        options.disable_statement_logging(),
    )))
}

fn postgres(address: Address<'_>, password: Option<&str>) -> Result<Options, SqlError> {
    let mut options = address.postgres().map_err(wrong)?;
    if let Some(password) = password {
        options = options.password(password);
    }
    let shared = address.has("statement-cache-capacity=0");
    let options = options.disable_statement_logging();
    Ok(Options::Postgres(Box::new(options), shared))
}

fn password(url: &DatabaseUrl) -> Result<Option<&str>, SqlError> {
    let Some(password) = url.password() else {
        return Ok(None);
    };
    let text = std::str::from_utf8(password.expose());
    text.map(Some)
        .map_err(|_| SqlError::Url("the password is not UTF-8".into()))
}

fn wrong(error: AddressError) -> SqlError {
    SqlError::Url(error.to_string())
}
