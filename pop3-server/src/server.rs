//! What all connections of a process share, and the accept loop.
//!
//! Owns locks, counts and the shutdown. Never looks into a connection: it makes one for each accepted
//! socket and lets the runtime run it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use pop3_proto::server::TlsOffer;
use pop3_proto::time::Time;

use crate::alarm::Alarm;
use crate::connection::Connection;
use crate::crowd::Crowd;
use crate::dial::Dialler;
use crate::drive::Drive;
use crate::limit::Slots;
use crate::lock::Locks;
use crate::log::Log;
use crate::observer::Observer;
use crate::runtime::{Accepted, Listener, Runtime, Signal, Signals, Stream, Timer};
use crate::service::{Peer, Service};
use crate::settings::Settings;
use crate::shutdown::{Phase, Shutdown};
use crate::throttle::Throttle;

/// How long accepting pauses when the system has nothing left to accept with.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How many connections are accepted before other tasks get their turn.
const BATCH: usize = 32;

/// How long connections may take to notice that the time is over.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Settings that can be replaced while the server runs; new connections start with what is there.
pub type Reloadable<S> = Arc<ArcSwap<Settings<S>>>;

/// What all connections share. Clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    observer: Arc<dyn Observer>,
    locks: Locks,
    throttle: Throttle,
    crowd: Crowd,
    users: Slots<Arc<str>>,
    dialler: Dialler,
    sessions: AtomicU64,
    shutdown: Shutdown,
    reloading: Mutex<()>,
}

/// Makes a server whose parts are not the usual ones.
#[must_use]
pub struct Builder {
    observer: Arc<dyn Observer>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            observer: Arc::new(Log::default()),
        }
    }
}

