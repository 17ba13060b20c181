//! The loop: one connection from accept to close, on any runtime. Written once.
//!
//! A [`Drive`] owns the sockets, a deadline and what runs elsewhere for its connection (an attempt to
//! connect, a job); it decides nothing. Dropping it at any moment releases all of that.
//!
//! Each round asks every source that could move something. Only a round in which nothing moved ends in
//! `Pending`, so each source that was worth asking has the waker by then.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::backend::{Backend, Failure, Job, Outcome};
use pop3_proto::time::Time;
use tracing::Span;

use crate::alarm::Deadline;
use crate::connection::{Action, Connection, Side};
use crate::parking::{Leaving, park};
use crate::runtime::{Boxed, Runtime, Stream};
use crate::service::Service;
use crate::shutdown::{Member, Phase};

/// Rounds of one poll before other tasks get their turn.
const ROUNDS: usize = 32;

/// How much is read from a client at once; clients send little.
const CLIENT_READ: usize = 2 * 1024;

/// What is read from an upstream at once, where it is not read into the backend's own memory: one TLS
/// record of the largest size and a bit.
const UPSTREAM_READ: usize = 17 * 1024;

/// The least time between two deadlines of a connection.
const PATIENCE: Duration = Duration::from_millis(5);

thread_local! {
    /// Where bytes are read to that do not go into the backend's own memory. It belongs to the thread
    /// because it would have to be cleared for every read otherwise.
    static SCRATCH: RefCell<[u8; UPSTREAM_READ]> = const { RefCell::new([0; UPSTREAM_READ]) };
}

type Done<S> = <<S as Service>::Backend as Backend>::Done;

/// One connection from accept to close. Yields when all is done.
#[must_use = "a future does nothing unless polled"]
pub struct Drive<S: Service, R: Runtime> {
    runtime: R,
    connection: Connection<S>,
    client: Option<R::Stream>,
    /// What the client sent before this loop got its socket.
    early: Option<Box<[u8]>>,
    upstream: Option<R::Stream>,
    dialling: Option<Dialling<R::Stream>>,
    job: Option<Boxed<io::Result<Done<S>>>>,
    deadline: Deadline,
    /// No deadline is handled before this: one that does not move must not keep a processor busy.
    patience: Time,
    member: Member,
}

/// An attempt to connect, or why there is no connection.
type Dialling<T> = Boxed<Result<T, String>>;

/// What came of a round.
enum Round {
    Moved,
    Still,
    Finished,
}

impl<S: Service, R: Runtime> Drive<S, R> {
    pub(crate) fn new(
        runtime: R,
        connection: Connection<S>,
        (client, early): (R::Stream, Box<[u8]>),
        deadline: Deadline,
        member: Member,
    ) -> Self {
        Self {
            runtime,
            connection,
            client: Some(client),
            early: (!early.is_empty()).then_some(early),
            upstream: None,
            dialling: None,
            job: None,
            deadline,
            patience: Time::ZERO,
            member,
        }
    }

    fn round(&mut self, cx: &mut Context<'_>) -> Round {
        let now = self.runtime.now();
        let mut moved = match self.member.poll_phase(cx) {
            Poll::Ready(Phase::Ending) => return Round::Finished,
            Poll::Ready(Phase::Finishing) => {
                self.connection.shut_down(now);
                true
            }
            Poll::Ready(Phase::Running | Phase::Draining) | Poll::Pending => false,
        };
        moved |= self.actions();
        moved |= self.outcomes(cx, now);
        // Reading comes first: what an upstream said before it closed is not lost to a failing write.
        moved |= self.read(Side::Client, cx, now);
        moved |= self.read(Side::Upstream, cx, now);
        // A client may log in again once it has its answer: what is put aside for it is there before.
        moved |= self.actions();
        moved |= self.write(Side::Client, cx, now);
        moved |= self.write(Side::Upstream, cx, now);
        moved |= self.connection.poll_calls(cx, now);
        let due = self.due();
        moved |= self.expire(due, now);
        moved |= self.actions();
        if self.connection.is_finished() {
            Round::Finished
        } else if moved {
            Round::Moved
        } else {
            self.wait(due, cx, now);
            Round::Still
        }
    }

    fn actions(&mut self) -> bool {
        let mut moved = false;
        while let Some(action) = self.connection.poll_action() {
            moved = true;
            match action {
                Action::Connect(endpoint) => {
                    self.upstream = None;
                    let dialler = self.connection.server().dialler().clone();
                    let attempt = dialler.dial(self.runtime.clone(), endpoint);
                    self.dialling = Some(Box::pin(attempt));
                }
                Action::Resume(stream) => {
                    self.upstream = stream.downcast().ok().map(|stream| *stream)
                }
                Action::Park(leaving) => self.park(*leaving),
                Action::Disconnect => self.disconnect(),
                Action::Run(job) => self.job = Some(self.start(job)),
                Action::Release => {
                    self.disconnect();
                    self.job = None;
                }
                Action::ShutDownClient => {
                    // A failure here shows again when the socket is read.
                    let _ = self.client.as_mut().map(Stream::shut_down);
                }
                Action::CloseClient => self.client = None,
            }
        }
        moved
    }

