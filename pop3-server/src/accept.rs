//! The accept loop, and how the server ends.
//!
//! Owns the sockets that accept, and the pause after accepting failed. Never knows what a listener speaks: a
//! connection that got its place is handed to the listener's handler.

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::time::Time;

use crate::alarm::Alarm;
use crate::handler::{Arrival, Door, Handler};
use crate::limit::{Limit, Slots};
use crate::live::{Live, Open, Ready};
use crate::observer::Unheard;
use crate::preamble;
use crate::runtime::{Accepted, Listener, Runtime, Signal, Signals, Stream, Timer};
use crate::server::Server;
use crate::service::Peer;
use crate::shutdown::Phase;
use crate::supervisor::{Pulse, Supervisor};

/// Whose lines these are in the log.
const TARGET: &str = "pop3_server::server";

/// How long accepting pauses when the system has nothing left to accept with.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How many connections are accepted before other tasks get their turn.
const BATCH: usize = 32;

/// How many connections are accepted that wait at a socket that is closed.
const WAITING: usize = 1024;

/// How long connections may take to notice that the time is over.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What reads the configuration again; may block.
pub(crate) type Reload<R> = Arc<dyn Fn(&Live<R>) + Send + Sync>;

/// Accepting sockets, and the handler of each.
pub(crate) type Sockets<R> = Vec<(TcpListener, Arc<dyn Handler<R>>)>;