impl Builder {
    /// Who watches the sessions, in the place of the [`Log`] alone.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// The server, without connections.
    pub fn build(self) -> Server {
        Server(Arc::new(Shared {
            observer: self.observer,
            locks: Locks::default(),
            throttle: Throttle::default(),
            crowd: Crowd::default(),
            users: Slots::default(),
            dialler: Dialler::default(),
            sessions: AtomicU64::default(),
            shutdown: Shutdown::default(),
            reloading: Mutex::default(),
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl Default for Server {
    fn default() -> Self {
        Builder::default().build()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("locks", &self.0.locks)
            .field("crowd", &self.0.crowd)
            .finish_non_exhaustive()
    }
}

/// How a server is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that run connections.
    pub threads: usize,
    /// How long connections may take to finish when the server goes down.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads,
            grace: Duration::from_secs(30),
        }
    }
}

/// What reads the configuration again; may block.
pub type Reload = Arc<dyn Fn() + Send + Sync>;

impl Server {
    /// A server without connections, whose sessions are in the log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the parts of a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.0.observer
    }

    /// The maildrops that are held.
    pub fn locks(&self) -> &Locks {
        &self.0.locks
    }

    /// The way to stop it from elsewhere.
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(crate) fn dialler(&self) -> &Dialler {
        &self.0.dialler
    }

    /// The logins that failed, and who waits.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// The connections.
    pub fn crowd(&self) -> &Crowd {
        &self.0.crowd
    }

    pub(crate) fn users(&self) -> &Slots<Arc<str>> {
        &self.0.users
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Serves connections until the server is told to stop and all connections are gone, or the grace
    /// is over.
    pub async fn serve<S: Service, R: Runtime>(
        self,
        runtime: R,
        sockets: Vec<(TcpListener, Reloadable<S>)>,
        mut signals: impl Signals,
        reload: Reload,
        grace: Duration,
    ) -> io::Result<()> {
        let listeners: io::Result<Vec<_>> = sockets
            .into_iter()
            .map(|(socket, settings)| Ok((runtime.listen(socket)?, settings)))
            .collect();
        let alarm = Alarm::default();
        let mut alarm_timer = runtime.timer();
        let mut accepting = Accepting {
            listeners: listeners?,
            alarm: alarm.clone(),
            timer: runtime.timer(),
            pause: None,
            server: self.clone(),
            runtime: runtime.clone(),
        };
        let shutdown = self.shutdown().clone();
        poll_fn(|cx| {
            shutdown.watch(cx);
            alarm.keep(&runtime, &mut alarm_timer, cx);
            while let Poll::Ready(signal) = signals.poll_signal(cx) {
                self.signalled(&runtime, signal, &reload);
            }
            if shutdown.phase() > Phase::Running {
                return Poll::Ready(());
            }
            accepting.poll(cx)
        })
        .await;
        drop(accepting);

        tracing::info!(connections = shutdown.members(), "stopping");
        let mut timer = runtime.timer();
        let mut until = runtime.now() + grace;
        poll_fn(|cx| {
            shutdown.watch(cx);
            alarm.keep(&runtime, &mut alarm_timer, cx);
            while let Poll::Ready(signal) = signals.poll_signal(cx) {
                self.signalled(&runtime, signal, &reload);
            }
            if shutdown.members() == 0 {
                return Poll::Ready(());
            }
            if shutdown.phase() == Phase::Ending {
                until = until.min(runtime.now() + LAST_CALL);
            }
            while timer.poll_at(cx, until).is_ready() {
                if shutdown.phase() == Phase::Ending {
                    return Poll::Ready(());
                }
                shutdown.advance_to(Phase::Ending);
                until = runtime.now() + LAST_CALL;
            }
            Poll::Pending
        })
        .await;
        tracing::info!(cut_off = shutdown.members(), "stopped");
        Ok(())
    }

    fn signalled<R: Runtime>(&self, runtime: &R, signal: Signal, reload: &Reload) {
        match signal {
            Signal::Stop => self.shutdown().advance(),
            Signal::Reload => {
                let (reload, server) = (Arc::clone(reload), self.clone());
                let job = runtime.block(move || {
                    // One after the other, so that the last one read is the last one in force.
                    let _turn = server.0.reloading.lock();
                    reload();
                });
                runtime.spawn(async {
                    if let Err(error) = job.await {
                        tracing::error!(%error, "reload failed");
                    }
                });
            }
        }
    }
}

/// All accepting sockets of a server.
struct Accepting<S: Service, R: Runtime> {
    listeners: Vec<(R::Listener, Reloadable<S>)>,
    /// Wakes the connections.
    alarm: Alarm,
    timer: R::Timer,
    pause: Option<Time>,
    server: Server,
    runtime: R,
}

impl<S: Service, R: Runtime> Accepting<S, R> {
    /// Never ready: accepting ends when it is dropped.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(until) = self.pause {
            if self.timer.poll_at(cx, until).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        for (listener, settings) in &mut self.listeners {
            let mut turns = 0;
            loop {
                if turns == BATCH {
                    cx.waker().wake_by_ref();
                    break;
                }
                turns += 1;
                match listener.poll_accept(cx) {
                    Poll::Ready(Ok(accepted)) => {
                        let peer = begin(
                            &self.server,
                            &self.runtime,
                            &self.alarm,
                            settings,
                            accepted,
                            cx,
                        );
                        if let Some(peer) = peer {
                            self.server.observer().turned_away(peer, self.runtime.now());
                        }
                    }
                    Poll::Ready(Err(error)) if concerns_one(&error) => {}
                    Poll::Ready(Err(error)) => {
                        // Descriptors, most likely: one who has not logged in makes room for who comes.
                        let made_room = self.server.crowd().make_room();
                        tracing::error!(
                            %error,
                            made_room,
                            "cannot accept connections; trying again soon"
                        );
                        let until = self.runtime.now() + BACK_OFF;
                        self.pause = Some(until);
                        // Arms the timer; should it have passed already, the next poll finds out.
                        if self.timer.poll_at(cx, until).is_ready() {
                            cx.waker().wake_by_ref();
                        }
                        return Poll::Pending;
                    }
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }
}

/// Whether accepting failed for one connection only, which its client gave up.
fn concerns_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied};
    let kind = error.kind();
    [
        ConnectionAborted,
        ConnectionReset,
        Interrupted,
        PermissionDenied,
    ]
    .contains(&kind)
}

/// Starts a connection. Returns who it was if there are too many.
fn begin<S: Service, R: Runtime>(
    server: &Server,
    runtime: &R,
    alarm: &Alarm,
    settings: &Reloadable<S>,
    accepted: Accepted<R::Stream>,
    cx: &mut Context<'_>,
) -> Option<SocketAddr> {
    let Accepted {
        mut stream,
        peer,
        local,
    } = accepted;
    let settings = settings.load_full();
    let implicit = settings.policy.tls == TlsOffer::Implicit;
    let side = Peer {
        address: peer,
        local,
        encrypted: false,
    };
    if let Some(connection) = Connection::new(settings, server, side, runtime.now()) {
        let member = server.shutdown().join();
        let dialler = server.dialler().clone();
        let drive = Drive::new(
            runtime.clone(),
            dialler,
            connection,
            stream,
            alarm.join(),
            member,
        );
        runtime.spawn(drive);
        return None;
    }
    // A fresh socket takes these few bytes at once or never; nobody waits for it. With TLS from the
    // start there is no way to say it.
    if !implicit {
        let _ = stream.poll_write(cx, b"-ERR [SYS/TEMP] too many connections\r\n");
    }
    let _ = stream.shut_down();
    Some(peer)
}
