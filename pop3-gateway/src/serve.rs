//! `serve`: binds, and runs until it is asked to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "acme")]
use crate::acme::Plan;
use crate::config::{Config, RuntimeKind};
#[cfg(feature = "acme")]
use crate::config::{Http, acme};
#[cfg(feature = "http")]
use crate::http::{Current, Web};
use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::settings::Reloadable;
use pop3_server::setup::Setup;

#[cfg(feature = "cluster")]
use crate::cluster::Node;
use crate::logging::Logging;
use crate::reload::{Latest, Reloader};
use crate::service::Gateway;
#[cfg(feature = "http")]
use crate::setting::value::Word as _;
use crate::sockets::{Own, Sockets};
use crate::systemd::{Manager, passed};
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
pub(crate) struct Listening<C> {
    pub(crate) own: Own,
    pub(crate) current: C,
}

impl<C: Clone> Listening<C> {
    /// What listens on the sockets of these tables.
    fn on<S>(tables: Vec<Vec<Own>>, settings: &[Arc<S>], start: impl Fn(Arc<S>) -> C) -> Vec<Self> {
        let tables = tables.into_iter().zip(settings);
        let all = tables.flat_map(|(table, settings)| {
            let current = || start(Arc::clone(settings));
            let listening = |own| Self {
                own,
                current: current(),
            };
            table.into_iter().map(listening).collect::<Vec<_>>()
        });
        all.collect()
    }

    /// What a reload needs of these.
    fn kept(all: &[Self]) -> Vec<Self> {
        let kept = |own: &Self| Self {
            own: own.own.kept(),
            current: own.current.clone(),
        };
        all.iter().map(kept).collect()
    }
}

impl Listening<Reloadable<Gateway>> {
    /// Tells the operator of it.
    pub(crate) fn announce(&self, runtime: RuntimeKind) {
        let (address, settings) = (self.own.address, self.current.current());
        let (listener, tls) = (&settings.name, settings.policy.tls);
        tracing::info!(%address, listener, ?tls, ?runtime, "listening");
    }
}

#[cfg(feature = "http")]
impl Listening<Current> {
    /// Tells the operator of it.
    pub(crate) fn announce(&self) {
        let (address, tls) = (self.own.address, self.current.site().tls.is_some());
        tracing::info!(%address, tls, "listening for HTTP");
    }
}

/// Runs `serve`.
pub fn run(arguments: &cli::Serve) -> Result<(), Failure> {
    let passed = passed()?;
    let mut config = configuration(arguments)?;
    let log = logging::start(config.log)?;
    let descriptors = descriptors::raise();
    fit(&mut config, descriptors);
    let sockets = Sockets::open(&config, passed)?;
    privileges::become_other(arguments.user.as_deref(), arguments.group.as_deref())?;
    advice::give(&config, arguments.file());
    let recorder = config.transcript.clone().map(record).transpose()?;
    let shown = arguments.show_dialogue.then(show).transpose()?;
    #[cfg(feature = "cluster")]
    let node = config.cluster.as_ref().map(Node::join).transpose()?;
    let mut surroundings = Surroundings {
        transcript: transcript::sink(recorder.clone(), shown.clone()),
        #[cfg(feature = "cluster")]
        node: node.clone(),
        ..Surroundings::default()
    };
    let mut written = Written {
        log,
        recorder: None,
        shown,
    };
    written.transcribe(recorder, &surroundings);
    let server = Server::builder();
    #[cfg(feature = "cluster")]
    let server = match &node {
        Some(node) => node.serving(server),
        None => server,
    };
    #[cfg(all(feature = "http", feature = "cluster"))]
    if let Some(node) = &node {
        surroundings.metrics.node.joined(node.handle().clone());
    }
    #[cfg(feature = "http")]
    let server = surroundings.metrics.watch(server);
    #[cfg(not(feature = "http"))]
    let server = server.build();
    #[cfg(feature = "cluster")]
    node.iter().try_for_each(|node| node.watch(&server))?;
    surroundings.parking = server.parking().clone();
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
    let reloader = Reloader {
        arguments: arguments.clone(),
        written: Arc::clone(&written),
        descriptors,
        latest: Mutex::new(Latest {
            config,
            surroundings,
            runtime: bound.runtime,
            listening: Listening::kept(&bound.listening),
            #[cfg(feature = "http")]
            http: Listening::kept(&bound.http),
            #[cfg(feature = "http")]
            shutdown: server.shutdown().clone(),
        }),
    };
    let done = bound.serve(server, Some(reloader));
    #[cfg(feature = "cluster")]
    let left = node.map_or(Ok(()), |node| node.leave());
    #[cfg(feature = "cluster")]
    let done = done.and(left);
    // a reload that still runs keeps what it needs
    lock(&written).flush();
    done
}

/// What is written down: the log and transcripts.
pub(crate) struct Written {
    pub(crate) log: Logging,
    recorder: Option<Arc<Recorder>>,
    /// What standard output is shown, if anything.
    pub(crate) shown: Option<Arc<Recorder>>,
}

