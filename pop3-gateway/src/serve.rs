//! `serve`: binds, runs until it is asked to stop, and reads the configuration again on SIGHUP.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::{Config, RuntimeKind};
#[cfg(feature = "http")]
use crate::http::{Current, Web};
use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::settings::Reloadable;
use pop3_server::setup::Setup;

use crate::logging::Logging;
use crate::service::Gateway;
#[cfg(feature = "http")]
use crate::setting::value::Word as _;
use crate::sockets::{Own, Sockets};
use crate::systemd::{Manager, Passed, reloading};
use crate::transcript::{self, Bound as TranscriptBound, Display, Folder, Recorder};
use crate::wiring::{self, Absent, Surroundings};
use crate::{Failure, advice, certificates, cli, descriptors, logging, privileges, runtime};

/// A gateway whose sockets listen, but that accepts no connection yet.
#[derive(Debug)]
pub struct Bound {
    listening: Vec<Listening<Reloadable<Gateway>>>,
    #[cfg(feature = "http")]
    http: Vec<Listening<Current>>,
    runtime: RuntimeKind,
    grace: Duration,
    drain: Duration,
}

/// A socket, and what its connections start with.
#[derive(Debug)]
struct Listening<C> {
    /// The address of the configuration; its port may be 0.
    configured: SocketAddr,
    socket: TcpListener,
    current: C,
}

impl<C: Clone> Listening<C> {
    /// What listens on these sockets.
    fn on(sockets: Own, start: impl Fn() -> C) -> impl Iterator<Item = Self> {
        sockets.into_iter().map(move |(configured, socket)| Self {
            configured,
            socket,
            current: start(),
        })
    }

    /// Where these listen.
    fn addresses(all: &[Self]) -> Result<Vec<SocketAddr>, Failure> {
        let local = |own: &Self| own.socket.local_addr().map_err(Failure::running);
        all.iter().map(local).collect()
    }

    /// What a reload needs of these.
    fn kept(all: &[Self]) -> Vec<(SocketAddr, C)> {
        all.iter()
            .map(|own| (own.configured, own.current.clone()))
            .collect()
    }
}

/// Runs `serve`.
pub fn run(arguments: &cli::Serve) -> Result<(), Failure> {
    let passed = Passed::of_process()?;
    let mut config = configuration(arguments)?;
    let log = logging::start(config.log)?;
    let descriptors = descriptors::raise();
    fit(&mut config, descriptors);
    let sockets = Sockets::open(&config, passed)?;
    privileges::become_other(arguments.user.as_deref(), arguments.group.as_deref())?;
    advice::give(&config, arguments.file());
    let recorder = config.transcript.clone().map(record).transpose()?;
    let shown = arguments.show_dialogue.then(show).transpose()?;
    let surroundings = Surroundings {
        transcript: transcript::sink(recorder.clone(), shown.clone()),
        ..Surroundings::default()
    };
    let mut written = Written {
        log,
        recorder: None,
        shown,
    };
    written.transcribe(recorder, &surroundings);
    #[cfg(feature = "http")]
    let server = surroundings.metrics.server();
    #[cfg(not(feature = "http"))]
    let server = Server::new();
    let bound = Bound::on(sockets, &config, &surroundings)?;
    #[cfg(feature = "http")]
    {
        let metrics = &surroundings.metrics;
        metrics.setting.starts(bound.runtime.word());
        metrics.setting.writes("log", written.log.lost());
    }
    in_force(&config, &surroundings);
    surroundings
        .certificates
        .look_ahead()
        .map_err(Failure::running)?;
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
    let written = Arc::new(Mutex::new(written));
    let reload = bound.reload(
        arguments.clone(),
        (config, surroundings),
        Arc::clone(&written),
        descriptors,
    );
    let done = bound.serve(server, reload);
    // a reload that still runs keeps what it needs
    lock(&written).flush();
    done
}

/// What is written down: the log and transcripts.
struct Written {
    log: Logging,
    recorder: Option<Arc<Recorder>>,
    /// What standard output is shown, if anything.
    shown: Option<Arc<Recorder>>,
}

