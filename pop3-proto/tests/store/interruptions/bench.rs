//! An adapter on the bench: asked by hand, one step at a time.

use std::sync::Arc;

use pop3_proto::backend::{
    Access, Effect, Failure, FailureKind, Index, Job, Outcome, Part, RefusalKind, Reply, Request,
    Ticket,
};
use pop3_proto::time::Time;

use crate::common::{Adapter, CHUNK, Shelf, login, shelf::in_job, world};

pub(crate) const ROOM: usize = 50_000;

/// What came out, without the octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Authenticated,
    Entry(u64, String),
    Opened(Access),
    Refused(RefusalKind),
    Start(Ticket),
    End(Ticket),
    BodyFailed(Ticket, FailureKind),
    Updated,
    Kept,
    Failed(FailureKind),
}

impl From<Reply<'_>> for Heard {
    fn from(reply: Reply<'_>) -> Self {
        match reply {
            Reply::Authenticated => Self::Authenticated,
            Reply::Entry { size, unique_id } => {
                Self::Entry(size, String::from_utf8(unique_id.to_vec()).unwrap())
            }
            Reply::Opened { access } => Self::Opened(access),
            Reply::Refused(refusal) => Self::Refused(refusal.kind),
            Reply::BodyStart { ticket, size } => {
                assert_eq!(size, None);
                Self::Start(ticket)
            }
            Reply::BodyEnd { ticket } => Self::End(ticket),
            Reply::BodyFailed { ticket, failure } => Self::BodyFailed(ticket, failure.kind),
            Reply::Updated => Self::Updated,
            Reply::Kept => Self::Kept,
            Reply::Failed(failure) => Self::Failed(failure.kind),
            Reply::Challenge(_) | Reply::Body { .. } => panic!("{reply:?}"),
        }
    }
}

/// An adapter, the job that runs, and what came out.
pub(crate) struct Bench<A: Adapter> {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) adapter: A,
    pub(crate) job: Option<Job<A::Done>>,
    pub(crate) jobs: usize,
    /// The job that never comes back, counted from 1.
    pub(crate) loses: usize,
    pub(crate) heard: Vec<Heard>,
    pub(crate) body: Vec<u8>,
}

impl<A: Adapter> Bench<A> {
    pub(crate) fn new(shelf: Shelf) -> Self {
        let shelf = Arc::new(Shelf {
            blocks: A::BLOCKS,
            ..shelf
        });
        Self {
            adapter: A::of(&shelf),
            shelf,
            job: None,
            jobs: 0,
            loses: 0,
            heard: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.adapter.handle_request(Time::ZERO, request);
    }

    pub(crate) fn retrieve(&mut self, ticket: u32, index: u32) {
        self.ask(Request::Retrieve {
            ticket: Ticket(ticket),
            index: Index(index),
            part: Part::Whole,
        });
    }

    pub(crate) fn update(&mut self, deleted: &[u32]) {
        let deleted = deleted.iter().copied().map(Index).collect();
        let retrieved = vec![Index(1)];
        self.ask(Request::Update { deleted, retrieved });
    }

    /// One thing happens: a reply, an effect, or the end of a job.
    pub(crate) fn step(&mut self) -> bool {
        // a store has no deadline of its own: the session's counts
        assert_eq!(self.adapter.poll_timeout(), None);
        self.step_without_job() || self.finish_job()
    }

    pub(crate) fn step_without_job(&mut self) -> bool {
        self.reply() || self.effect()
    }

    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }

    pub(crate) fn reply(&mut self) -> bool {
        // without room everything comes but octets
        if let Some(reply) = self.adapter.poll_reply(Time::ZERO, 0) {
            self.heard.push(Heard::from(reply));
            return true;
        }
        match self.adapter.poll_reply(Time::ZERO, ROOM) {
            None => false,
            Some(Reply::Body { bytes, .. }) => {
                assert!((1..=ROOM).contains(&bytes.len()));
                self.body.extend_from_slice(bytes);
                true
            }
            Some(other) => panic!("only with room: {other:?}"),
        }
    }

    pub(crate) fn effect(&mut self) -> bool {
        let Some(effect) = self.adapter.poll_effect() else {
            return false;
        };
        let Effect::Run(job) = effect else {
            panic!("{effect:?}");
        };
        assert_eq!(matches!(job, Job::Block(_)), A::BLOCKS);
        assert!(self.job.replace(job).is_none(), "two jobs at a time");
        self.jobs += 1;
        true
    }

    pub(crate) fn finish_job(&mut self) -> bool {
        let Some(job) = self.job.take() else {
            return false;
        };
        let done = world::run(job);
        let outcome = if self.jobs == self.loses {
            // as if it had panicked: what it was given is gone
            in_job(|| drop(done));
            Outcome::Lost(Failure::permanent("the job panicked"))
        } else {
            Outcome::Done(done)
        };
        self.adapter.handle_outcome(Time::ZERO, outcome);
        true
    }

    pub(crate) fn opened(mut self) -> Self {
        self.ask(Request::Open(login()));
        self.settle();
        assert_eq!(self.heard.last(), Some(&Heard::Opened(Access::ReadWrite)));
        self.heard.clear();
        self
    }

    pub(crate) fn is_over(&mut self) {
        assert!(!self.step());
        assert_eq!(self.shelf.alive(), (0, 0), "something was left behind");
    }
}

pub(crate) fn shelf() -> Shelf {
    let large = b"0123456789abcdef\n".repeat(3 * CHUNK / 17);
    Shelf {
        piece: 30_000,
        ..Shelf::new(&[large, b"small".to_vec(), Vec::new()])
    }
}
