//! Where the engine of a cluster is: reading the address, safe where it says nothing, and showing it without its password.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use database_link::{Address, shown};
use pop3_proto::secret::Secret;
use redis::{ConnectionInfo, IntoConnectionInfo as _};
use sqlx::postgres::PgConnectOptions;

use crate::ask::{Answer, Ask};
use crate::digest::ClusterKey;
use crate::engine::{Common, Engine, Memory, Postgres, Redis, Trouble};
use crate::error::ClusterError;
use crate::notice::Notice;
use crate::options::Options;

/// The address of an engine:
///
/// * `redis://user:password@host:port/0`, and `rediss://` over TLS: Redis 6 or newer, Valkey, or what speaks their
///   protocol. `redis+unix:///path/to/socket` is one on this machine.
/// * `postgres://user:password@host:port/database`: PostgreSQL 10 or newer. Over a network its certificate is checked,
///   unless `?sslmode=` says something else.
/// * `memory:`: in this process, for tests
///
/// Printed, it shows neither user nor password.
#[derive(Clone)]
pub struct ClusterUrl(Place);

#[derive(Clone)]
enum Place {
    Memory(Memory),
    Redis {
        info: Box<ConnectionInfo>,
        ca: Option<Arc<[u8]>>,
        shown: String,
    },
    Postgres {
        options: Box<PgConnectOptions>,
        shown: String,
    },
}

impl ClusterUrl {
    /// An engine in memory that several nodes of this process share.
    #[must_use]
    pub fn memory(memory: &Memory) -> Self {
        Self(Place::Memory(memory.clone()))
    }

    /// The password from elsewhere, a file for example. It goes before one in the address.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, or there is no server to give it to.
    pub fn with_password(self, password: &Secret) -> Result<Self, ClusterError> {
        let password = std::str::from_utf8(password.expose());
        let password =
            password.map_err(|_| ClusterError::Url("the password is not UTF-8".into()))?;
        match self.0 {
            Place::Memory(_) => Err(ClusterError::Url("it takes no password".into())),
            Place::Redis { info, ca, shown } => {
                let settings = info.redis_settings().clone().set_password(password);
                let info = Box::new(info.set_redis_settings(settings));
                Ok(Self(Place::Redis { info, ca, shown }))
            }
            Place::Postgres { options, shown } => {
                let options = Box::new(options.password(password));
                Ok(Self(Place::Postgres { options, shown }))
            }
        }
    }

    /// Whose certificates are trusted, instead of the authorities that the system trusts: a file in PEM.
    ///
    /// # Errors
    ///
    /// If the address says nothing of TLS.
    pub fn with_ca(self, pem: &[u8]) -> Result<Self, ClusterError> {
        match self.0 {
            Place::Redis { info, shown, .. } if shown.starts_with("rediss:") => {
                let ca = Some(Arc::from(pem));
                Ok(Self(Place::Redis { info, ca, shown }))
            }
            Place::Postgres { options, shown } => {
                let options = Box::new(options.ssl_root_cert_from_pem(pem.to_vec()));
                Ok(Self(Place::Postgres { options, shown }))
            }
            Place::Memory(_) | Place::Redis { .. } => Err(ClusterError::Url(
                "it does not use TLS: such a one begins with rediss://".into(),
            )),
        }
    }

    /// Asks the engine whether a node could take part, and changes nothing. Blocks, for some seconds at most.
    ///
    /// # Errors
    ///
    /// If it could not, in words that name the thing, the cause and the remedy.
    pub fn probe(&self, key: &ClusterKey, options: &Options) -> Result<(), ClusterError> {
        options.check()?;
        let common = Common {
            timing: options.timing,
            check: key.check(),
        };
        let probed = probe(&mut *self.engine(options), &common, &self.to_string());
        probed.map_err(|trouble: Trouble| match trouble.lasting {
            true => ClusterError::Refused(trouble.to_string()),
            false => ClusterError::Unavailable(trouble.to_string()),
        })
    }

    pub(crate) fn engine(&self, options: &Options) -> Box<dyn Engine> {
        match &self.0 {
            Place::Memory(memory) => Box::new(memory.clone()),
            Place::Redis { info, ca, shown } => Box::new(Redis::new(
                (**info).clone(),
                ca.as_deref(),
                &options.cluster,
                shown.clone(),
            )),
            Place::Postgres { options: to, shown } => Box::new(Postgres::new(
                (**to).clone(),
                &options.cluster,
                shown.clone(),
            )),
        }
    }
}

impl FromStr for ClusterUrl {
    type Err = ClusterError;

    fn from_str(url: &str) -> Result<Self, ClusterError> {
        match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "memory" if url == "memory:" => Ok(Self(Place::Memory(Memory::new()))),
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix" => redis_place(url),
            "postgres" | "postgresql" if url.contains("://") => postgres_place(url),
            _ => Err(ClusterError::Url(
                "it is redis://…, rediss://… or postgres://…".into(),
            )),
        }
    }
}

/// Whether a node could take part.
fn probe(engine: &mut dyn Engine, common: &Common, place: &str) -> Result<(), Trouble> {
    let answers = engine.answer(common, &[Ask::Survey])?;
    for (answer, notice) in [
        (Answer::Foreign, Notice::Foreign),
        (Answer::OtherSecret, Notice::OtherSecret),
    ] {
        if answers.contains(&answer) {
            return Err(Trouble::lasting(format!("{place}: {notice}")));
        }
    }
    Ok(())
}

fn postgres_place(url: &str) -> Result<ClusterUrl, ClusterError> {
    let options = Address::new(url, &[]).and_then(Address::postgres);
    let options = options.map_err(|error| ClusterError::Url(error.to_string()))?;
    Ok(ClusterUrl(Place::Postgres {
        options: Box::new(options),
        shown: shown(url),
    }))
}

/// Without its words, which may have a password in them.
fn redis_place(url: &str) -> Result<ClusterUrl, ClusterError> {
    let problem = "it cannot be read; it looks like redis://user:password@host:port/0, and what is special in a name or a \
                   password is written as % and two hexadecimal digits";
    let unreadable = || ClusterError::Url(problem.into());
    if url.contains(['?', '#']) {
        return Err(ClusterError::Url(
            "nothing can stand after a ? or a # in it; in a password they are written %3F and %23"
                .into(),
        ));
    }
    let info = url.into_connection_info().map_err(|_| unreadable())?;
    Ok(ClusterUrl(Place::Redis {
        info: Box::new(info),
        ca: None,
        shown: shown(url),
    }))
}

impl fmt::Display for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Memory(_) => f.write_str("memory:"),
            Place::Redis { shown, .. } | Place::Postgres { shown, .. } => f.write_str(shown),
        }
    }
}

/// Whether they lead to one engine; passwords aside.
impl PartialEq for ClusterUrl {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ClusterUrl {}

impl fmt::Debug for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