    fn disconnect(&mut self) {
        self.upstream = None;
        self.dialling = None;
    }

    fn park(&mut self, leaving: Leaving) {
        if let Some(stream) = self.upstream.take() {
            let (deadline, member) = (self.deadline.another(), self.member.another());
            park(&self.runtime, stream, leaving, deadline, member);
        }
    }

    fn start(&self, job: Job<Done<S>>) -> Boxed<io::Result<Done<S>>> {
        // What a store logs can be tied to its session.
        let session = self.connection.number();
        let span = tracing::info_span!(target: "pop3_server::session", "store", session);
        match job {
            Job::Block(job) => self.runtime.block(move || span.in_scope(job)),
            Job::Await(future) => Box::pin(Guarded { future, span }),
        }
    }

    fn outcomes(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        let mut moved = false;
        if let Some(dialling) = &mut self.dialling
            && let Poll::Ready(attempt) = dialling.as_mut().poll(cx)
        {
            let outcome = match attempt {
                Ok(stream) => {
                    self.upstream = Some(stream);
                    Outcome::Connected
                }
                Err(detail) => Outcome::Lost(Failure::temporary(detail)),
            };
            self.dialling = None;
            self.connection.handle_outcome(now, outcome);
            moved = true;
        }
        if let Some(job) = &mut self.job
            && let Poll::Ready(yielded) = job.as_mut().poll(cx)
        {
            self.job = None;
            let outcome = match yielded {
                Ok(done) => Outcome::Done(done),
                Err(error) => Outcome::Lost(Failure::permanent(error.to_string())),
            };
            self.connection.handle_outcome(now, outcome);
            moved = true;
        }
        moved
    }

    fn read(&mut self, side: Side, cx: &mut Context<'_>, now: Time) -> bool {
        SCRATCH.with_borrow_mut(|scratch| self.read_through(scratch, side, cx, now))
    }

    fn read_through(
        &mut self,
        scratch: &mut [u8; UPSTREAM_READ],
        side: Side,
        cx: &mut Context<'_>,
        now: Time,
    ) -> bool {
        let (stream, scratch) = match side {
            Side::Client => (&mut self.client, &mut scratch[..CLIENT_READ]),
            Side::Upstream => (&mut self.upstream, &mut scratch[..]),
        };
        let Some(stream) = stream else { return false };
        let buf = self.connection.recv_buf(side, scratch);
        if buf.is_empty() {
            return false;
        }
        if side == Side::Client
            && let Some(early) = self.early.take()
        {
            let n = early.len().min(buf.len());
            let (now_read, rest) = early.split_at(n);
            buf[..n].copy_from_slice(now_read);
            self.early = (!rest.is_empty()).then(|| rest.into());
            self.connection.received(side, now, n, scratch);
            scratch[..n].fill(0);
            return true;
        }
        match stream.poll_read(cx, buf) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => self.connection.handle_eof(side, now),
            Poll::Ready(Ok(n)) => {
                self.connection.received(side, now, n, scratch);
                // It may have been a password, and the next read may be another connection's.
                if side == Side::Client {
                    scratch[..n].fill(0);
                }
            }
            Poll::Ready(Err(error)) => self.connection.handle_error(side, now, &error),
        }
        true
    }

    fn write(&mut self, side: Side, cx: &mut Context<'_>, now: Time) -> bool {
        let stream = match side {
            Side::Client => &mut self.client,
            Side::Upstream => &mut self.upstream,
        };
        let Some(stream) = stream else { return false };
        let bytes = self.connection.send_buf(side);
        if bytes.is_empty() {
            return false;
        }
        let written = match self.connection.is_last(side) {
            true => stream.poll_write_last(cx, bytes),
            false => stream.poll_write(cx, bytes),
        };
        match written {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                let error = io::Error::from(io::ErrorKind::WriteZero);
                self.connection.handle_error(side, now, &error);
            }
            Poll::Ready(Ok(n)) => self.connection.sent(side, now, n),
            Poll::Ready(Err(error)) => self.connection.handle_error(side, now, &error),
        }
        true
    }

    fn due(&self) -> Option<Time> {
        let (at, _) = self.connection.poll_timeout()?;
        Some(at.max(self.patience))
    }

    fn expire(&mut self, due: Option<Time>, now: Time) -> bool {
        let is_due = due.is_some_and(|at| at <= now);
        if is_due {
            self.connection.handle_timeout(now);
            self.patience = now + PATIENCE;
        }
        is_due
    }

    /// Nothing moves until something comes or time passes; deadlines that were set on the way here are gone already.
    fn wait(&mut self, due: Option<Time>, cx: &Context<'_>, now: Time) {
        if let Some(at) = due {
            self.deadline.wake_at(at, now, cx);
        }
    }
}

impl<S: Service, R: Runtime> Future for Drive<S, R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..ROUNDS {
            match this.round(cx) {
                Round::Moved => {}
                Round::Still => return Poll::Pending,
                Round::Finished => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A backend's future whose panic is its own.
struct Guarded<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    span: Span,
}

impl<T> Future for Guarded<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Self { future, span } = &mut *self;
        let _entered = span.enter();
        let future = future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(io::Error::other("the backend's job panicked"))),
        }
    }
}
