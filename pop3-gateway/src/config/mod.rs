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

#[cfg(feature = "acme")]
pub(crate) mod acme;
pub(crate) mod bounds;
#[cfg(feature = "cluster")]
mod cluster;
mod flags;
#[cfg(feature = "http")]
mod http;
pub(crate) mod listener;
pub(crate) mod log;
mod monitor;
#[cfg(all(feature = "http", feature = "oauth"))]
mod pages;
#[cfg(feature = "oauth")]
mod provider;
pub(crate) mod reference;
mod routing;
mod sasl;
#[cfg(feature = "oauth")]
mod state;
mod together;
mod told;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::setting::error::ConfigError;
#[cfg(feature = "acme")]
pub use acme::Acme;
pub use bounds::Bounds;
#[cfg(feature = "cluster")]
pub use cluster::Cluster;
pub use flags::Flags;
pub(crate) use flags::explain;
#[cfg(feature = "http")]
pub use http::Http;
pub use listener::Listener;
pub use log::{Log, LogFormat, LogLevel};
pub use monitor::{Monitor, MonitorSecret};
#[cfg(all(feature = "http", feature = "oauth"))]
pub use pages::Pages;
#[cfg(feature = "oauth")]
pub use provider::{Grant, ProviderSettings};
pub use routing::{Route, Routing};
#[cfg(feature = "oauth")]
pub use state::State;

use crate::mailbox::Store;
use crate::mailbox::imap::Upstream;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};
use crate::setting::rows;
use crate::setting::syntax::Mended;
use crate::setting::value::Word;
use pop3_server::name::Rewrite;
use toml::de::DeTable;

/// A file longer than this is not a configuration.
const MAX_FILE: u64 = 16 << 20;

/// Everything that the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What drives the sockets, if the operator said so.
    pub runtime: Option<RuntimeKind>,
    /// `[[listener]]`; not empty.
    pub listeners: Vec<Listener>,
    /// `[[upstream]]`; names are unique, those of stores included. There is an upstream or a store.
    pub upstreams: Vec<Upstream>,
    /// `[[store]]`
    pub stores: Vec<Store>,
    /// `[[http]]`
    #[cfg(feature = "http")]
    pub http: Vec<Http>,
    /// `[acme]`; there is an `[[http]]` where a CA may look.
    #[cfg(feature = "acme")]
    pub acme: Option<Acme>,
    /// `[pages]`; there is an `[[http]]` that serves them.
    #[cfg(all(feature = "http", feature = "oauth"))]
    pub pages: Option<Pages>,
    /// `[[provider]]`; names are unique.
    #[cfg(feature = "oauth")]
    pub providers: Vec<ProviderSettings>,
    /// `[[grant]]`; names are unique, and name providers that exist.
    #[cfg(feature = "oauth")]
    pub grants: Vec<Grant>,
    /// `[state]`
    #[cfg(feature = "oauth")]
    pub state: Option<State>,
    /// `[cluster]`
    #[cfg(feature = "cluster")]
    pub cluster: Option<Cluster>,
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

