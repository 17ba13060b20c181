//! Backends of any kind as one type.
//!
//! Owns the one place where the type of what jobs bring back is forgotten and found again. It changes
//! nothing of what a backend says or does.
//!
//! A program that serves several kinds of mailbox needs one type for all of their backends, and backends
//! differ in [`Backend::Done`]. [`Erased::boxed`] makes an [`AnyBackend`] of any of them.

use alloc::boxed::Box;
use alloc::string::String;
use core::any::Any;
use core::fmt;

use super::{Backend, Effect, Failure, Job, Note, Outcome, Reply, Request};
use crate::time::Time;
use crate::trace::Trace;

/// A backend of any kind.
pub type AnyBackend = Box<dyn Backend<Done = AnyDone>>;

/// What a job brings back, whatever it is. Only the backend that asked for the job can read it.
pub struct AnyDone(Box<dyn Any + Send>);

impl AnyDone {
    /// The same job; what it brings back is of this type.
    pub(super) fn of_job<D: Send + 'static>(job: Job<D>) -> Job<Self> {
        match job {
            Job::Block(job) => Job::Block(Box::new(move || Self(Box::new(job())))),
            Job::Await(job) => Job::Await(Box::pin(async move { Self(Box::new(job.await)) })),
        }
    }

    /// The result in its own type. If a driver mixed up jobs, this one counts as lost.
    pub(super) fn read<D: 'static>(self) -> Result<D, Failure> {
        match self.0.downcast() {
            Ok(done) => Ok(*done),
            Err(_) => Err(Failure::temporary("a job's result went to the wrong store")),
        }
    }
}

impl fmt::Debug for AnyDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyDone").finish_non_exhaustive()
    }
}

/// A backend whose jobs bring back [`AnyDone`].
#[derive(Clone, Debug)]
pub struct Erased<B>(B);

impl<B: Backend> Erased<B> {
    /// The same backend, without the type of what its jobs bring back.
    pub fn new(backend: B) -> Self {
        Self(backend)
    }

    /// The same backend, without its type.
    pub fn boxed(backend: B) -> AnyBackend
    where
        B: 'static,
    {
        Box::new(Self(backend))
    }
}

/// The methods that go through to another backend as they are.
macro_rules! pass_on {
    ($self:ident to $inner:expr) => {
        fn handle_timeout(&mut $self, now: Time) {
            $inner.handle_timeout(now);
        }

        fn poll_timeout(&$self) -> Option<Time> {
            $inner.poll_timeout()
        }

        fn recv_buf(&mut $self) -> &mut [u8] {
            $inner.recv_buf()
        }

        fn received(&mut $self, now: Time, n: usize) {
            $inner.received(now, n);
        }

        fn transmit(&$self) -> &[u8] {
            $inner.transmit()
        }

        fn transmitted(&mut $self, now: Time, n: usize) {
            $inner.transmitted(now, n);
        }

        fn poll_trace(&mut $self) -> Option<Trace> {
            $inner.poll_trace()
        }
    };
}

/// What else an unwrapped backend and a wrapped one have in common.
macro_rules! pass_on_dialogue {
    ($self:ident to $inner:expr) => {
        fn handle_request(&mut $self, now: Time, request: Request) {
            $inner.handle_request(now, request);
        }

        fn poll_reply(&mut $self, now: Time, room: usize) -> Option<Reply<'_>> {
            $inner.poll_reply(now, room)
        }

        fn maildrop(&$self) -> Option<String> {
            $inner.maildrop()
        }

        fn record(&mut $self) {
            $inner.record();
        }

        fn poll_note(&mut $self) -> Option<Note> {
            $inner.poll_note()
        }
    };
}

pub(super) use pass_on;

impl<B: Backend> Backend for Erased<B> {
    type Done = AnyDone;

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<AnyDone>) {
        let outcome = match outcome {
            Outcome::Connected => Outcome::Connected,
            Outcome::Resumed(waiting) => Outcome::Resumed(waiting),
            Outcome::TlsReady => Outcome::TlsReady,
            Outcome::Lost(failure) => Outcome::Lost(failure),
            Outcome::Done(done) => match done.read() {
                Ok(done) => Outcome::Done(done),
                Err(failure) => Outcome::Lost(failure),
            },
        };
        self.0.handle_outcome(now, outcome);
    }

    fn poll_effect(&mut self) -> Option<Effect<AnyDone>> {
        Some(match self.0.poll_effect()? {
            Effect::Connect(endpoint) => Effect::Connect(endpoint),
            Effect::Resume(wanted) => Effect::Resume(wanted),
            Effect::Park(parked) => Effect::Park(parked),
            Effect::StartTls { server_name } => Effect::StartTls { server_name },
            Effect::Disconnect => Effect::Disconnect,
            Effect::Run(job) => Effect::Run(AnyDone::of_job(job)),
        })
    }

    pass_on!(self to self.0);
    pass_on_dialogue!(self to self.0);
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    type Done = B::Done;

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<B::Done>) {
        (**self).handle_outcome(now, outcome);
    }

    fn poll_effect(&mut self) -> Option<Effect<B::Done>> {
        (**self).poll_effect()
    }

    pass_on!(self to (**self));
    pass_on_dialogue!(self to (**self));
}
