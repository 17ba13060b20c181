//! Where a state is: reading the address, safe where it says nothing, and showing it without its password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use database_link::{Address, shown};
use pop3_proto::secret::Secret;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::error::StateError;

/// The address of a state:
///
/// * `memory:`: in this process, gone with it
/// * `sqlite:///path/to/state.db`: a file on a disk of this machine, made if it is not there; any number of processes
/// * `postgres://user:password@host:port/database`: tables in a PostgreSQL database, made if they are not there; any
///   number of machines
///
/// Over a network the server's certificate is checked, unless `?sslmode=` says something else. Printed, it shows neither
/// user nor password.
///
/// ```
/// use gateway_state::StateUrl;
///
/// let url: StateUrl = "postgres://tim:tanstaaf@db.example/state".parse()?;
/// assert_eq!(url.to_string(), "postgres://db.example/state");
/// # Ok::<(), gateway_state::StateError>(())
/// ```
#[derive(Clone)]
pub struct StateUrl(Place);

/// What an address leads to.
#[derive(Clone)]
pub(crate) enum Place {
    Memory,
    File(PathBuf),
    Server {
        options: Box<PgConnectOptions>,
        shown: String,
    },
}

impl StateUrl {
    /// A file, whatever its name is.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Place::File(path.into()))
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            Place::Memory | Place::Server { .. } => None,
        }
    }

    /// The password from elsewhere, a file for example. It goes before one in the address.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, or there is no server to give it to.
    pub fn with_password(self, password: &Secret) -> Result<Self, StateError> {
        let Place::Server { options, shown } = self.0 else {
            return Err(StateError::Url("it takes no password".into()));
        };
        let password = std::str::from_utf8(password.expose());
        let password = password.map_err(|_| StateError::Url("the password is not UTF-8".into()))?;
        Ok(Self(Place::Server {
            options: Box::new(options.password(password)),
            shown,
        }))
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for StateUrl {
    type Err = StateError;

    fn from_str(url: &str) -> Result<Self, StateError> {
        let place = match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "memory" if url == "memory:" => Place::Memory,
            "sqlite" => Place::File(file(url)?),
            "postgres" | "postgresql" if url.contains("://") => Place::Server {
                options: Box::new(server(url)?),
                shown: shown(url),
            },
            _ => {
                let problem = "it is memory:, sqlite:///path/to/file or postgres://…";
                return Err(StateError::Url(problem.into()));
            }
        };
        Ok(Self(place))
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Memory => f.write_str("memory:"),
            Place::File(path) => write!(f, "sqlite://{}", path.display()),
            Place::Server { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Debug for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn file(url: &str) -> Result<PathBuf, StateError> {
    let no_file = || StateError::Url("name a file: sqlite:///path/to/state.db".into());
    if url.contains('?') || url.contains(":memory:") {
        return Err(no_file());
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| no_file())?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() {
        return Err(no_file());
    }
    Ok(path.to_owned())
}

fn server(text: &str) -> Result<PgConnectOptions, StateError> {
    let options = Address::new(text, &[]).and_then(Address::postgres);
    options.map_err(|error| StateError::Url(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssl_mode(url: &str) -> String {
        match url.parse::<StateUrl>().unwrap().0 {
            Place::Server { options, .. } => format!("{:?}", options.get_ssl_mode()),
            Place::Memory | Place::File(_) => panic!("{url}"),
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
            "memory:x",
            "postgres:",
            "postgres://tim:tanstaaf",
            "mysql://tim:tanstaaf@db.example/state",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:///state.db?mode=memory",
            "postgres://tim:tan?staaf@db.example/state",
            "postgres://tim:tanstaaf@db.example:port/state",
            "postgres://db.example/state?password=tanstaaf",
        ] {
            let error = url.parse::<StateUrl>().unwrap_err().to_string();
            assert!(!error.contains("staaf"), "{error}");
        }
    }

    #[test]
    fn files_may_have_any_name() {
        let path = Path::new("/srv/100%?#/state.db");
        assert_eq!(StateUrl::file(path).path(), Some(path));
        let url: StateUrl = "sqlite:///srv/a%20b/state.db".parse().unwrap();
        assert_eq!(url.path(), Some(Path::new("/srv/a b/state.db")));
        let relative: StateUrl = "sqlite:state.db".parse().unwrap();
        assert_eq!(relative.path(), Some(Path::new("state.db")));
    }

    #[test]
    fn only_a_server_takes_a_password() {
        let password = Secret::from(&b"hunter2"[..]);
        let url: StateUrl = "postgres://tim:tanstaaf@localhost/s".parse().unwrap();
        let url = url.with_password(&password).unwrap();
        assert_eq!(url.to_string(), "postgres://localhost/s");
        StateUrl::file("state.db")
            .with_password(&password)
            .unwrap_err();
    }

    #[test]
    fn neither_user_nor_password_is_shown() {
        for (url, shown) in [
            ("memory:", "memory:"),
            (
                "sqlite:///var/lib/mail/state.db",
                "sqlite:///var/lib/mail/state.db",
            ),
            (
                "postgres://tim:tanstaaf@db.example:5432/state?sslmode=disable",
                "postgres://db.example:5432/state",
            ),
            ("postgres:///state?host=/run", "postgres:///state"),
            // not the host that it will go to
            (
                "postgres://tim:tan@st/aaf@[::1]/state",
                "postgres://[::1]/state",
            ),
        ] {
            let url: StateUrl = url.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }
}