impl Written {
    /// Transcripts go there from now on. Sessions that have one already end it as they began it.
    #[cfg_attr(
        not(feature = "http"),
        expect(unused_variables, reason = "nothing is counted")
    )]
    pub(crate) fn transcribe(
        &mut self,
        recorder: Option<Arc<Recorder>>,
        surroundings: &Surroundings,
    ) {
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
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The configuration file, or the configuration that flags of the command line make.
pub(crate) fn configuration(arguments: &cli::Serve) -> Result<Config, Failure> {
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
pub(crate) fn fit(config: &mut Config, descriptors: Option<u64>) {
    if let Some((fitting, warning)) = descriptors::shortage(config, descriptors) {
        tracing::warn!("{warning}");
        config.bounds.allow(fitting);
    }
    if let Some(limit) = descriptors {
        let left = descriptors::left(config, limit);
        config.bounds.parked = config.bounds.parked.min(left);
    }
}

pub(crate) fn record(dir: PathBuf) -> Result<Arc<Recorder>, Failure> {
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
        Self::on(Sockets::open(config, Vec::new())?, config, surroundings)
    }

    fn on(sockets: Sockets, config: &Config, surroundings: &Surroundings) -> Result<Self, Failure> {
        let runtime = runtime::chosen(config.runtime)?;
        let wired = wiring::wire(config, surroundings, Absent::Make)?;
        let listening = Listening::on(sockets.listeners, &wired.listeners, Reloadable::new);
        #[cfg(feature = "http")]
        let http = Listening::on(sockets.http, &wired.sites, Current::new);
        Ok(Self {
            listening,
            #[cfg(feature = "http")]
            http,
            runtime,
            grace: config.bounds.shutdown_grace,
            drain: config.drain_delay(),
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listening.iter().map(|own| own.own.address).collect()
    }

    /// Where it listens for HTTP.
    #[cfg(feature = "http")]
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.http.iter().map(|own| own.own.address).collect()
    }

    /// Accepts and serves connections until the server is asked to stop. Without a reloader the configuration stays.
    pub fn serve(self, server: Server, reloader: Option<Reloader>) -> Result<(), Failure> {
        for own in &self.listening {
            own.announce(self.runtime);
        }
        #[cfg(feature = "http")]
        self.http.iter().for_each(Listening::<Current>::announce);
        let done: std::io::Result<()> = match self.runtime {
            #[cfg(feature = "tokio")]
            RuntimeKind::Tokio => pop3_server_tokio::run(self.setup(server, reloader)),
            #[cfg(feature = "smol")]
            RuntimeKind::Smol => pop3_server_smol::run(self.setup(server, reloader)),
            #[cfg(not(all(feature = "tokio", feature = "smol")))]
            left_out => return Err(runtime::not_built(left_out)),
        };
        done.map_err(Failure::running)
    }

    fn setup<R: Runtime>(self, server: Server, reloader: Option<Reloader>) -> Setup<R> {
        #[cfg(feature = "http")]
        let shutdown = server.shutdown().clone();
        let setup = Setup::new()
            .server(server)
            .supervisor(Manager)
            .grace(self.grace)
            .drain(self.drain);
        let setup = match reloader {
            Some(reloader) => setup.on_reload(move |live| reloader.reload(live)),
            None => setup,
        };
        let listening = self.listening.into_iter();
        let listening = listening.filter_map(|own| Some((own.own.socket?, own.current)));
        let setup = listening.fold(setup, |setup, (socket, current)| {
            setup.pop3(socket, current)
        });
        #[cfg(feature = "http")]
        let setup = {
            let http = self.http.into_iter();
            let http = http.filter_map(|own| Some((own.own.socket?, own.current)));
            http.fold(setup, |setup, (socket, current)| {
                setup.speak(socket, Web::new(current, shutdown.clone()))
            })
        };
        setup
    }
}

/// Tells what watches the gateway which configuration is in force.
pub(crate) fn in_force(config: &Config, surroundings: &Surroundings) {
    let shown = certificates::shown(config);
    #[cfg(feature = "http")]
    surroundings.metrics.configured(config, &shown);
    surroundings.certificates.shows(shown);
    surroundings.parking.allow(config.bounds.parked);
    surroundings.lots.keep(&config.upstreams);
    #[cfg(feature = "acme")]
    if let Err(error) = surroundings.acme.follow(plan(config, surroundings)) {
        tracing::error!(%error, "no certificate can be asked for");
    }
}

/// Which certificates a CA is to be asked for.
#[cfg(feature = "acme")]
fn plan(config: &Config, surroundings: &Surroundings) -> Option<Plan> {
    let settings = config.acme.clone()?;
    let mut places: Vec<_> = acme::looked_at(config).map(Http::has_tls).collect();
    places.sort_unstable_by_key(|has_tls| !has_tls);
    places.dedup();
    let (metrics, watchman) = (
        surroundings.metrics.clone(),
        surroundings.certificates.clone(),
    );
    let with = config.clone();
    Some(Plan {
        settings,
        certificates: acme::certificates(config),
        with_tls: places,
        renewed: Arc::new(move || {
            let shown = certificates::shown(&with);
            metrics.configured(&with, &shown);
            watchman.shows(shown);
        }),
    })
}
