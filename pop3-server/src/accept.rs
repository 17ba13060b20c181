//! The accept loop, and how the server ends.
//!
//! Owns the sockets that accept, and the pause after accepting failed. Never knows what a listener speaks: a
//! connection that has its place is its handler's.

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::time::Time;

use crate::alarm::Alarm;
use crate::handler::{Arrival, Door, Handler};
use crate::runtime::{Accepted, Listener, Runtime, Signal, Signals, Stream, Timer};
use crate::server::Server;
use crate::service::Peer;
use crate::shutdown::Phase;

/// Whose lines these are in the log.
const TARGET: &str = "pop3_server::server";

/// How long accepting pauses when the system has nothing left to accept with.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How many connections are accepted before other tasks get their turn.
const BATCH: usize = 32;

/// How long connections may take to notice that the time is over.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What reads the configuration again; may block.
pub(crate) type Reload = Arc<dyn Fn() + Send + Sync>;

/// Accepting sockets, and who speaks on them.
pub(crate) type Sockets<R> = Vec<(TcpListener, Arc<dyn Handler<R>>)>;

/// Serves connections until the server is asked to stop and all connections are gone, or the grace
/// is over.
pub(crate) async fn serve<R: Runtime>(
    server: Server,
    runtime: R,
    sockets: Sockets<R>,
    mut signals: impl Signals,
    reload: Reload,
    grace: Duration,
) -> io::Result<()> {
    let reloading = Reloading {
        reload,
        turn: Arc::default(),
    };
    let listeners: io::Result<Vec<_>> = sockets
        .into_iter()
        .map(|(socket, handler)| Ok((runtime.listen(socket)?, handler)))
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
        },
    };
    let shutdown = server.shutdown().clone();
    poll_fn(|cx| {
        shutdown.watch(cx);
        alarm.keep(&runtime, &mut alarm_timer, cx);
        while let Poll::Ready(signal) = signals.poll_signal(cx) {
            reloading.signalled(&runtime, &server, signal);
        }
        if shutdown.phase() > Phase::Running {
            return Poll::Ready(());
        }
        accepting.poll(cx)
    })
    .await;
    drop(accepting);

    tracing::info!(target: TARGET, connections = shutdown.members(), "stopping");
    let mut timer = runtime.timer();
    let mut until = runtime.now() + grace;
    poll_fn(|cx| {
        shutdown.watch(cx);
        alarm.keep(&runtime, &mut alarm_timer, cx);
        while let Poll::Ready(signal) = signals.poll_signal(cx) {
            reloading.signalled(&runtime, &server, signal);
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
struct Reloading {
    reload: Reload,
    /// One after the other, so that the last one read is the last one in force.
    turn: Arc<Mutex<()>>,
}

impl Reloading {
    fn signalled<R: Runtime>(&self, runtime: &R, server: &Server, signal: Signal) {
        match signal {
            Signal::Stop => server.shutdown().advance(),
            Signal::Reload => {
                let (reload, turn) = (Arc::clone(&self.reload), Arc::clone(&self.turn));
                let job = runtime.block(move || {
                    let _turn = turn.lock();
                    reload();
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
    listeners: Vec<(R::Listener, Arc<dyn Handler<R>>)>,
    timer: R::Timer,
    pause: Option<Time>,
    entrance: Entrance<R>,
}

impl<R: Runtime> Accepting<R> {
    /// Never ready: accepting ends when it is dropped.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(until) = self.pause {
            if self.timer.poll_at(cx, until).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        for (listener, handler) in &mut self.listeners {
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
                        // Descriptors, most likely: one who has not logged in makes room for who comes.
                        let made_room = self.entrance.server.crowd().make_room();
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
struct Entrance<R> {
    /// Wakes the connections.
    alarm: Alarm,
    server: Server,
    runtime: R,
}

impl<R: Runtime> Entrance<R> {
    fn let_in(
        &self,
        handler: &Arc<dyn Handler<R>>,
        accepted: Accepted<R::Stream>,
        cx: &mut Context<'_>,
    ) {
        let Accepted {
            mut stream,
            peer,
            local,
        } = accepted;
        let Door { limits, full } = handler.door();
        let now = self.runtime.now();
        let Some(place) = self.server.crowd().admit(&limits, peer.ip(), now) else {
            self.server.observer().turned_away(peer, now);
            // A fresh socket takes these few bytes at once or never; nothing waits for it.
            if !full.is_empty() {
                let _ = stream.poll_write(cx, full);
            }
            let _ = stream.shut_down();
            return;
        };
        handler.handle(Arrival {
            stream,
            peer: Peer::new(peer, local),
            place,
            member: self.server.shutdown().join(),
            deadline: self.alarm.join(),
            server: self.server.clone(),
            runtime: self.runtime.clone(),
        });
    }
}
