//! `serve`: binds, runs until it is asked to stop, and reads the configuration again on SIGHUP.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::{Config, RuntimeKind};
use pop3_server::listen::listen;
use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::settings::{Reloadable, Settings};
use pop3_server::setup::Setup;
use pop3_server::transcript::TranscriptSink;

use crate::service::Gateway;
use crate::setting::value::Word as _;
use crate::transcript::{Bound as TranscriptBound, Folder, Recorder};
use crate::wiring::{self, Absent, Surroundings};
use crate::{Failure, advice, cli, descriptors, logging};

/// A gateway whose sockets listen, but that accepts no connection yet.
#[derive(Debug)]
pub struct Bound {
    listening: Vec<Listening>,
    runtime: RuntimeKind,
    grace: Duration,
}

/// A socket, and what its connections start with.
#[derive(Debug)]
struct Listening {
    /// The address of the configuration; its port may be 0.
    configured: SocketAddr,
    socket: TcpListener,
    settings: Reloadable<Gateway>,
}

/// Runs `serve`.
pub fn run(arguments: &cli::Serve) -> Result<(), Failure> {
    let mut config = configuration(arguments)?;
    let _log = logging::start(config.log)?;
    let descriptors = descriptors::raise();
    fit(&mut config, descriptors);
    advice::give(&config, arguments.config.as_deref());
    let recorder = config.transcript.clone().map(record).transpose()?;
    let surroundings = Surroundings {
        transcript: recorder
            .clone()
            .map(|recorder| recorder as Arc<dyn TranscriptSink>),
        ..Surroundings::default()
    };
    let bound = Bound::new(&config, &surroundings)?;
    for upstream in &config.upstreams {
        let (name, url, delete) = (&upstream.name, upstream.url(), upstream.delete());
        tracing::info!(upstream = name, %url, folder = upstream.imap.folder, %delete, "serving");
    }
    for store in &config.stores {
        let name = &store.name;
        tracing::info!(store = name, "serving");
        // a disk may be mounted and a database started later
        match store.kind.check(store) {
            Ok(advice) => advice
                .iter()
                .for_each(|told| tracing::warn!(store = name, "{told}")),
            Err(error) => {
                tracing::error!(store = name, %error, "the store cannot be used now");
            }
        }
    }
    let reload = bound.reload(arguments.clone(), config, surroundings, descriptors);
    let done = bound.serve(Server::new(), reload);
    if let Some(recorder) = recorder {
        recorder.flush();
    }
    done
}

/// The configuration file that the command line names, or the configuration that its flags make.
fn configuration(arguments: &cli::Serve) -> Result<Config, Failure> {
    let flags = &arguments.flags;
    let Some(file) = &arguments.config else {
        return Ok(Config::from_flags(flags.clone())?);
    };
    let mut config = Config::load(file)?;
    config.override_with(flags)?;
    Ok(config)
}

/// Allows no more connections than there are descriptors for: a client that is turned away learns why, and
/// one that is never accepted does not.
fn fit(config: &mut Config, descriptors: Option<u64>) {
    if let Some((fitting, warning)) = descriptors::shortage(config, descriptors) {
        tracing::warn!("{warning}");
        config.bounds.allow(fitting);
    }
}

fn record(dir: PathBuf) -> Result<Arc<Recorder>, Failure> {
    let failed = |error| {
        Failure::configuration(format!(
            "transcripts cannot be written to {}: {error}",
            dir.display()
        ))
    };
    let folder = Folder::open(&dir, TranscriptBound::default()).map_err(failed)?;
    Recorder::start(folder).map(Arc::new).map_err(failed)
}