/// Serves connections until the server is asked to stop and all connections are gone, or the grace
/// is over.
pub(crate) async fn serve<R: Runtime>(
    server: Server,
    live: Live<R>,
    sockets: Sockets<R>,
    mut signals: impl Signals,
    reload: Reload<R>,
    supervisor: Arc<dyn Supervisor>,
) -> io::Result<()> {
    let runtime = live.runtime().clone();
    let reloading = Reloading {
        reload,
        live: live.clone(),
        turn: Arc::default(),
    };
    let listeners: io::Result<Vec<_>> = sockets
        .into_iter()
        .map(|(socket, handler)| Open::new(&runtime, socket, handler))
        .collect();
    let alarm = Alarm::default();
    let mut alarm_timer = runtime.timer();
    let mut accepting = Accepting {
        listeners: listeners?,
        timer: runtime.timer(),
        pause: None,
        entrance: Entrance {
            alarm: alarm.clone(),
            server: server.clone(),
            runtime: runtime.clone(),
            before: Slots::default(),
        },
    };
    let mut pulse = Pulse::new(&runtime, &*supervisor);
    let shutdown = server.shutdown().clone();
    supervisor.serving();
    let mut timer = runtime.timer();
    let mut drained = None;
    poll_fn(|cx| {
        shutdown.watch(cx);
        alarm.keep(&runtime, &mut alarm_timer, cx);
        pulse.beat(&runtime, &*supervisor, cx);
        while let Poll::Ready(signal) = signals.poll_signal(cx) {
            reloading.signalled(&server, signal);
        }
        match shutdown.phase() {
            Phase::Running => {}
            Phase::Draining => {
                let until = *drained.get_or_insert_with(|| {
                    supervisor.draining();
                    let (connections, drain) = (shutdown.members(), live.patience().drain);
                    tracing::info!(target: TARGET, connections, after = ?drain, "stopping soon");
                    runtime.now() + drain
                });
                if timer.poll_at(cx, until).is_ready() {
                    shutdown.advance();
                    return Poll::Ready(());
                }
            }
            Phase::Finishing | Phase::Ending => return Poll::Ready(()),
        }
        for change in live.changes(cx) {
            accepting.change(change, cx);
        }
        accepting.poll(cx)
    })
    .await;
    let grace = live.end().grace;
    drop(accepting);

    supervisor.stopping();
    tracing::info!(target: TARGET, connections = shutdown.members(), "stopping");
    let mut until = runtime.now() + grace;
    poll_fn(|cx| {
        shutdown.watch(cx);
        alarm.keep(&runtime, &mut alarm_timer, cx);
        pulse.beat(&runtime, &*supervisor, cx);
        while let Poll::Ready(signal) = signals.poll_signal(cx) {
            reloading.signalled(&server, signal);
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
    tracing::info!(target: TARGET, cut_off = shutdown.members(), "stopped");
    Ok(())
}

/// What a signal asks for.
struct Reloading<R: Runtime> {
    reload: Reload<R>,
    live: Live<R>,
    /// Reloads run one after the other, so the configuration that was read last is in force.
    turn: Arc<Mutex<()>>,
}

impl<R: Runtime> Reloading<R> {
    fn signalled(&self, server: &Server, signal: Signal) {
        match signal {
            Signal::Stop => {
                let shutdown = server.shutdown();
                match shutdown.phase() {
                    Phase::Running if !self.live.patience().drain.is_zero() => {
                        shutdown.advance_to(Phase::Draining)
                    }
                    Phase::Running | Phase::Draining | Phase::Finishing | Phase::Ending => {
                        shutdown.advance();
                    }
                }
            }
            Signal::Reload => {
                let (reload, turn) = (Arc::clone(&self.reload), Arc::clone(&self.turn));
                let (runtime, live) = (self.live.runtime(), self.live.clone());
                let job = runtime.block(move || {
                    let _turn = turn.lock();
                    reload(&live);
                });
                runtime.spawn(async {
                    if let Err(error) = job.await {
                        tracing::error!(target: TARGET, %error, "reload failed");
                    }
                });
            }
        }
    }
}

/// All accepting sockets of a server.
struct Accepting<R: Runtime> {
    listeners: Vec<Open<R>>,
    timer: R::Timer,
    pause: Option<Time>,
    entrance: Entrance<R>,
}

impl<R: Runtime> Accepting<R> {
    fn change(&mut self, change: Ready<R>, cx: &mut Context<'_>) {
        for gone in &change.gone {
            let own = |open: &Open<R>| open.address == *gone;
            let Some(place) = self.listeners.iter().position(own) else {
                continue;
            };
            let mut open = self.listeners.swap_remove(place);
            // A client that found the socket open is not to find it closed.
            for _ in 0..WAITING {
                match open.listener.poll_accept(cx) {
                    Poll::Ready(Ok(accepted)) => self.entrance.let_in(&open.handler, accepted, cx),
                    Poll::Ready(Err(error)) if concerns_one(&error) => {}
                    Poll::Ready(Err(_)) | Poll::Pending => break,
                }
            }
        }
        for (address, handler) in change.others {
            let mut all = self.listeners.iter_mut();
            if let Some(open) = all.find(|open| open.address == address) {
                open.handler = handler;
            }
        }
        self.listeners.extend(change.new);
    }

    /// Never ready: accepting ends when it is dropped.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(until) = self.pause {
            if self.timer.poll_at(cx, until).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        for Open {
            listener, handler, ..
        } in &mut self.listeners
        {
            let mut turns = 0;
            loop {
                if turns == BATCH {
                    cx.waker().wake_by_ref();
                    break;
                }
                turns += 1;
                match listener.poll_accept(cx) {
                    Poll::Ready(Ok(accepted)) => {
                        self.entrance.let_in(handler, accepted, cx);
                    }
                    Poll::Ready(Err(error)) if concerns_one(&error) => {}
                    Poll::Ready(Err(error)) => {
                        // Most likely descriptors have run out: a connection that only waits, or else a client that has
                        // not logged in, makes room for the newcomer.
                        let server = &self.entrance.server;
                        let made_room = server.parking().make_room() || server.crowd().make_room();
                        server.observer().limited(Limit::Descriptors);
                        tracing::error!(
                            target: TARGET,
                            %error,
                            made_room,
                            "cannot accept connections; trying again soon"
                        );
                        let until = self.entrance.runtime.now() + BACK_OFF;
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

/// Gives connections their places.
#[derive(Clone)]
struct Entrance<R> {
    /// Wakes the connections.
    alarm: Alarm,
    server: Server,
    runtime: R,
    /// The connections that are at the preamble.
    before: Slots<()>,
}

impl<R: Runtime> Entrance<R> {
    fn let_in(
        &self,
        handler: &Arc<dyn Handler<R>>,
        accepted: Accepted<R::Stream>,
        cx: &mut Context<'_>,
    ) {
        let Accepted {
            stream,
            peer,
            local,
        } = accepted;
        let (door, peer) = (handler.door(), Peer::new(peer, local));
        let Some(preamble) = door.preamble.clone() else {
            return self.admit(&**handler, &door, stream, peer, Box::default(), cx);
        };
        if !preamble.hears(&peer) {
            return self.unheard(&peer, Unheard::NotTrusted);
        }
        let Some(slot) = self.before.take((), door.limits.strangers) else {
            return self.turn_away(&door, stream, &peer, Limit::Strangers, cx);
        };
        let (entrance, handler) = (self.clone(), Arc::clone(handler));
        let mut member = self.server.shutdown().join();
        let mut stream = stream;
        self.runtime.spawn(async move {
            let runtime = &entrance.runtime;
            let read = preamble::read(&*preamble, runtime, &mut stream, &peer, &mut member).await;
            drop(slot);
            let (named, early) = match read {
                Ok(read) => read,
                Err(Some(why)) => return entrance.unheard(&peer, why),
                Err(None) => return,
            };
            if named.address != peer.address {
                let (proxy, peer) = (peer.address, named.address);
                tracing::debug!(target: TARGET, %peer, %proxy, "connected through a proxy");
            }
            let mut arrived = Some((stream, named, early));
            poll_fn(|cx| {
                if let Some((stream, peer, early)) = arrived.take() {
                    entrance.admit(&*handler, &door, stream, peer, early, cx);
                }
                Poll::Ready(())
            })
            .await;
        });
    }

    /// `early` came after the preamble.
    fn admit(
        &self,
        handler: &dyn Handler<R>,
        door: &Door,
        stream: R::Stream,
        peer: Peer,
        early: Box<[u8]>,
        cx: &mut Context<'_>,
    ) {
        let (address, now) = (peer.address.ip(), self.runtime.now());
        let crowd = door.crowd.as_ref().unwrap_or_else(|| self.server.crowd());
        let place = match crowd.admit(&door.limits, address, now) {
            Ok(place) => place,
            Err(limit) => return self.turn_away(door, stream, &peer, limit, cx),
        };
        handler.handle(Arrival {
            stream,
            early,
            peer,
            place,
            member: self.server.shutdown().join(),
            deadline: self.alarm.join(),
            server: self.server.clone(),
            runtime: self.runtime.clone(),
        });
    }

    /// The stream is closed when it is dropped, by the caller.
    fn unheard(&self, peer: &Peer, why: Unheard) {
        let now = self.runtime.now();
        self.server.observer().unheard(peer.address, why, now);
    }

    fn turn_away(
        &self,
        door: &Door,
        mut stream: R::Stream,
        peer: &Peer,
        limit: Limit,
        cx: &mut Context<'_>,
    ) {
        let observer = self.server.observer();
        observer.turned_away(peer.address, self.runtime.now());
        observer.limited(limit);
        // A fresh socket takes these few bytes at once or never; nothing waits for it.
        if !door.full.is_empty() {
            let _ = stream.poll_write(cx, door.full);
        }
        let _ = stream.shut_down();
    }
}