impl Written {
    /// Transcripts go there from now on. Sessions that have one already end it as they began it.
    #[cfg_attr(
        not(feature = "http"),
        expect(unused_variables, reason = "nothing is counted")
    )]
    fn transcribe(&mut self, recorder: Option<Arc<Recorder>>, surroundings: &Surroundings) {
        #[cfg(feature = "http")]
        if let Some(recorder) = &recorder {
            let setting = &surroundings.metrics.setting;
            setting.writes("transcript", recorder.lost());
        }
        if let Some(before) = std::mem::replace(&mut self.recorder, recorder) {
            before.flush();
        }
    }

    fn flush(&self) {
        let recorders = self.recorder.iter().chain(&self.shown);
        recorders.for_each(|recorder| recorder.flush());
    }
}

/// What is in there is consistent after every statement, so a panic elsewhere cannot have spoilt it.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The configuration file, or the configuration that flags of the command line make.
fn configuration(arguments: &cli::Serve) -> Result<Config, Failure> {
    let flags = &arguments.flags;
    let Some(file) = arguments.file() else {
        return Ok(Config::from_flags(flags.clone())?);
    };
    if arguments.config.is_none() && matches!(file.try_exists(), Ok(false)) {
        let file = file.display();
        return Err(Failure::configuration(format!(
            "say what to serve: --config <FILE>|--upstream <URL>; {file} is not there"
        )));
    }
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

fn show() -> Result<Arc<Recorder>, Failure> {
    let shown = Recorder::start(Display::new());
    shown.map(Arc::new).map_err(Failure::running)
}

impl Bound {
    /// Listens, and loads what the configuration names.
    pub fn new(config: &Config, surroundings: &Surroundings) -> Result<Self, Failure> {
        Self::on(
            Sockets::open(config, Passed::default())?,
            config,
            surroundings,
        )
    }

    fn on(sockets: Sockets, config: &Config, surroundings: &Surroundings) -> Result<Self, Failure> {
        let runtime = runtime::chosen(config.runtime)?;
        let wired = wiring::wire(config, surroundings, Absent::Make)?;
        let mut listening = Vec::new();
        for (own, settings) in sockets.listeners.into_iter().zip(&wired.listeners) {
            listening.extend(Listening::on(own, || Reloadable::new(Arc::clone(settings))));
        }
        #[cfg(feature = "http")]
        let mut http = Vec::new();
        #[cfg(feature = "http")]
        for (own, site) in sockets.http.into_iter().zip(&wired.sites) {
            http.extend(Listening::on(own, || Current::new(Arc::clone(site))));
        }
        Ok(Self {
            listening,
            #[cfg(feature = "http")]
            http,
            runtime,
            grace: config.bounds.shutdown_grace,
            drain: config.bounds.drain_delay,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        Listening::addresses(&self.listening)
    }

    /// Where it listens for HTTP.
    #[cfg(feature = "http")]
    pub fn http_addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        Listening::addresses(&self.http)
    }

    /// Accepts and serves connections until the server is asked to stop.
    pub fn serve(
        self,
        server: Server,
        reload: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        for (own, address) in self.listening.iter().zip(self.addresses()?) {
            let settings = own.current.current();
            let (listener, tls) = (&settings.name, settings.policy.tls);
            tracing::info!(%address, listener, ?tls, runtime = ?self.runtime, "listening");
        }
        #[cfg(feature = "http")]
        for (own, address) in self.http.iter().zip(self.http_addresses()?) {
            let tls = own.current.site().tls.is_some();
            tracing::info!(%address, tls, "listening for HTTP");
        }
        let done: std::io::Result<()> = match self.runtime {
            #[cfg(feature = "tokio")]
            RuntimeKind::Tokio => pop3_server_tokio::run(self.setup(server, reload)),
            #[cfg(feature = "smol")]
            RuntimeKind::Smol => pop3_server_smol::run(self.setup(server, reload)),
            #[cfg(not(all(feature = "tokio", feature = "smol")))]
            left_out => return Err(runtime::not_built(left_out)),
        };
        done.map_err(Failure::running)
    }

    fn setup<R: Runtime>(
        self,
        server: Server,
        reload: impl Fn() + Send + Sync + 'static,
    ) -> Setup<R> {
        #[cfg(feature = "http")]
        let shutdown = server.shutdown().clone();
        let setup = Setup::new()
            .server(server)
            .on_reload(reload)
            .supervisor(Manager)
            .grace(self.grace)
            .drain(self.drain);
        let listening = self.listening.into_iter();
        let setup = listening.fold(setup, |setup, own| setup.pop3(own.socket, own.current));
        #[cfg(feature = "http")]
        let setup = self.http.into_iter().fold(setup, |setup, own| {
            setup.speak(own.socket, Web::new(own.current, shutdown.clone()))
        });
        setup
    }

    /// What SIGHUP does: everything is read again, and new connections start with it. Whatever is
    /// wrong with it, the old configuration stays.
    fn reload(
        &self,
        arguments: cli::Serve,
        current: (Config, Surroundings),
        written: Arc<Mutex<Written>>,
        descriptors: Option<u64>,
    ) -> impl Fn() + Send + Sync + 'static {
        let listening = Listening::kept(&self.listening);
        #[cfg(feature = "http")]
        let http = Listening::kept(&self.http);
        let current = Mutex::new(current);
        let reload = move || {
            let (current, surroundings) = &mut *lock(&current);
            let mut next = surroundings.clone();
            let read = configuration(&arguments).and_then(|mut config| {
                fit(&mut config, descriptors);
                let other = config.transcript != current.transcript;
                let recorder = other.then(|| config.transcript.clone().map(record).transpose());
                let recorder = recorder.transpose()?;
                if let Some(recorder) = &recorder {
                    let shown = lock(&written).shown.clone();
                    next.transcript = transcript::sink(recorder.clone(), shown);
                }
                let wired = wiring::wire(&config, &next, Absent::Make)?;
                let mut written = lock(&written);
                if config.log != current.log {
                    written.log.change(config.log)?;
                }
                if let Some(recorder) = recorder {
                    written.transcribe(recorder, &next);
                }
                Ok((config, wired))
            });
            match read {
                Ok((config, wired)) => {
                    *surroundings = next;
                    advice::give(&config, arguments.file());
                    let addresses = config.listeners.iter().map(|own| &own.addresses[..]);
                    replace(&listening, addresses, &wired.listeners, Reloadable::replace);
                    #[cfg(feature = "http")]
                    {
                        let addresses = config.http.iter().map(|own| &own.addresses[..]);
                        replace(&http, addresses, &wired.sites, Current::replace);
                    }
                    tracing::info!("configuration and certificates reloaded");
                    in_force(&config, surroundings);
                    #[cfg(feature = "http")]
                    surroundings.metrics.setting.reloaded(true);
                    warn_of_restart(current, &config);
                    *current = config;
                    "serving; the configuration was reloaded"
                }
                Err(failure) => {
                    #[cfg(feature = "http")]
                    surroundings.metrics.setting.reloaded(false);
                    tracing::error!(
                        error = failure.message,
                        "not reloaded; the old configuration stays"
                    );
                    "serving; the configuration was not reloaded, see the log"
                }
            }
        };
        move || reloading(&reload)
    }
}

/// Tells what watches the gateway which configuration is in force.
fn in_force(config: &Config, surroundings: &Surroundings) {
    let shown = certificates::shown(config);
    #[cfg(feature = "http")]
    surroundings.metrics.configured(config, &shown);
    surroundings.certificates.shows(shown);
}

/// Gives sockets that stay what new connections start with now.
fn replace<'c, C, S>(
    listening: &[(SocketAddr, C)],
    addresses: impl Iterator<Item = &'c [SocketAddr]>,
    settings: &[Arc<S>],
    put: impl Fn(&C, Arc<S>),
) {
    let configured: Vec<_> = addresses.zip(settings).collect();
    for (address, current) in listening {
        let mut own = configured.iter();
        match own.find(|(addresses, _)| addresses.contains(address)) {
            Some((_, settings)) => put(current, Arc::clone(settings)),
            None => tracing::warn!(%address, "no longer configured; it stays until a restart"),
        }
    }
    for address in configured.iter().flat_map(|(addresses, _)| *addresses) {
        if !listening.iter().any(|(own, _)| own == address) {
            tracing::warn!(%address, "new; listening there needs a restart");
        }
    }
}

fn warn_of_restart(old: &Config, new: &Config) {
    for (what, changed) in [
        ("runtime", old.runtime != new.runtime),
        (
            "timers.shutdown_grace",
            old.bounds.shutdown_grace != new.bounds.shutdown_grace,
        ),
        (
            "timers.drain_delay",
            old.bounds.drain_delay != new.bounds.drain_delay,
        ),
    ] {
        if changed {
            tracing::warn!(what, "changed; this needs a restart");
        }
    }
}
