//! What a listener speaks: POP3, or something else beside it.
//!
//! Accepting, limits, TLS and the end of the server are the same for all listeners. A [`Handler`] gets a connection
//! that has its place, and runs it. The handler that speaks POP3 is [`Reloadable`](crate::settings::Reloadable). Any
//! other gets a [`Channel`], which is `AsyncRead` and `AsyncWrite` of `futures-io`:
//!
//! ```
//! use futures_lite::{AsyncReadExt, AsyncWriteExt};
//! use pop3_server::handler::{Arrival, Door, Handler};
//! use pop3_server::limit::Limits;
//! use pop3_server::runtime::Runtime;
//! use pop3_server::settings::Timers;
//! use pop3_server::tls::ServerTls;
//!
//! /// Says every octet once more.
//! struct Echo(ServerTls);
//!
//! impl<R: Runtime> Handler<R> for Echo {
//!     fn door(&self) -> Door {
//!         Door::new(Limits::default())
//!     }
//!
//!     fn handle(&self, arrival: Arrival<R>) {
//!         arrival.spawn_tls(&self.0, Timers::default().handshake, |mut visit| async move {
//!             let mut octets = [0; 1024];
//!             while let Ok(n @ 1..) = visit.channel.read(&mut octets).await {
//!                 if visit.channel.write_all(&octets[..n]).await.is_err() {
//!                     break;
//!                 }
//!             }
//!             let _ = visit.channel.close().await;
//!         });
//!     }
//! }
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::alarm::Deadline;
use crate::channel::Channel;
use crate::crowd::{Crowd, Place};
use crate::limit::Limits;
use crate::notice::Notice;
use crate::preamble::Preamble;
use crate::runtime::{Runtime, within};
use crate::server::Server;
use crate::service::Peer;
use crate::shutdown::{Member, Phase};
use crate::tls::ServerTls;

/// Speaks on the connections of a listener.
pub trait Handler<R: Runtime>: Send + Sync + 'static {
    /// What holds for a connection that comes now. Must not block.
    fn door(&self) -> Door;

    /// Speaks on a connection, in a task of its own: see [`Arrival::spawn`]. Must not block.
    fn handle(&self, arrival: Arrival<R>);
}

/// What holds for a connection before it has its place.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Door {
    /// How many connections there may be.
    pub limits: Limits,
    /// What a client is sent when the server is full; nothing if this is empty.
    pub full: &'static [u8],
    /// What reads the first octets, if anything.
    pub preamble: Option<Arc<dyn Preamble>>,
    /// The crowd in which connections have their places, in the place of the server's.
    pub crowd: Option<Crowd>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// A client that is turned away is sent nothing, and there is no preamble.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            full: b"",
            preamble: None,
            crowd: None,
        }
    }

    /// Gives connections their places in another crowd than the server's: neither takes places of the other.
    #[must_use]
    pub fn crowd(mut self, crowd: Crowd) -> Self {
        self.crowd = Some(crowd);
        self
    }

    /// What a client is sent when the server is full.
    #[must_use]
    pub fn full(mut self, full: &'static [u8]) -> Self {
        self.full = full;
        self
    }

    /// What reads the first octets, if anything.
    #[must_use]
    pub fn preamble(mut self, preamble: Option<Arc<dyn Preamble>>) -> Self {
        self.preamble = preamble;
        self
    }
}

/// A connection that has its place.
#[must_use]
pub struct Arrival<R: Runtime> {
    pub(crate) stream: R::Stream,
    pub(crate) early: Box<[u8]>,
    pub(crate) peer: Peer,
    pub(crate) place: Place,
    pub(crate) member: Member,
    pub(crate) deadline: Deadline,
    pub(crate) server: Server,
    pub(crate) runtime: R,
}

impl<R: Runtime> Arrival<R> {
    /// The other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The runtime that the connection is on.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// Runs what `speak` makes of the connection, in the clear. It is dropped when its place is given to another,
    /// and when the server shuts down and the grace is over.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(
        self,
        speak: impl FnOnce(Visit<R>) -> F + Send + 'static,
    ) {
        self.run(|visit, _| async { speak(visit).await });
    }

    /// The same through TLS. It comes to `speak` only after the handshake, for which the client has as long as
    /// `patience`.
    pub fn spawn_tls<F: Future<Output = ()> + Send + 'static>(
        self,
        tls: &ServerTls,
        patience: Duration,
        speak: impl FnOnce(Visit<R>) -> F + Send + 'static,
    ) {
        let tls = tls.clone();
        self.run(move |visit, runtime| async move {
            let Visit {
                mut peer,
                mut channel,
                finishing,
            } = visit;
            let handshake = async move { channel.start_tls(&tls).await.map(|()| channel) };
            let error = match within(&runtime, patience, Box::pin(handshake)).await {
                Some(Ok(channel)) => {
                    peer.encrypted = true;
                    let visit = Visit {
                        peer,
                        channel,
                        finishing,
                    };
                    return speak(visit).await;
                }
                Some(Err(error)) => error,
                None => io::ErrorKind::TimedOut.into(),
            };
            tracing::debug!(
                target: "pop3_server::server", peer = %peer.address, %error, "closed: TLS did not come about"
            );
        });
    }

    fn run<F: Future<Output = ()> + Send + 'static>(self, task: impl FnOnce(Visit<R>, R) -> F) {
        let Self {
            stream,
            early,
            peer,
            place,
            member,
            runtime,
            ..
        } = self;
        let finishing = Arc::<Notice>::default();
        let visit = Visit {
            peer,
            channel: Channel::new(stream, early),
            finishing: Finishing(Arc::clone(&finishing)),
        };
        runtime.clone().spawn(Placed {
            task: Box::pin(task(visit, runtime)),
            place,
            member,
            finishing,
        });
    }
}

/// A connection that is ready to be spoken on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Visit<R: Runtime> {
    /// The other end.
    pub peer: Peer,
    /// What is read and written.
    pub channel: Channel<R::Stream>,
    /// The server goes down.
    pub finishing: Finishing,
}

/// Yields when the server goes down and the connection is to finish what it does. What still stands when the grace
/// is over is cut off.
#[derive(Debug)]
#[must_use = "a future does nothing unless polled"]
pub struct Finishing(Arc<Notice>);

impl Future for Finishing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

/// A task that has its place as long as it runs.
struct Placed {
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    place: Place,
    member: Member,
    finishing: Arc<Notice>,
}

impl Future for Placed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Both are asked until they have nothing new, so that both wake.
        while let Poll::Ready(phase) = self.member.poll_phase(cx) {
            match phase {
                Phase::Running | Phase::Draining => {}
                Phase::Finishing => self.finishing.raise(),
                Phase::Ending => return Poll::Ready(()),
            }
        }
        if self.place.poll_turned_out(cx).is_ready() {
            return Poll::Ready(());
        }
        self.task.as_mut().poll(cx)
    }
}
