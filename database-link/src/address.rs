//! The address of a database: what may stand in it, what is safe where it says nothing, and how it is shown.
//!
//! Owns the rules for parameters, TLS and secrets that hold for every database. Never keeps an address.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// What may stand after the question mark of a PostgreSQL address. A password may not: it belongs before the host, or
/// beside the address, where nothing prints it.
pub const PARAMETERS: [&str; 16] = [
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

/// What is wrong with an address, without a word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// What stands after the question mark may be a part of a password with a question mark in it.
    #[error("a parameter after the question mark is not known; one in a password is written %3F")]
    Parameter,
    /// The driver cannot read it.
    #[error(
        "it cannot be read; it looks like postgres://user:password@host:port/database, and what is special in a name or a \
         password is written as % and two hexadecimal digits"
    )]
    Unreadable,
}

/// An address whose parameters are all known. It may hold a password, so it has no `Debug`.
#[derive(Clone, Copy)]
pub struct Address<'a>(&'a str);

impl<'a> Address<'a> {
    /// An address with no parameters but [`PARAMETERS`] and these.
    ///
    /// # Errors
    ///
    /// [`AddressError::Parameter`].
    pub fn new(text: &'a str, more: &[&str]) -> Result<Self, AddressError> {
        // `options[name]` is an option too
        let name = |pair: &'a str| {
            pair.split_once(['=', '[', '%'])
                .map_or(pair, |(name, _)| name)
        };
        let known = |name: &str| PARAMETERS.contains(&name) || more.contains(&name);
        match parameters(text).map(name).all(known) {
            true => Ok(Self(text)),
            false => Err(AddressError::Parameter),
        }
    }

    /// What stands before the first colon.
    pub fn scheme(self) -> &'a str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// Whether this stands there word for word, such as `statement-cache-capacity=0`.
    pub fn has(self, parameter: &str) -> bool {
        parameters(self.0).any(|pair| pair == parameter)
    }

    /// Whether it says what is to be done about TLS.
    pub fn chose_tls(self) -> bool {
        let name = |pair: &'a str| pair.split_once('=').map_or(pair, |(name, _)| name);
        let mut names = parameters(self.0).map(name);
        names.any(|name| matches!(name, "sslmode" | "ssl-mode"))
    }

    /// A driver's options.
    ///
    /// # Errors
    ///
    /// [`AddressError::Unreadable`] instead of the driver's own words, which may quote the address.
    pub fn read<O: FromStr>(self) -> Result<O, AddressError> {
        O::from_str(self.0).map_err(|_| AddressError::Unreadable)
    }

    /// The options of PostgreSQL's driver. Over a network the server's certificate is checked, unless the address
    /// says something else.
    ///
    /// # Errors
    ///
    /// [`AddressError::Unreadable`].
    pub fn postgres(self) -> Result<PgConnectOptions, AddressError> {
        let options: PgConnectOptions = self.read()?;
        if self.chose_tls() || options.get_socket().is_some() || is_local(options.get_host()) {
            return Ok(options);
        }
        Ok(options.ssl_mode(PgSslMode::VerifyFull))
    }
}

/// The parameters after the question mark.
fn parameters(text: &str) -> impl Iterator<Item = &str> {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    query.split('&').filter(|pair| !pair.is_empty())
}

/// Whether this names a server on this machine.
pub fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host.is_empty()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}

/// An address without its user, its password and its parameters, whatever it is.
///
/// ```
/// let address = "postgres://tim:tanstaaf@db.example/mail?sslmode=disable";
/// assert_eq!(database_link::shown(address), "postgres://db.example/mail");
/// assert_eq!(database_link::shown("postgres://tim:tanstaaf"), "postgres:");
/// ```
pub fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once(':') else {
        return "<no URL>".to_owned();
    };
    // first the password, which may have anything in it
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let rest = rest.split_once(['?', '#']).map_or(rest, |(rest, _)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    let port = host.rsplit_once([':', ']']).map_or("", |(_, port)| port);
    if port.bytes().all(|octet| octet.is_ascii_digit()) {
        return format!("{scheme}://{rest}");
    }
    // a user and a password without a host
    format!("{scheme}:")
}
