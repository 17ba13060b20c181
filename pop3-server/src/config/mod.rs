//! The configuration: a plain, validated data model, read from a TOML file or from flags.
//!
//! It owns no sockets, certificates or keys, only their names; it opens no file but its own. What
//! stands in it is complete (defaults are filled in) and consistent (see the messages of
//! [`ConfigError`]); whether the files and servers that it names are any good is another question.
//!
//! There is no expansion of variables and no template anywhere: what a client sends is compared with
//! names in here, never pasted into them.
//!
//! ```
//! use std::path::Path;
//! use pop3_server::config::Config;
//!
//! let text = r#"
//!     [[listener]]
//!     listen = "127.0.0.1:1110"
//!     [[upstream]]
//!     name = "main"
//!     url = "imaps://imap.example.org"
//! "#;
//! let config = Config::parse(text, Path::new("gateway.toml"))?;
//! assert_eq!(config.upstreams[0].url.to_string(), "imaps://imap.example.org:993");
//!
//! let slip = text.replace("listen =", "lisen =");
//! let error = Config::parse(&slip, Path::new("gateway.toml")).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     r#"gateway.toml:3:5: listener[1].lisen: unknown key; did you mean "listen"?"#,
//! );
//! # Ok::<(), pop3_server::config::ConfigError>(())
//! ```

mod document;
mod error;
mod flags;
mod limits;
mod listener;
mod log;
mod routing;
mod upstream;
mod url;
mod value;

use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use flags::Flags;
pub use limits::{Limits, Timers};
pub use listener::{CertificateFiles, Listener};
pub use log::{Log, LogFormat, LogLevel};
pub use routing::{Routing, UserRoute};
pub use upstream::{DeletePolicy, LoginCommand, PipelineLogin, Upstream};
pub use url::{Security, UpstreamUrl, UrlError};

use document::Table;
use error::{Fault, Problem};
use value::Word;

/// A file longer than this is not a configuration.
const MAX_FILE: u64 = 16 << 20;

/// Everything that the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What drives the sockets, if the operator said so.
    pub runtime: Option<RuntimeKind>,
    /// `[[listener]]`; not empty.
    pub listeners: Vec<Listener>,
    /// `[[upstream]]`; not empty, names are unique.
    pub upstreams: Vec<Upstream>,
    /// `[routing]`; names only upstreams that exist.
    pub routing: Routing,
    /// `[limits]`
    pub limits: Limits,
    /// `[timers]`
    pub timers: Timers,
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
            key: String::new(),
            what,
            remedy: remedy.into(),
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

    fn read(text: &str, base: &Path) -> Result<Self, Fault> {
        let document = document::parse(text)?;
        let mut root = Table::root(document.get_ref(), base);
        let runtime = root.get("runtime")?;
        let listeners = root.tables("listener")?;
        let upstreams = root.tables("upstream")?;
        let routing = root.table("routing")?;
        let limits = root.table("limits")?;
        let timers = root.table("timers")?;
        let log = root.table("log")?;
        let transcript = root.table("transcript")?;
        root.finish()?;

        let listeners = read_listeners(&root, listeners)?;
        let upstreams = read_upstreams(&root, upstreams)?;
        let routing = match (routing, upstreams.as_slice()) {
            (Some(table), _) => Routing::read(table, &upstreams)?,
            (None, [only]) => Routing::everybody(only),
            (None, _) => {
                let what = "there are several upstreams, and no route says who goes where";
                let remedy =
                    "add [routing] with default = \"NAME\", or routes for domains or users";
                return Err(root.fault(Problem::new("routing", what, remedy)));
            }
        };
        check_relays(&root, &listeners, &routing)?;
        Ok(Self {
            runtime,
            listeners,
            upstreams,
            routing,
            limits: limits.map(Limits::read).transpose()?.unwrap_or_default(),
            timers: timers.map(Timers::read).transpose()?.unwrap_or_default(),
            log: log.map(Log::read).transpose()?.unwrap_or_default(),
            transcript: transcript.map(log::read_transcript).transpose()?,
        })
    }
}

fn read_listeners(root: &Table<'_>, tables: Vec<Table<'_>>) -> Result<Vec<Listener>, Fault> {
    if tables.is_empty() {
        let remedy = "add [[listener]] with listen = \"127.0.0.1:1110\"";
        return Err(root.fault(Problem::new("listener", "there is no listener", remedy)));
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for mut table in tables {
        let listener = Listener::read(&mut table)?;
        let taken = listeners.iter().flat_map(|other| other.addresses.iter());
        if let Some(problem) = listener::collision(taken, &listener.addresses) {
            return Err(table.fault(problem));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

fn read_upstreams(root: &Table<'_>, tables: Vec<Table<'_>>) -> Result<Vec<Upstream>, Fault> {
    if tables.is_empty() {
        let remedy = "add [[upstream]] with a name and url = \"imaps://imap.example.org\"";
        return Err(root.fault(Problem::new("upstream", "there is no upstream", remedy)));
    }
    let mut upstreams: Vec<Upstream> = Vec::new();
    for mut table in tables {
        let upstream = Upstream::read(&mut table)?;
        if upstreams.iter().any(|other| other.name == upstream.name) {
            let what = format!("there is another upstream {:?}", upstream.name);
            return Err(table.fault(Problem::new("name", what, "give each its own name")));
        }
        upstreams.push(upstream);
    }
    Ok(upstreams)
}

/// A mechanism that is handed through hides the user's name: only the default route can serve it.
fn check_relays(root: &Table<'_>, listeners: &[Listener], routing: &Routing) -> Result<(), Fault> {
    let relayed = listeners.iter().find_map(Listener::relayed);
    let (Some(mechanism), None) = (relayed, &routing.default) else {
        return Ok(());
    };
    let what = format!(
        "{} hides the user's name, and there is no default route",
        mechanism.as_str()
    );
    let remedy = "add default = \"NAME\", or leave the mechanism out of sasl";
    Err(root.fault(Problem::new("routing", what, remedy)))
}
