//! What a server serves, put together before it runs.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::server::Policy;

use crate::accept::{Reload, Sockets, serve};
use crate::handler::Handler;
use crate::live::{Live, Patience};
use crate::runtime::{NoSignals, Runtime, Signals};
use crate::server::Server;
use crate::service::Service;
use crate::serving::Serving;
use crate::settings::{Reloadable, Settings};
use crate::store::{AsyncStore, AsyncStored};
use crate::supervisor::{Supervisor, Unsupervised};

/// Sockets with their handlers, and how the server ends. A driver crate runs it.
#[must_use]
pub struct Setup<R: Runtime> {
    server: Server,
    sockets: Sockets<R>,
    reload: Reload<R>,
    supervisor: Arc<dyn Supervisor>,
    patience: Patience,
    threads: usize,
}

impl<R: Runtime> Default for Setup<R> {
    fn default() -> Self {
        Self {
            server: Server::new(),
            sockets: Vec::new(),
            reload: Arc::new(|_| {}),
            supervisor: Arc::new(Unsupervised),
            patience: Patience {
                drain: Duration::ZERO,
                grace: Duration::from_secs(30),
            },
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl<R: Runtime> fmt::Debug for Setup<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sockets: Vec<_> = self.sockets.iter().map(|(socket, _)| socket).collect();
        f.debug_struct("Setup")
            .field("sockets", &sockets)
            .field("patience", &self.patience)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Setup<R> {
    /// A server that listens nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What all connections share, in the place of a fresh [`Server`].
    pub fn server(mut self, server: Server) -> Self {
        self.server = server;
        self
    }

    /// Speaks POP3 on a socket that listens already.
    pub fn pop3<S: Service>(self, socket: TcpListener, settings: impl Into<Reloadable<S>>) -> Self {
        self.speak(socket, settings.into())
    }

    /// Speaks POP3 over one store on a socket of this machine, where passwords may come in the clear.
    ///
    /// Fails if other machines can reach the socket: that needs TLS, or an explicit [`Policy::clear_login`],
    /// both with [`pop3`](Self::pop3).
    pub fn store<S: AsyncStore>(self, socket: TcpListener, store: S) -> io::Result<Self> {
        if !socket.local_addr()?.ip().is_loopback() {
            let text = "a store without TLS is served to this machine alone: 127.0.0.1 or ::1";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let settings = Settings::new(Arc::new(AsyncStored::new(store)));
        let policy = Policy::default().clear_login(true);
        Ok(self.pop3(socket, settings.policy(policy)))
    }

    /// Speaks something on a socket that listens already.
    pub fn speak(mut self, socket: TcpListener, handler: impl Handler<R>) -> Self {
        self.sockets.push((socket, Arc::new(handler)));
        self
    }

    /// Sets what to do when the process is asked to read its configuration again (SIGHUP). May block;
    /// calls never overlap. It may change where the server listens.
    pub fn on_reload(mut self, reload: impl Fn(&Live<R>) + Send + Sync + 'static) -> Self {
        self.reload = Arc::new(reload);
        self
    }

    /// Sets what watches over the server from outside.
    pub fn supervisor(mut self, supervisor: impl Supervisor) -> Self {
        self.supervisor = Arc::new(supervisor);
        self
    }

    /// Sets how long connections are accepted as before after the first signal to stop, in which the phase of the
    /// [`shutdown`](crate::shutdown) is [`Draining`](crate::shutdown::Phase::Draining); a second signal ends it. Not
    /// at all by default, and not after [`Shutdown::advance`](crate::shutdown::Shutdown::advance).
    pub fn drain(mut self, drain: Duration) -> Self {
        self.patience.drain = drain;
        self
    }

    /// Sets how long connections may take to finish when the server shuts down; 30 seconds by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.patience.grace = grace;
        self
    }

    /// Sets how many threads run connections, where the server has threads of its own; one for each
    /// processor by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// For driver crates: how many threads are wanted, at least one.
    pub fn wanted_threads(&self) -> usize {
        self.threads
    }

    /// For driver crates: serves connections until the server is asked to stop and all connections are gone, or
    /// the grace is over. Fails if a socket cannot be used.
    pub async fn serve(self, runtime: R, signals: impl Signals) -> io::Result<()> {
        let Self {
            server,
            sockets,
            reload,
            supervisor,
            patience,
            ..
        } = self;
        let live = Live::new(runtime, patience);
        serve(server, live, sockets, signals, reload, supervisor).await
    }

    /// For driver crates: the same in a task of its own, without signals.
    pub fn start(self, runtime: R) -> Serving {
        let shutdown = self.server.shutdown().clone();
        let task = runtime.clone();
        Serving::start(&runtime, shutdown, self.serve(task, NoSignals))
    }
}
