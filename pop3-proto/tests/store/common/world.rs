//! A session, its backend and the job that runs, moved by hand.

use std::task::{Context, Poll, Waker};

use pop3_proto::backend::{Backend, Effect, Job, Outcome, Reply, Request};
use pop3_proto::server::{Event, Policy, Reason, Session};
use pop3_proto::time::Time;

use super::shelf::in_job;

/// Runs a job to its end.
pub(crate) fn run<D>(job: Job<D>) -> D {
    in_job(|| match job {
        Job::Block(job) => job(),
        Job::Await(mut future) => {
            let mut cx = Context::from_waker(Waker::noop());
            loop {
                if let Poll::Ready(yielded) = future.as_mut().poll(&mut cx) {
                    return yielded;
                }
            }
        }
    })
}

/// What a composition does, without sockets.
pub(crate) struct World<B: Backend> {
    pub(crate) session: Session,
    pub(crate) backend: B,
    /// The next one, for the next login.
    make: Box<dyn Fn() -> B>,
    pub(crate) job: Option<Job<B::Done>>,
    pub(crate) jobs: usize,
    pub(crate) out: Vec<u8>,
    /// Octets that the client takes.
    pub(crate) window: usize,
    pub(crate) closed: Option<Reason>,
}

impl<B: Backend> World<B> {
    pub(crate) fn new(policy: Policy, make: impl Fn() -> B + 'static) -> Self {
        let mut world = Self {
            session: Session::new(policy.into(), "<1.2@host>", Time::ZERO),
            backend: make(),
            make: Box::new(make),
            job: None,
            jobs: 0,
            out: Vec::new(),
            window: usize::MAX,
            closed: None,
        };
        world.settle();
        world.out.clear();
        world
    }

    /// Hands octets in, as many as there is room for, and says how many.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.session.input_room());
        let taken = self.session.handle_input(Time::ZERO, &bytes[..n]);
        self.settle();
        taken
    }

    /// Says it all and runs whatever comes of it.
    pub(crate) fn say(&mut self, text: &str) -> String {
        let mut rest = text.as_bytes();
        loop {
            let n = self.feed(rest);
            rest = &rest[n..];
            if !self.run_job() && n == 0 {
                break;
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.out)).into_owned()
    }

    /// Finishes the job that runs.
    pub(crate) fn run_job(&mut self) -> bool {
        let Some(job) = self.job.take() else {
            return false;
        };
        let done = run(job);
        self.backend.handle_outcome(Time::ZERO, Outcome::Done(done));
        self.settle();
        true
    }

    /// Moves everything but jobs until nothing moves.
    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        if let Some(event) = self.session.poll_event() {
            match event {
                Event::Request(request) => {
                    if matches!(request, Request::Open(_)) {
                        self.backend = (self.make)();
                    }
                    self.backend.handle_request(Time::ZERO, request);
                }
                Event::StartTls => unreachable!("no TLS here"),
                Event::Close(reason) => self.closed = Some(reason),
            }
            return true;
        }
        let room = self.session.body_room();
        if let Some(reply) = self.backend.poll_reply(Time::ZERO, room) {
            if let Reply::Body { bytes, .. } = &reply {
                assert!(!bytes.is_empty() && bytes.len() <= room);
            }
            self.session.handle_reply(Time::ZERO, reply);
            return true;
        }
        if let Some(effect) = self.backend.poll_effect() {
            match effect {
                Effect::Run(job) => {
                    assert!(self.job.replace(job).is_none(), "two jobs at a time");
                    self.jobs += 1;
                }
                Effect::Connect(_)
                | Effect::Resume(_)
                | Effect::Park(_)
                | Effect::StartTls { .. }
                | Effect::Disconnect => {
                    unreachable!("a store has no upstream")
                }
            }
            return true;
        }
        let n = self.window.min(self.session.transmit().len());
        self.out.extend_from_slice(&self.session.transmit()[..n]);
        self.session.transmitted(Time::ZERO, n);
        self.window -= if self.window == usize::MAX { 0 } else { n };
        n > 0
    }
}
