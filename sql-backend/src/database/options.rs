//! From a database URL to a driver's options, with safe defaults.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
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

/// What may come after the question mark. A password may not: it belongs before the host, or beside the
/// URL, where nothing prints it.
const KEYS: [&str; 24] = [
    "mode",
    "immutable",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "options",
    "charset",
    "collation",
    "socket",
    "timezone",
];

impl Options {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self, SqlError> {
        let text = url.expose();
        let keys = keys(text);
        // not shown: it may be a part of a password with a question mark in it
        if !keys.iter().all(|key| KEYS.contains(&base(key))) {
            return Err(SqlError::Url(
                "a parameter after the question mark is not known; one in a password is written %3F"
                    .into(),
            ));
        }
        let chose_tls = keys
            .iter()
            .any(|key| matches!(*key, "sslmode" | "ssl-mode"));
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" => sqlite(text),
            "mysql" | "mariadb" => mysql(text, url, chose_tls),
            "postgres" | "postgresql" => {
                let shared = pairs(text).any(|pair| pair == "statement-cache-capacity=0");
                postgres(text, url, chose_tls, shared)
            }
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

fn sqlite(text: &str) -> Result<Options, SqlError> {
    if text.contains(":memory:") || text.contains("mode=memory") {
        let problem = "a database in memory ends with its connection: name a file";
        return Err(SqlError::Url(problem.into()));
    }
    let options = SqliteConnectOptions::from_str(text).map_err(unreadable)?;
    if options.get_filename().as_os_str().is_empty() {
        return Err(SqlError::Url("name a file: sqlite:///path/to/file".into()));
    }
    // a missing file is created by migrate() alone, with rights for its owner only
    let options = options.create_if_missing(false).row_buffer_size(1024);
    Ok(Options::Sqlite(Box::new(
        options.disable_statement_logging(),
    )))
}

fn mysql(text: &str, url: &DatabaseUrl, chose_tls: bool) -> Result<Options, SqlError> {
    let mut options = MySqlConnectOptions::from_str(text).map_err(unreadable)?;
    if let Some(password) = password(url)? {
        options = options.password(password);
    }
    if !chose_tls && options.get_socket().is_some() {
        options = options.ssl_mode(MySqlSslMode::Disabled);
    } else if !chose_tls && !is_local(options.get_host()) {
        options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
    }
    Ok(Options::MySql(Box::new(
        options.disable_statement_logging(),
    )))
}

fn postgres(
    text: &str,
    url: &DatabaseUrl,
    chose_tls: bool,
    shared: bool,
) -> Result<Options, SqlError> {
    let mut options = PgConnectOptions::from_str(text).map_err(unreadable)?;
    if let Some(password) = password(url)? {
        options = options.password(password);
    }
    if !chose_tls && options.get_socket().is_none() && !is_local(options.get_host()) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
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

/// The driver's words about a URL may quote it.
fn unreadable(_: sqlx::Error) -> SqlError {
    SqlError::Url(
        "it cannot be read; it looks like postgres://user:password@host:port/database, and what is \
         special in a name or a password is written as % and two hexadecimal digits"
            .into(),
    )
}

fn keys(text: &str) -> Vec<&str> {
    pairs(text)
        .map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key))
        .collect()
}

/// The parameters after the question mark.
fn pairs(text: &str) -> impl Iterator<Item = &str> {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    query.split('&').filter(|pair| !pair.is_empty())
}

/// `options[name]` is an option too.
fn base(key: &str) -> &str {
    key.split_once(['[', '%']).map_or(key, |(base, _)| base)
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    host.is_empty()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}
