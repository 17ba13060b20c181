//! The configuration: a plain, validated data model, read from a TOML file or from flags.
//!
//! It owns no sockets, certificates or keys, only their names; it opens no file but its own. It is
//! complete (defaults are filled in) and consistent (see the messages of [`ConfigError`]). Whether
//! the files and servers that it names work is not checked here.
//!
//! There is no expansion of variables and no template anywhere: what a client sends is compared with
//! names in here, never pasted into them.
//!
//! ```
//! use std::path::Path;
//! use pop3_gateway::config::Config;
//!
//! let text = r#"
//!     [[listener]]
//!     listen = "127.0.0.1:1110"
//!     [[upstream]]
//!     name = "main"
//!     url = "imaps://imap.example.org"
//! "#;
//! let config = Config::parse(text, Path::new("gateway.toml"))?;
//! assert_eq!(config.upstreams[0].url().to_string(), "imaps://imap.example.org:993");
//!
//! let slip = text.replace("listen =", "lisen =");
//! let error = Config::parse(&slip, Path::new("gateway.toml")).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     r#"gateway.toml:3:5: listener[1].lisen: unknown key; did you mean "listen"?"#,
//! );
//! # Ok::<(), pop3_gateway::config::ConfigError>(())
//! ```

pub(crate) mod bounds;
#[cfg(test)]
mod example;
mod flags;
pub(crate) mod listener;
pub(crate) mod log;
mod monitor;
mod routing;
mod sasl;

use std::path::{Path, PathBuf};

pub use crate::setting::error::ConfigError;
pub use bounds::Bounds;
pub use flags::Flags;
pub use listener::Listener;
pub use log::{Log, LogFormat, LogLevel};
pub use monitor::{Monitor, MonitorSecret};
pub use routing::{DomainRoute, Routing, UserRoute};

use crate::mailbox::Store;
use crate::mailbox::imap::Upstream;
use crate::setting::document::{self, Table};
use crate::setting::error::{Fault, Problem};
use crate::setting::value::Word;
use pop3_proto::server::Policy;
use pop3_server::name::Rewrite;
use routing::Targets;

/// A file longer than this is not a configuration.
const MAX_FILE: u64 = 16 << 20;

/// Everything that the operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// What drives the sockets, if the operator said so.
    pub runtime: Option<RuntimeKind>,
    /// `[[listener]]`; not empty.
    pub listeners: Vec<Listener>,
    /// `[[upstream]]`; names are unique, those of stores included. There is an upstream or a store.
    pub upstreams: Vec<Upstream>,
    /// `[[store]]`
    pub stores: Vec<Store>,
    /// `[monitor]`; its name has no route of its own.
    pub monitor: Option<Monitor>,
    /// `[routing]`; names only upstreams and stores that exist.
    pub routing: Routing,
    /// `[limits]` and `[timers]`
    pub bounds: Bounds,
    /// `[log]`
    pub log: Log,
    /// `[transcript]`: the folder for transcripts.
    pub transcript: Option<PathBuf>,
}

/// What drives the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeKind {
    /// tokio
    Tokio,
    /// smol
    Smol,
}

impl Word for RuntimeKind {
    const WORDS: &'static [(&'static str, Self)] = &[("tokio", Self::Tokio), ("smol", Self::Smol)];
}

