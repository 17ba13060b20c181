//! Where a state is: reading the address, and showing it without its password.

use std::fmt;
use std::str::FromStr;

use pop3_proto::secret::Secret;

use crate::error::StateError;

/// The address of a state:
///
/// * `memory:`: in this process, gone with it
/// * `sqlite:///path/to/state.db`: a file, made if it is not there
/// * `postgres://user:password@host:port/database`: tables in a PostgreSQL database, made if they are not there
///
/// Printed, it shows neither user nor password.
///
/// ```
/// use gateway_state::StateUrl;
///
/// let url: StateUrl = "postgres://tim:tanstaaf@db.example/state".parse()?;
/// assert_eq!(url.to_string(), "postgres://db.example/state");
/// # Ok::<(), gateway_state::StateError>(())
/// ```
#[derive(Clone)]
pub struct StateUrl {
    url: Secret,
    password: Option<Secret>,
}

impl StateUrl {
    /// The password from elsewhere, a file for example. It goes before one in the address.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn with_password(mut self, password: Secret) -> Result<Self, StateError> {
        if std::str::from_utf8(password.expose()).is_err() {
            return Err(StateError::Url("the password is not UTF-8".into()));
        }
        self.password = Some(password);
        Ok(self)
    }

    pub(crate) fn expose(&self) -> &str {
        // made of a &str
        std::str::from_utf8(self.url.expose()).unwrap_or_default()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        let password = self.password.as_ref()?;
        // looked at when it was given
        std::str::from_utf8(password.expose()).ok()
    }

    pub(crate) fn is_memory(&self) -> bool {
        self.expose() == "memory:"
    }
}

impl FromStr for StateUrl {
    type Err = StateError;

    fn from_str(url: &str) -> Result<Self, StateError> {
        let known = url == "memory:"
            || ["sqlite:", "postgres://", "postgresql://"]
                .iter()
                .any(|scheme| url.starts_with(scheme));
        let problem =
            || StateError::Url("it is memory:, sqlite:///path/to/file or postgres://…".into());
        let url = || Self {
            url: Secret::from(url.as_bytes()),
            password: None,
        };
        known.then(url).ok_or_else(problem)
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.expose();
        let Some((scheme, rest)) = url
            .split_once("://")
            .filter(|_| !url.starts_with("sqlite:"))
        else {
            return f.write_str(url);
        };
        // first the password, which may have anything in it
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let rest = rest.split_once(['?', '#']).map_or(rest, |(rest, _)| rest);
        let host = rest.split_once('/').map_or(rest, |(host, _)| host);
        let port = host.rsplit_once([':', ']']).map_or("", |(_, port)| port);
        if port.bytes().all(|octet| octet.is_ascii_digit()) {
            write!(f, "{scheme}://{rest}")
        } else {
            write!(f, "{scheme}:")
        }
    }
}

impl fmt::Debug for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (
                "postgres://tim:tan@st/aaf@[::1]/state",
                "postgres://[::1]/state",
            ),
            ("postgres://tim:tanstaaf", "postgres:"),
            ("postgres:///state?host=/run", "postgres:///state"),
        ] {
            let url: StateUrl = url.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }
}
