//! The engine in Redis, Valkey, or what speaks their protocol: a batch is one script, and one round trip.
//!
//! Owns the connection and the script's name. What the script does stands in `batch.lua`; what it is given and gives back,
//! in [`words`].

mod words;

use std::time::Duration;

use redis::{Client, Connection, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value};

use super::{Common, Engine, Trouble};
use crate::ask::{Answer, Ask};

const SCRIPT: &str = include_str!("batch.lua");

/// The oldest version that is known to run the script as it should.
const OLDEST: (u32, u32) = (6, 0);

/// A connection to be, and one that is.
pub(crate) struct Redis {
    client: Result<Client, Trouble>,
    /// What all names begin with.
    prefix: String,
    /// For errors.
    place: String,
    connected: Option<Connected>,
}

struct Connected {
    connection: Connection,
    /// The name of the script.
    script: String,
    /// Which server this is: another one may not know what was said to the one before.
    server: String,
}

impl Redis {
    pub(crate) fn new(
        info: ConnectionInfo,
        ca: Option<&[u8]>,
        cluster: &str,
        place: String,
    ) -> Self {
        let client = match ca {
            None => Client::open(info),
            Some(ca) => Client::build_with_tls(
                info,
                redis::TlsCertificates {
                    client_tls: None,
                    root_cert: Some(ca.to_vec()),
                },
            ),
        };
        let client = client.map_err(|error| Trouble::lasting(format!("{place}: {error}")));
        Self {
            client,
            prefix: format!("{{{cluster}}}"),
            place,
            connected: None,
        }
    }

    /// Connects, and looks whether this is a server that a cluster can use.
    fn connect(&self, patience: Duration) -> Result<Connected, Trouble> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let trouble = |error: RedisError| self.trouble(&error);
        let mut connection = client
            .get_connection_with_timeout(patience)
            .map_err(trouble)?;
        connection
            .set_read_timeout(Some(patience))
            .map_err(trouble)?;
        connection
            .set_write_timeout(Some(patience))
            .map_err(trouble)?;
        let info: String = redis::cmd("INFO").query(&mut connection).map_err(trouble)?;
        let field = |name: &str| {
            let mut lines = info.lines();
            lines
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .unwrap_or_default()
                .trim()
        };
        let version = field("redis_version");
        if read_version(version).is_some_and(|version| version < OLDEST) {
            let (major, minor) = OLDEST;
            return Err(self.lasting(&format!(
                "version {version} is too old: a cluster needs Redis {major}.{minor} or newer, or Valkey"
            )));
        }
        if field("role") == "slave" {
            return Err(self.lasting(READ_ONLY));
        }
        let server = field("run_id").to_owned();
        let script = load(&mut connection).map_err(trouble)?;
        Ok(Connected {
            connection,
            script,
            server,
        })
    }

    fn lasting(&self, text: &str) -> Trouble {
        Trouble::lasting(format!("{}: {text}", self.place))
    }

    /// What a driver's error means for a cluster: the thing, the cause, the remedy.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the driver's enums are non-exhaustive"
    )]
    fn trouble(&self, error: &RedisError) -> Trouble {
        let place = &self.place;
        let words = error
            .detail()
            .map_or_else(|| error.to_string(), str::to_owned);
        let code = error.code().unwrap_or_default();
        match error.kind() {
            ErrorKind::AuthenticationFailed => self.lasting(PASSWORD),
            ErrorKind::Server(ServerErrorKind::ReadOnly) => self.lasting(READ_ONLY),
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => self.lasting(
                "this is one server of a Redis Cluster, and another has the names of this one: name that one, or a proxy",
            ),
            ErrorKind::Server(ServerErrorKind::NoPerm) => self.lasting(&format!(
                "the user may not do what a cluster needs: allow it +info +script|load +evalsha +get +set +del +exists \
                 +pttl +time on all names that begin with {}: ({words})",
                self.prefix
            )),
            ErrorKind::Server(ServerErrorKind::BusyLoading) => {
                Trouble::new(format!("{place}: it reads its data from the disk now, and answers later"))
            }
            ErrorKind::Server(_) | ErrorKind::Extension
                if matches!(code, "NOAUTH" | "WRONGPASS") || words.contains("invalid password") =>
            {
                self.lasting(PASSWORD)
            }
            ErrorKind::Server(_) | ErrorKind::Extension if code == "OOM" => Trouble::new(format!(
                "{place}: it has no memory left: give it more (maxmemory), and set maxmemory-policy to noeviction"
            )),
            ErrorKind::Server(_) | ErrorKind::Extension if words.contains("unknown command") => {
                self.lasting(&format!("it runs no scripts, and a cluster needs them ({words})"))
            }
            ErrorKind::Server(_) | ErrorKind::Extension => {
                Trouble::new(format!("{place}: {code} {words}"))
            }
            _ if error.is_timeout() => Trouble::new(format!("{place}: no answer in time")),
            ErrorKind::Io if error.is_connection_refusal() => {
                Trouble::new(format!("{place}: nothing listens there: start the server, or correct the address"))
            }
            ErrorKind::Io => {
                let text = error.to_string();
                match text.to_lowercase().contains("certificate") {
                    true => self.lasting(&format!(
                        "its certificate is not one for this name, or of no authority that is trusted ({text})"
                    )),
                    false => Trouble::new(format!("{place}: {text}")),
                }
            }
            _ => Trouble::new(format!("{place}: {error}")),
        }
    }

    fn ask(
        &self,
        connected: &mut Connected,
        common: &Common,
        asks: &[Ask],
    ) -> Result<Value, RedisError> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&connected.script).arg(1).arg(&self.prefix);
        words::write(&mut command, common, &connected.server, asks);
        command.query(&mut connected.connection)
    }
}

const READ_ONLY: &str =
    "it is a replica that can only be read: name the primary, or what leads to it";
const PASSWORD: &str =
    "it refuses the user or the password: correct them in the address or beside it";

impl Engine for Redis {
    fn answer(&mut self, common: &Common, asks: &[Ask]) -> Result<Vec<Answer>, Trouble> {
        let mut connected = match self.connected.take() {
            Some(connected) => connected,
            None => self.connect(common.timing.answer)?,
        };
        let mut done = self.ask(&mut connected, common, asks);
        let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        if done.as_ref().is_err_and(|error| error.kind() == unknown) {
            // nothing of it has taken place
            let script = load(&mut connected.connection);
            connected.script = script.map_err(|error| self.trouble(&error))?;
            done = self.ask(&mut connected, common, asks);
        }
        let value = done.map_err(|error| self.trouble(&error))?;
        let answers = words::read(value, asks.len());
        let answers = answers
            .ok_or_else(|| self.lasting("its answer is none that the script can have given"))?;
        self.connected = Some(connected);
        Ok(answers)
    }
}

fn load(connection: &mut Connection) -> Result<String, RedisError> {
    let mut command = redis::cmd("SCRIPT");
    command.arg("LOAD").arg(SCRIPT).query(connection)
}

fn read_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