impl Config {
    /// Reads and checks a file. Relative paths in it start at its folder.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |what: String, remedy: &str| ConfigError {
            file: Some(file.to_owned()),
            position: None,
            key: Box::default(),
            what,
            remedy: remedy.into(),
            others: Box::default(),
        };
        let failed = |error: std::io::Error| {
            let remedy = "check its name and who may read it";
            unreadable(format!("cannot be read: {error}"), remedy)
        };
        let length = std::fs::metadata(file).map_err(failed)?.len();
        if length > MAX_FILE {
            return Err(unreadable(
                format!("has {length} octets"),
                "name a configuration file",
            ));
        }
        let octets = std::fs::read(file).map_err(failed)?;
        let text = String::from_utf8(octets)
            .map_err(|_| unreadable("is not UTF-8 text".into(), "save it as UTF-8"))?;
        Self::parse(&text, file)
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        Self::read(text, base).map_err(|fault| fault.in_file(file, text))
    }

    /// Checks what the command line said.
    pub fn from_flags(flags: Flags) -> Result<Self, ConfigError> {
        flags.into_config().map_err(Problem::of_flag)
    }

    /// Lets the command line decide about runtime, log and transcript, if it said anything.
    pub fn override_with(&mut self, flags: &Flags) -> Result<(), ConfigError> {
        flags.override_in(self).map_err(Problem::of_flag)
    }

    /// How an upstream or a store wants the names of users.
    pub fn rewrite_of(&self, name: &str) -> Option<&Rewrite> {
        let upstream = self.upstreams.iter().find(|upstream| upstream.name == name);
        let store = || self.stores.iter().find(|store| store.name == name);
        upstream
            .map(|upstream| &upstream.rewrite)
            .or_else(|| store().map(|store| &store.rewrite))
    }

    fn read(text: &str, base: &Path) -> Result<Self, Fault> {
        let document = document::parse(text)?;
        let mut root = Table::root(document.get_ref(), base);
        let runtime = root.get("runtime")?;
        let listeners = root.tables("listener")?;
        let upstreams = root.tables("upstream")?;
        let stores = root.tables("store")?;
        let monitor = root.table("monitor")?;
        let routing = root.table("routing")?;
        let limits = root.table("limits")?;
        let timers = root.table("timers")?;
        let log = root.table("log")?;
        let transcript = root.table("transcript")?;
        let mut fault = Fault::default();
        fault.note(root.finish());
        let monitor = section(monitor, &mut fault, Monitor::read);
        let mut bounds = Bounds::default();
        section(limits, &mut fault, |table| bounds.read_limits(table));
        section(timers, &mut fault, |table| bounds.read_timers(table));
        let log = section(log, &mut fault, Log::read);
        let transcript = section(transcript, &mut fault, log::read_transcript);
        let has_listeners = !listeners.is_empty();
        let has_places = !upstreams.is_empty() || !stores.is_empty();
        let listeners = read_listeners(listeners, &mut fault, &bounds.policy, !stores.is_empty());
        let upstreams = read_upstreams(upstreams, &mut fault);
        let stores = read_stores(stores, &mut fault, &upstreams);
        // what follows looks at all of them together
        fault.found()?;
        if !has_listeners {
            let remedy = "add [[listener]] with listen = \"127.0.0.1:1110\"";
            let problem = Problem::new("listener", "there is no listener", remedy);
            fault.note::<()>(Err(root.fault(problem)));
        }
        if !has_places {
            let what = "there is no upstream";
            let remedy = "add [[upstream]] with a name and url = \"imaps://imap.example.org\"";
            fault.note::<()>(Err(root.fault(Problem::new("upstream", what, remedy))));
        }
        fault.found()?;
        let own = upstreams
            .iter()
            .map(|upstream| (upstream.name.as_str(), &upstream.rewrite));
        let places: Vec<_> = own
            .chain(
                stores
                    .iter()
                    .map(|store| (store.name.as_str(), &store.rewrite)),
            )
            .collect();
        let targets = Targets {
            places: &places,
            stores: !stores.is_empty(),
        };
        let routing = match (routing, places.as_slice()) {
            (Some(table), _) => Routing::read(table, targets)?,
            (None, [(only, _)]) => Routing::everybody(only),
            (None, _) => {
                let what = match targets.stores {
                    true => {
                        "there are several upstreams or stores, and no route says who goes where"
                    }
                    false => "there are several upstreams, and no route says who goes where",
                };
                let remedy =
                    "add [routing] with default = \"NAME\", or routes for domains or users";
                return Err(root.fault(Problem::new("routing", what, remedy)));
            }
        };
        if let Some(monitor) = &monitor
            && routing
                .users
                .contains_key(&routing.names.read(&monitor.user).to_lowercase())
        {
            let what = format!("{:?} has a route of its own", monitor.user);
            let remedy = "give the monitoring account a name that no user has";
            return Err(root.fault(Problem::new("monitor", what, remedy)));
        }
        check_relays(&root, &listeners, &routing, &stores)?;
        Ok(Self {
            runtime,
            listeners,
            upstreams,
            stores,
            monitor,
            routing,
            bounds,
            log: log.unwrap_or_default(),
            transcript,
        })
    }
}

