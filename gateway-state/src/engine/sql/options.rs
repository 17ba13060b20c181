//! From the address to a driver's options: safe where the address says nothing.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

use crate::error::StateError;
use crate::url::StateUrl;

/// How to connect. Holds the password, and so has no `Debug`.
pub(super) enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

/// How long another process may write the same file.
const BUSY: Duration = Duration::from_secs(10);

/// What may stand after the question mark. A password may not: it would be printed.
const KEYS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "options",
];

impl Options {
    pub(super) fn parse(url: &StateUrl) -> Result<Self, StateError> {
        let text = url.expose();
        if text.starts_with("sqlite:") {
            return sqlite(text).map(|options| Self::Sqlite(Box::new(options)));
        }
        let options = postgres(text, url.password())?;
        Ok(Self::Postgres(Box::new(options)))
    }

    /// Where that is, for errors.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sqlite(options) => options.get_filename().display().to_string(),
            Self::Postgres(options) => format!(
                "the database {} at {}",
                options.get_database().unwrap_or_default(),
                options.get_host()
            ),
        }
    }
}

fn sqlite(text: &str) -> Result<SqliteConnectOptions, StateError> {
    let no_file = || StateError::Url("name a file: sqlite:///path/to/state.db".into());
    if text.contains('?') || text.contains(":memory:") {
        return Err(no_file());
    }
    let options = SqliteConnectOptions::from_str(text).map_err(|_| no_file())?;
    if options.get_filename().as_os_str().is_empty() {
        return Err(no_file());
    }
    // a missing file is made apart; the journal is set there, once
    let options = options.create_if_missing(false).busy_timeout(BUSY);
    let options = options.synchronous(SqliteSynchronous::Full);
    Ok(options.disable_statement_logging())
}

fn postgres(text: &str, password: Option<&str>) -> Result<PgConnectOptions, StateError> {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let keys = query.split('&').filter(|pair| !pair.is_empty());
    let keys: Vec<&str> = keys
        .map(|pair| {
            pair.split_once(['=', '[', '%'])
                .map_or(pair, |(key, _)| key)
        })
        .collect();
    // not named: it may be a part of a password with a question mark in it
    if !keys.iter().all(|key| KEYS.contains(key)) {
        let problem =
            "a parameter after the question mark is not known; one in a password is written %3F";
        return Err(StateError::Url(problem.into()));
    }
    // the driver's words may quote the address
    let unreadable = |_| {
        StateError::Url(
            "it cannot be read; it looks like postgres://user:password@host:port/database, and what is special in \
             a name or a password is written as % and two hexadecimal digits"
                .into(),
        )
    };
    let mut options = PgConnectOptions::from_str(text).map_err(unreadable)?;
    if let Some(password) = password {
        options = options.password(password);
    }
    let chose_tls = keys
        .iter()
        .any(|key| matches!(*key, "sslmode" | "ssl-mode"));
    if !chose_tls && options.get_socket().is_none() && !is_local(options.get_host()) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    // a pooler would refuse what it does not know
    let options = options.extra_float_digits(None);
    Ok(options.disable_statement_logging())
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host.is_empty()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Options, StateError> {
        Options::parse(&url.parse()?)
    }

    fn ssl_mode(url: &str) -> String {
        match parsed(url).unwrap() {
            Options::Postgres(options) => format!("{:?}", options.get_ssl_mode()),
            Options::Sqlite(_) => panic!("{url}"),
        }
    }

    #[test]
    fn over_a_network_the_servers_certificate_is_checked() {
        for far in [
            "postgres://db.example/state",
            "postgresql://tim:x@192.0.2.1:5432/state",
        ] {
            assert_eq!(ssl_mode(far), "VerifyFull", "{far}");
        }
        assert_eq!(
            ssl_mode("postgres://db.example/s?sslmode=disable"),
            "Disable"
        );
        for near in [
            "postgres://localhost/s",
            "postgres://127.0.0.1/s",
            "postgres://[::1]/s",
            "postgres://x@localhost/s?host=/run/postgresql",
        ] {
            assert_eq!(ssl_mode(near), "Prefer", "{near}");
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused_without_their_password() {
        for url in [
            "",
            "memory",
            "mysql://tim:tanstaaf@db.example/state",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:///state.db?mode=memory",
            "postgres://tim:tan?staaf@db.example/state",
            "postgres://tim:tanstaaf@db.example:port/state",
            "postgres://db.example/state?password=tanstaaf",
        ] {
            let error = match parsed(url) {
                Ok(_) => panic!("{url}"),
                Err(error) => error.to_string(),
            };
            assert!(!error.contains("staaf"), "{error}");
        }
    }

    #[test]
    fn a_password_from_elsewhere_goes_first() {
        let url: StateUrl = "postgres://tim:tanstaaf@localhost/s".parse().unwrap();
        let url = url.with_password(pop3_proto::secret::Secret::from(&b"hunter2"[..]));
        let url = url.unwrap();
        assert_eq!(url.password(), Some("hunter2"));
        assert_eq!(url.to_string(), "postgres://localhost/s");
    }
}
