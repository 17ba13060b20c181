//! `serve`: binds, and runs until it is asked to stop.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::settings::Reloadable;
use pop3_server::setup::Setup;

#[cfg(feature = "cluster")]
use crate::cluster::Node;
use crate::config::{Config, RuntimeKind};
#[cfg(feature = "http")]
use crate::http::{Current, Web};
use crate::reload::{Latest, Reloader};
use crate::running::{Listening, Written, configuration, fit, in_force, lock, record};
use crate::service::Gateway;
#[cfg(feature = "http")]
use crate::setting::value::Word as _;
use crate::sockets::Sockets;
use crate::systemd::{Manager, hold, passed};
use crate::transcript::{self, Display, Recorder};
use crate::wiring::{self, Absent, Surroundings};
use crate::{Failure, advice, cli, descriptors, logging, privileges, runtime};

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

/// Runs `serve`.
pub fn run(arguments: &cli::Serve) -> Result<(), Failure> {
    hold();
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
    let mut written = Written::new(log, shown);
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