impl Bound {
    /// Loads what the configuration names, and listens.
    pub fn new(config: &Config, surroundings: &Surroundings) -> Result<Self, Failure> {
        let runtime = runtime(config.runtime)?;
        let settings = wiring::settings(config, surroundings, Absent::Make)?;
        let mut listening = Vec::new();
        for (listener, settings) in config.listeners.iter().zip(settings) {
            let settings = Arc::new(settings);
            for &configured in &listener.addresses {
                let socket = listen(configured).map_err(Failure::running)?;
                let settings = Reloadable::new(Arc::clone(&settings));
                listening.push(Listening {
                    configured,
                    socket,
                    settings,
                });
            }
        }
        Ok(Self {
            listening,
            runtime,
            grace: config.bounds.shutdown_grace,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let local = |own: &Listening| own.socket.local_addr().map_err(Failure::running);
        self.listening.iter().map(local).collect()
    }

    /// Accepts and serves connections until the server is asked to stop.
    pub fn serve(
        self,
        server: Server,
        reload: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        for (own, address) in self.listening.iter().zip(self.addresses()?) {
            let settings = own.settings.current();
            let (listener, tls) = (&settings.name, settings.policy.tls);
            tracing::info!(%address, listener, ?tls, runtime = ?self.runtime, "listening");
        }
        let done: std::io::Result<()> = match self.runtime {
            #[cfg(feature = "tokio")]
            RuntimeKind::Tokio => pop3_server_tokio::run(self.setup(server, reload)),
            #[cfg(feature = "smol")]
            RuntimeKind::Smol => pop3_server_smol::run(self.setup(server, reload)),
            #[cfg(not(all(feature = "tokio", feature = "smol")))]
            left_out => return Err(not_built(left_out)),
        };
        done.map_err(Failure::running)
    }

    fn setup<R: Runtime>(
        self,
        server: Server,
        reload: impl Fn() + Send + Sync + 'static,
    ) -> Setup<R> {
        let setup = Setup::new()
            .server(server)
            .on_reload(reload)
            .grace(self.grace);
        let listen = |setup: Setup<R>, own: Listening| setup.pop3(own.socket, own.settings);
        self.listening.into_iter().fold(setup, listen)
    }

    /// What SIGHUP does: everything is read again, and new connections start with it. Whatever is
    /// wrong with it, the old configuration stays.
    fn reload(
        &self,
        arguments: cli::Serve,
        config: Config,
        surroundings: Surroundings,
        descriptors: Option<u64>,
    ) -> impl Fn() + Send + Sync + 'static {
        let listening: Vec<_> = self
            .listening
            .iter()
            .map(|own| (own.configured, own.settings.clone()))
            .collect();
        let current = Mutex::new(config);
        move || {
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            let read = configuration(&arguments).and_then(|mut config| {
                fit(&mut config, descriptors);
                let settings = wiring::settings(&config, &surroundings, Absent::Make)?;
                Ok((config, settings))
            });
            match read {
                Ok((config, settings)) => {
                    advice::give(&config, arguments.config.as_deref());
                    replace(&listening, &config, settings);
                    warn_of_restart(&current, &config);
                    *current = config;
                }
                Err(failure) => {
                    tracing::error!(
                        error = failure.message,
                        "not reloaded; the old configuration stays"
                    );
                }
            }
        }
    }
}

fn replace(
    listening: &[(SocketAddr, Reloadable<Gateway>)],
    config: &Config,
    settings: Vec<Settings<Gateway>>,
) {
    let settings: Vec<_> = settings.into_iter().map(Arc::new).collect();
    for (address, current) in listening {
        let own = config.listeners.iter().zip(&settings);
        let mut own = own.filter(|(listener, _)| listener.addresses.contains(address));
        match own.next() {
            Some((_, settings)) => current.replace(Arc::clone(settings)),
            None => tracing::warn!(%address, "no longer configured; it stays until a restart"),
        }
    }
    for address in config
        .listeners
        .iter()
        .flat_map(|listener| &listener.addresses)
    {
        if !listening.iter().any(|(own, _)| own == address) {
            tracing::warn!(%address, "new; listening there needs a restart");
        }
    }
    tracing::info!("configuration and certificates reloaded");
}

fn warn_of_restart(old: &Config, new: &Config) {
    for (what, changed) in [
        ("runtime", old.runtime != new.runtime),
        ("log", old.log != new.log),
        ("transcript", old.transcript != new.transcript),
        (
            "timers.shutdown_grace",
            old.bounds.shutdown_grace != new.bounds.shutdown_grace,
        ),
    ] {
        if changed {
            tracing::warn!(what, "changed; this needs a restart");
        }
    }
}

/// What drives the sockets, unless it was left out of this build.
pub fn runtime(chosen: Option<RuntimeKind>) -> Result<RuntimeKind, Failure> {
    let built = |kind| match kind {
        RuntimeKind::Tokio => cfg!(feature = "tokio"),
        RuntimeKind::Smol => cfg!(feature = "smol"),
    };
    let default = if cfg!(feature = "tokio") {
        RuntimeKind::Tokio
    } else {
        RuntimeKind::Smol
    };
    let kind = chosen.unwrap_or(default);
    if built(kind) {
        Ok(kind)
    } else {
        Err(not_built(kind))
    }
}

pub(crate) fn not_built(kind: RuntimeKind) -> Failure {
    let name = kind.word();
    Failure::configuration(format!(
        "this pop3-gateway was built without {name}; choose the other runtime"
    ))
}