rows! {
    /// What stands above all tables.
    ROOT: Config = Config::default();

    /// What drives the sockets: "tokio" or "smol". They behave alike. Left out: tokio.
    own "runtime" r#""tokio""# => (runtime),
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
        let mended = Mended::new(text);
        let (document, _) = DeTable::parse_recoverable(&mended.text);
        let whole = mended.mistakes.is_empty();
        Self::read(document.get_ref(), base, whole).map_err(|of_settings| {
            let mut fault = of_settings.without(|mistake| mended.explains(mistake));
            fault.note::<()>(Err(mended.mistakes.into()));
            fault.in_file(file, text)
        })
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

    /// How long clients are served as before once the gateway is asked to stop. Where there are other nodes there is a
    /// balancer, which needs a moment.
    pub fn drain_delay(&self) -> Duration {
        #[cfg(feature = "cluster")]
        let usual = self.cluster.as_ref().map(|_| Duration::from_secs(5));
        #[cfg(not(feature = "cluster"))]
        let usual = None;
        self.bounds.drain_delay.or(usual).unwrap_or_default()
    }

    /// Reads every table; what they say together is looked at in a `whole` document alone.
    fn read(document: &DeTable<'_>, base: &Path, whole: bool) -> Result<Self, Fault> {
        let mut root = Table::root(document, base);
        let mut config = Self::default();
        root.rows(ROOT, &mut config);
        root.section("log", log::ROWS, &mut config.log, |_| Ok(()));
        root.section(
            "transcript",
            log::TRANSCRIPT,
            &mut config.transcript,
            log::check_transcript,
        );
        root.section(
            "limits",
            bounds::LIMITS,
            &mut config.bounds,
            Bounds::check_limits,
        );
        root.section(
            "timers",
            bounds::TIMERS,
            &mut config.bounds,
            Bounds::check_timers,
        );
        let mut monitor = Monitor::nobody();
        let is_watched = root.section("monitor", monitor::ROWS, &mut monitor, Monitor::check);
        config.monitor = is_watched.then_some(monitor);
        #[cfg(feature = "acme")]
        {
            let mut acme = Acme::default();
            let is_there = root.section("acme", acme::ROWS, &mut acme, Acme::check);
            config.acme = is_there.then_some(acme);
        }
        #[cfg(feature = "oauth")]
        config.read_tokens(&mut root);
        #[cfg(feature = "cluster")]
        {
            let mut cluster = Cluster::default();
            let is_one = root.section("cluster", cluster::ROWS, &mut cluster, Cluster::check);
            config.cluster = is_one.then_some(cluster);
        }
        let (policy, has_stores) = (&config.bounds.policy, root.has("store"));
        config.listeners = root.each("listener", |table, others| {
            let listener = Listener::read(table, policy, others)?;
            if let (Some((key, name)), false) = (listener.digest(), has_stores) {
                let what = format!("{name:?} needs the password, which only the upstream holds");
                return Err(table.fault(Problem::new(key, what, "leave it out")));
            }
            Ok(listener)
        });
        #[cfg(feature = "http")]
        {
            let listeners = &config.listeners;
            config.http = root.each("http", |table, others| Http::read(table, listeners, others));
        }
        config.upstreams = root.each("upstream", |table, others: &[Upstream]| {
            let upstream = Upstream::read(table)?;
            let taken = others.iter().any(|other| other.name == upstream.name);
            own_name(table, "upstream", &upstream.name, taken)?;
            Ok(upstream)
        });
        let upstreams = &config.upstreams;
        config.stores = root.each("store", |table, others: &[Store]| {
            let store = Store::read(table)?;
            let taken = others.iter().any(|other| other.name == store.name)
                || upstreams.iter().any(|other| other.name == store.name);
            own_name(table, "store or upstream", &store.name, taken)?;
            Ok(store)
        });
        let routing = root.table("routing");
        root.finish()?;
        if !whole {
            return Err(Fault::default());
        }
        config.look_around(&root, routing)?;
        Ok(config)
    }

    /// Reads what tokens need.
    #[cfg(feature = "oauth")]
    fn read_tokens(&mut self, root: &mut Table<'_>) {
        let mut state = State::default();
        let is_kept = root.section("state", state::ROWS, &mut state, State::check);
        self.state = is_kept.then_some(state);
        #[cfg(feature = "http")]
        {
            let mut pages = Pages::default();
            let is_there = root.section("pages", pages::ROWS, &mut pages, Pages::check);
            self.pages = is_there.then_some(pages);
        }
        self.providers = root.each("provider", |table, others: &[ProviderSettings]| {
            let mut own = ProviderSettings::default();
            table.read(provider::PROVIDER, &mut own, ProviderSettings::check)?;
            let name = &own.provider.name;
            let taken = others.iter().any(|other| other.provider.name == *name);
            own_name(table, "provider", name, taken)?;
            Ok(own)
        });
        let providers = &self.providers;
        // one with a mistake is missing among them
        let all = providers.len() == root.count("provider");
        self.grants = root.each("grant", |table, others: &[Grant]| {
            let mut own = Grant::default();
            table.read(provider::GRANT, &mut own, |own| {
                own.check()?;
                if all { own.suits(providers) } else { Ok(()) }
            })?;
            let taken = others.iter().any(|other| other.name == own.name);
            own_name(table, "grant", &own.name, taken)?;
            Ok(own)
        });
    }

    /// Whether persons sign in with a browser for mailboxes of this upstream.
    #[cfg(all(feature = "http", feature = "oauth"))]
    pub(crate) fn signs_in_by_browser(&self, upstream: &Upstream) -> bool {
        let Some(name) = &upstream.grant else {
            return false;
        };
        let grant = self.grants.iter().find(|own| own.name == *name);
        grant.is_some_and(|grant| {
            let mut all = self.providers.iter();
            let provider = all.find(|own| own.provider.name == grant.provider);
            provider.is_some_and(|own| grant.flow(&own.provider) == crate::oauth::Flow::Code)
        })
    }
}

/// Refuses the name of an upstream or store that is taken.
fn own_name(table: &Table<'_>, what: &str, name: &str, taken: bool) -> Result<(), Fault> {
    if taken {
        let what = format!("there is another {what} {name:?}");
        return Err(table.fault(Problem::new("name", what, "give each its own name")));
    }
    Ok(())
}