fn section<'d, T>(
    table: Option<Table<'d>>,
    fault: &mut Fault,
    read: impl FnOnce(Table<'d>) -> Result<T, Fault>,
) -> Option<T> {
    fault.note(read(table?))
}

fn read_listeners(
    tables: Vec<Table<'_>>,
    fault: &mut Fault,
    policy: &Policy,
    has_stores: bool,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for mut table in tables {
        let Some(listener) = fault.note(Listener::read(&mut table, policy)) else {
            continue;
        };
        if let (Some((key, name)), false) = (listener.digest(), has_stores) {
            let what = format!("{name:?} needs the password, which only the upstream holds");
            let problem = Problem::new(key, what, "leave it out");
            fault.note::<()>(Err(table.fault(problem)));
        }
        let taken = listeners.iter().flat_map(|other| other.addresses.iter());
        if let Some(problem) = listener::collision(taken, &listener.addresses) {
            fault.note::<()>(Err(table.fault(problem)));
        }
        listeners.push(listener);
    }
    listeners
}

fn read_upstreams(tables: Vec<Table<'_>>, fault: &mut Fault) -> Vec<Upstream> {
    let mut upstreams: Vec<Upstream> = Vec::new();
    for mut table in tables {
        let Some(upstream) = fault.note(Upstream::read(&mut table)) else {
            continue;
        };
        if upstreams.iter().any(|other| other.name == upstream.name) {
            let what = format!("there is another upstream {:?}", upstream.name);
            let problem = Problem::new("name", what, "give each its own name");
            fault.note::<()>(Err(table.fault(problem)));
        }
        upstreams.push(upstream);
    }
    upstreams
}

fn read_stores(tables: Vec<Table<'_>>, fault: &mut Fault, upstreams: &[Upstream]) -> Vec<Store> {
    let mut stores: Vec<Store> = Vec::new();
    for mut table in tables {
        let Some(store) = fault.note(Store::read(&mut table)) else {
            continue;
        };
        let name = &store.name;
        if stores.iter().any(|other| other.name == *name)
            || upstreams.iter().any(|other| other.name == *name)
        {
            let what = format!("there is another store or upstream {name:?}");
            let problem = Problem::new("name", what, "give each its own name");
            fault.note::<()>(Err(table.fault(problem)));
        }
        stores.push(store);
    }
    stores
}

/// A mechanism that is handed through may hide the user's name. Then only the default route can serve it, and
/// only if it leads to an upstream.
fn check_relays(
    root: &Table<'_>,
    listeners: &[Listener],
    routing: &Routing,
    stores: &[Store],
) -> Result<(), Fault> {
    let Some(mechanism) = listeners.iter().find_map(Listener::relayed) else {
        return Ok(());
    };
    let is_store = |name: &String| stores.iter().any(|store| store.name == *name);
    let what = match &routing.default {
        Some(name) if is_store(name) => {
            "the default route leads to a store, which does not know it"
        }
        Some(_) => return Ok(()),
        None => "there is no default route",
    };
    let what = format!("{} is handed through, and {what}", mechanism.as_str());
    let remedy = "add default = \"NAME\" of an upstream, or leave the mechanism out of sasl";
    Err(root.fault(Problem::new("routing", what, remedy)))
}
