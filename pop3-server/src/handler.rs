//! What a listener speaks: POP3, or something else beside it.
//!
//! Accepting, limits and the end of the server are the same for all listeners. A [`Handler`] gets a connection
//! that has its place, and runs it. The handler that speaks POP3 is [`Reloadable`](crate::settings::Reloadable).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::alarm::Deadline;
use crate::crowd::Place;
use crate::limit::Limits;
use crate::preamble::Preamble;
use crate::runtime::Runtime;
use crate::server::Server;
use crate::service::Peer;
use crate::shutdown::{Member, Phase};

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
        }
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

    /// What came after the preamble and is already read; the stream does not give it again.
    pub fn early(&mut self) -> Box<[u8]> {
        std::mem::take(&mut self.early)
    }

    /// The runtime that the connection is on.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// Runs what `speak` makes of the connection. It is dropped when its place is given to another, and when
    /// the server shuts down and the grace is over.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(
        self,
        speak: impl FnOnce(R::Stream) -> F,
    ) {
        let Self {
            stream,
            place,
            member,
            runtime,
            ..
        } = self;
        runtime.spawn(Placed {
            task: Box::pin(speak(stream)),
            place,
            member,
        });
    }
}

/// A task that has its place as long as it runs.
struct Placed {
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    place: Place,
    member: Member,
}

impl Future for Placed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Both are asked until they have nothing new, so that both wake.
        while let Poll::Ready(phase) = self.member.poll_phase(cx) {
            if phase == Phase::Ending {
                return Poll::Ready(());
            }
        }
        if self.place.poll_turned_out(cx).is_ready() {
            return Poll::Ready(());
        }
        self.task.as_mut().poll(cx)
    }
}
