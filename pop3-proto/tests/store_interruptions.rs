//! Both store adapters without a session in front of them: what is asked for is given up, or never comes
//! back, at every point.
#![allow(clippy::unwrap_used, reason = "tests")]

mod store_common;

use std::sync::Arc;

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{
    Access, Effect, Failure, FailureKind, Index, Job, Login, Mechanism, Open, Outcome, Part,
    RefusalKind, Reply, Request, Ticket,
};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

use store_common::{Adapter, CHUNK, Shelf, login, world};

const ROOM: usize = 50_000;

/// What came out, without the octets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Authenticated,
    Entry(u64, String),
    Opened(Access),
    Refused(RefusalKind),
    Start(Ticket),
    End(Ticket),
    BodyFailed(Ticket, FailureKind),
    Updated,
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
            Reply::Failed(failure) => Self::Failed(failure.kind),
            Reply::Challenge(_) | Reply::Body { .. } => panic!("{reply:?}"),
        }
    }
}

/// An adapter, the job that runs, and what came out.
struct Bench<A: Adapter> {
    shelf: Arc<Shelf>,
    adapter: A,
    job: Option<Job<A::Done>>,
    jobs: usize,
    /// The job that never comes back, counted from 1.
    loses: usize,
    heard: Vec<Heard>,
    body: Vec<u8>,
}

impl<A: Adapter> Bench<A> {
    fn new(shelf: Shelf) -> Self {
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

    fn ask(&mut self, request: Request) {
        self.adapter.handle_request(Time::ZERO, request);
    }

    fn retrieve(&mut self, ticket: u32, index: u32) {
        self.ask(Request::Retrieve {
            ticket: Ticket(ticket),
            index: Index(index),
            part: Part::Whole,
        });
    }

    fn update(&mut self, deleted: &[u32]) {
        let deleted = deleted.iter().copied().map(Index).collect();
        let retrieved = vec![Index(1)];
        self.ask(Request::Update { deleted, retrieved });
    }

    /// One thing happens: a reply, an effect, or the end of a job.
    fn step(&mut self) -> bool {
        self.step_without_job() || self.finish_job()
    }

    fn step_without_job(&mut self) -> bool {
        self.reply() || self.effect()
    }

    fn settle(&mut self) {
        while self.step() {}
    }

    fn reply(&mut self) -> bool {
        // without room everything comes but octets
        if let Some(reply) = self.adapter.poll_reply(0) {
            self.heard.push(Heard::from(reply));
            return true;
        }
        match self.adapter.poll_reply(ROOM) {
            None => false,
            Some(Reply::Body { bytes, .. }) => {
                assert!((1..=ROOM).contains(&bytes.len()));
                self.body.extend_from_slice(bytes);
                true
            }
            Some(other) => panic!("only with room: {other:?}"),
        }
    }

    fn effect(&mut self) -> bool {
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

    fn finish_job(&mut self) -> bool {
        let Some(job) = self.job.take() else {
            return false;
        };
        let done = world::run(job);
        let outcome = if self.jobs == self.loses {
            // as if it had panicked: what it was given is gone
            store_common::shelf::in_job(|| drop(done));
            Outcome::Lost(Failure::permanent("the job panicked"))
        } else {
            Outcome::Done(done)
        };
        self.adapter.handle_outcome(Time::ZERO, outcome);
        true
    }

    fn opened(mut self) -> Self {
        self.ask(Request::Open(login()));
        self.settle();
        assert_eq!(self.heard.last(), Some(&Heard::Opened(Access::ReadWrite)));
        self.heard.clear();
        self
    }

    fn is_over(&mut self) {
        assert!(!self.step());
        assert_eq!(self.shelf.alive(), (0, 0), "something was left behind");
    }
}

fn shelf() -> Shelf {
    let large = b"0123456789abcdef\n".repeat(3 * CHUNK / 17);
    Shelf {
        piece: 30_000,
        ..Shelf::new(&[large, b"small".to_vec(), Vec::new()])
    }
}

fn opens<A: Adapter>() {
    let mut bench = Bench::<A>::new(shelf());
    bench.ask(Request::Open(login()));
    bench.settle();
    let sizes = [(3 * CHUNK / 17 * 18) as u64, 7, 0];
    let entries = sizes
        .iter()
        .enumerate()
        .map(|(n, size)| Heard::Entry(*size, format!("id{n}")));
    let mut expected = vec![Heard::Authenticated];
    expected.extend(entries);
    expected.push(Heard::Opened(Access::ReadWrite));
    assert_eq!(bench.heard, expected);
    assert_eq!(bench.shelf.calls(), ["open", "list"]);
    bench.update(&[]);
    bench.settle();
    assert_eq!(bench.heard.last(), Some(&Heard::Updated));
    bench.is_over();
}

#[test]
fn an_open_authenticates_lists_and_opens() {
    opens::<Blocking<Shelf>>();
    opens::<Awaiting<Shelf>>();
}

/// The composition locks the maildrop when it hears `Authenticated`: what it lists is what it locked.
fn waits_for_the_lock<A: Adapter>() {
    let mut bench = Bench::<A>::new(shelf());
    bench.ask(Request::Open(login()));
    assert!(bench.effect() && bench.finish_job());
    assert!(!bench.effect(), "listed before anybody knows");
    assert!(bench.reply());
    bench.ask(Request::Abandon);
    bench.settle();
    assert_eq!(bench.shelf.calls(), ["open"]);
    assert_eq!(bench.heard, [Heard::Authenticated]);
    bench.is_over();
}

#[test]
fn x022_nothing_is_listed_before_the_maildrop_is_locked() {
    waits_for_the_lock::<Blocking<Shelf>>();
    waits_for_the_lock::<Awaiting<Shelf>>();
}

fn cancelled_at<A: Adapter>(steps: usize) -> bool {
    let mut bench = Bench::<A>::new(shelf()).opened();
    bench.retrieve(1, 0);
    let all = (0..steps).all(|_| bench.step());
    bench.ask(Request::Cancel(Ticket(1)));
    bench.heard.clear();
    bench.body.clear();
    bench.retrieve(2, 1);
    bench.retrieve(3, 0);
    bench.ask(Request::Cancel(Ticket(3)));
    bench.retrieve(4, 2);
    bench.settle();
    let expected = [
        Heard::Start(Ticket(2)),
        Heard::End(Ticket(2)),
        Heard::Start(Ticket(4)),
        Heard::End(Ticket(4)),
    ];
    assert_eq!(bench.heard, expected, "after {steps} steps");
    assert_eq!(bench.body, b"small");
    assert_eq!(bench.shelf.alive(), (1, 0));
    bench.update(&[0, 2]);
    bench.settle();
    assert_eq!(bench.heard.last(), Some(&Heard::Updated));
    assert_eq!(bench.shelf.removed(), [0, 2]);
    bench.is_over();
    all
}

#[test]
fn a_message_is_cancelled_at_every_point() {
    assert!((0..200).any(|n| !cancelled_at::<Blocking<Shelf>>(n)));
    assert!((0..200).any(|n| !cancelled_at::<Awaiting<Shelf>>(n)));
}

/// A cancelled message is closed at once, and not when the next one is wanted.
#[test]
fn a_cancelled_message_is_dropped() {
    let mut bench = Bench::<Blocking<Shelf>>::new(shelf()).opened();
    bench.retrieve(1, 0);
    for _ in 0..4 {
        bench.step();
    }
    bench.ask(Request::Cancel(Ticket(1)));
    bench.settle();
    assert_eq!(bench.shelf.alive(), (1, 0));
    bench.ask(Request::Abandon);
    bench.settle();
    bench.is_over();
}

/// Opens and reads; after so many steps the client is gone.
fn abandoned_at<A: Adapter>(steps: usize, fault: Option<&'static str>) -> bool {
    let mut bench = Bench::<A>::new(Shelf {
        fault: fault.map(|call| (call, StoreError::InUse)),
        ..shelf()
    });
    bench.ask(Request::Open(login()));
    let mut left = steps;
    while left > 0 && bench.step() {
        left -= 1;
    }
    if left > 0 {
        bench.retrieve(1, 0);
        bench.retrieve(2, 1);
    }
    while left > 0 && bench.step() {
        left -= 1;
    }
    bench.ask(Request::Abandon);
    bench.heard.clear();
    bench.retrieve(3, 1);
    bench.update(&[1]);
    bench.ask(Request::Open(login()));
    bench.settle();
    assert_eq!(bench.heard, [], "after {steps} steps");
    assert_eq!(bench.shelf.removed(), []);
    bench.is_over();
    left == 0
}

#[test]
fn p037_a_session_is_abandoned_at_every_point() {
    for fault in [None, Some("open"), Some("list"), Some("message")] {
        assert!((0..200).any(|n| !abandoned_at::<Blocking<Shelf>>(n, fault)));
        assert!((0..200).any(|n| !abandoned_at::<Awaiting<Shelf>>(n, fault)));
    }
}

/// The n-th job never comes back. Everything that was asked is answered all the same.
fn lost_at<A: Adapter>(n: usize) -> bool {
    let mut bench = Bench::<A>::new(shelf());
    bench.loses = n;
    bench.ask(Request::Open(login()));
    bench.settle();
    if bench.heard.last() == Some(&Heard::Failed(FailureKind::Permanent)) {
        assert!(n <= 2);
        bench.is_over();
        return true;
    }
    bench.heard.clear();
    for (ticket, index) in [(1, 0), (2, 1), (3, 2)] {
        bench.retrieve(ticket, index);
    }
    bench.settle();
    let answer = |ticket: u32| {
        let ticket = Ticket(ticket);
        bench
            .heard
            .iter()
            .find(|heard| matches!(heard, Heard::End(t) | Heard::BodyFailed(t, _) if *t == ticket))
    };
    let answers: Vec<_> = (1..=3).map(|ticket| answer(ticket).cloned()).collect();
    assert!(answers.iter().all(Option::is_some), "{:?}", bench.heard);
    let lost_mailbox = bench.shelf.alive() == (0, 0);
    bench.update(&[0]);
    bench.settle();
    match bench.heard.last() {
        Some(Heard::Updated) => assert_eq!(bench.shelf.removed(), [0]),
        Some(Heard::Failed(FailureKind::Permanent)) => {
            assert!(lost_mailbox || bench.shelf.calls().last().unwrap() == "update");
        }
        other => panic!("{other:?}"),
    }
    bench.is_over();
    n <= bench.jobs
}

#[test]
fn a_job_is_lost_at_every_point() {
    assert!((1..100).any(|n| !lost_at::<Blocking<Shelf>>(n)));
    assert!((1..100).any(|n| !lost_at::<Awaiting<Shelf>>(n)));
}

fn after_a_loss<A: Adapter>() {
    let mut bench = Bench::<A>::new(shelf()).opened();
    bench.loses = bench.jobs + 1;
    bench.retrieve(1, 1);
    bench.settle();
    bench.retrieve(2, 1);
    bench.settle();
    let failed = |ticket| Heard::BodyFailed(Ticket(ticket), FailureKind::Permanent);
    assert_eq!(bench.heard, [failed(1), failed(2)]);
    bench.update(&[]);
    bench.settle();
    // nothing was to be removed, and nothing was
    assert_eq!(bench.heard.last(), Some(&Heard::Updated));
    bench.is_over();
}

#[test]
fn a_lost_mailbox_fails_everything_from_then_on() {
    after_a_loss::<Blocking<Shelf>>();
    after_a_loss::<Awaiting<Shelf>>();
}

fn unasked<A: Adapter>() {
    let mut bench = Bench::<A>::new(shelf()).opened();
    let mut other = Bench::<A>::new(shelf());
    other.ask(Request::Open(login()));
    assert!(other.effect());
    let stray = Outcome::Done(world::run(other.job.take().unwrap()));
    store_common::shelf::in_job(|| bench.adapter.handle_outcome(Time::ZERO, stray));
    for outcome in [
        Outcome::Connected,
        Outcome::TlsReady,
        Outcome::Lost(Failure::temporary("")),
    ] {
        bench.adapter.handle_outcome(Time::ZERO, outcome);
    }
    bench.ask(Request::Answer(Secret::default()));
    bench.ask(Request::Open(login()));
    bench.ask(Request::Cancel(Ticket(9)));
    assert!(!bench.step());
    bench.retrieve(1, 1);
    bench.settle();
    assert_eq!(
        bench.heard,
        [Heard::Start(Ticket(1)), Heard::End(Ticket(1))]
    );
    bench.update(&[]);
    bench.settle();
    bench.is_over();
}

#[test]
fn what_nobody_waits_for_changes_nothing() {
    unasked::<Blocking<Shelf>>();
    unasked::<Awaiting<Shelf>>();
}

fn refused<A: Adapter>() {
    let temporary = || StoreError::Temporary("x".into());
    let cases = [
        (
            StoreError::Credentials,
            Heard::Refused(RefusalKind::Credentials),
        ),
        (StoreError::InUse, Heard::Refused(RefusalKind::InUse)),
        (
            StoreError::LoginDelay,
            Heard::Refused(RefusalKind::LoginDelay),
        ),
        (
            StoreError::Policy("x".into()),
            Heard::Refused(RefusalKind::Policy),
        ),
        (temporary(), Heard::Failed(FailureKind::Temporary)),
        (
            StoreError::Permanent("x".into()),
            Heard::Failed(FailureKind::Permanent),
        ),
        (StoreError::Missing, Heard::Failed(FailureKind::Missing)),
    ];
    for call in ["open", "list"] {
        for (error, answer) in &cases {
            let mut bench = Bench::<A>::new(Shelf {
                fault: Some((call, error.clone())),
                ..shelf()
            });
            bench.ask(Request::Open(login()));
            bench.settle();
            assert_eq!(bench.heard.last(), Some(answer));
            bench.is_over();
        }
    }
}

#[test]
fn a_login_is_refused_or_fails_as_the_store_says() {
    refused::<Blocking<Shelf>>();
    refused::<Awaiting<Shelf>>();
}

fn fails<A: Adapter>() {
    let cases = [
        (StoreError::Missing, FailureKind::Missing),
        (StoreError::InUse, FailureKind::Temporary),
        (StoreError::LoginDelay, FailureKind::Temporary),
        (StoreError::Temporary("x".into()), FailureKind::Temporary),
        (StoreError::Permanent("x".into()), FailureKind::Permanent),
        (StoreError::Policy("x".into()), FailureKind::Permanent),
        (StoreError::Credentials, FailureKind::Permanent),
    ];
    for (error, kind) in cases {
        let mut bench = Bench::<A>::new(Shelf {
            fault: Some(("message", error.clone())),
            ..shelf()
        })
        .opened();
        bench.retrieve(1, 0);
        bench.settle();
        assert_eq!(bench.heard, [Heard::BodyFailed(Ticket(1), kind)]);
        bench.update(&[0]);
        bench.settle();
        assert_eq!(bench.heard.last(), Some(&Heard::Updated));
        bench.is_over();

        let mut bench = Bench::<A>::new(Shelf {
            fault: Some(("update", error)),
            ..shelf()
        })
        .opened();
        bench.update(&[0]);
        bench.settle();
        assert_eq!(bench.heard, [Heard::Failed(kind)]);
        assert_eq!(bench.shelf.removed(), []);
        bench.is_over();
    }
}

#[test]
fn p038_messages_and_updates_fail_as_the_store_says() {
    fails::<Blocking<Shelf>>();
    fails::<Awaiting<Shelf>>();
}

fn breaks<A: Adapter>() {
    for (at, begins) in [(0, false), (2 * CHUNK, true)] {
        let mut bench = Bench::<A>::new(Shelf {
            breaks_at: Some(at),
            ..shelf()
        })
        .opened();
        bench.retrieve(1, 0);
        bench.settle();
        let failed = Heard::BodyFailed(Ticket(1), FailureKind::Temporary);
        assert_eq!(bench.heard.contains(&Heard::Start(Ticket(1))), begins);
        assert_eq!(bench.heard.last(), Some(&failed));
        // the next message is none the worse for it
        bench.retrieve(2, 2);
        bench.settle();
        if at > 0 {
            assert_eq!(bench.heard.last(), Some(&Heard::End(Ticket(2))));
        }
        bench.ask(Request::Abandon);
        bench.settle();
        bench.is_over();
    }
}

#[test]
fn a_message_that_breaks_off_says_so() {
    breaks::<Blocking<Shelf>>();
    breaks::<Awaiting<Shelf>>();
}

fn read_only<A: Adapter>() {
    for (asked, granted) in [
        (Access::ReadOnly, Access::ReadWrite),
        (Access::ReadWrite, Access::ReadOnly),
    ] {
        for deleted in [&[][..], &[1]] {
            let mut bench = Bench::<A>::new(Shelf {
                access: granted,
                ..shelf()
            });
            bench.ask(Request::Open(Open {
                access: asked,
                ..login()
            }));
            bench.settle();
            assert_eq!(bench.heard.last(), Some(&Heard::Opened(Access::ReadOnly)));
            bench.update(deleted);
            bench.settle();
            let expected = if deleted.is_empty() {
                Heard::Updated
            } else {
                Heard::Failed(FailureKind::Permanent)
            };
            assert_eq!(bench.heard.last(), Some(&expected));
            assert_eq!(bench.shelf.calls(), ["open", "list"]);
            bench.is_over();
        }
    }
}

#[test]
fn a_read_only_session_never_updates_the_store() {
    read_only::<Blocking<Shelf>>();
    read_only::<Awaiting<Shelf>>();
}

#[test]
fn a_relayed_mechanism_never_reaches_the_store() {
    let mut bench = Bench::<Blocking<Shelf>>::new(shelf());
    bench.ask(Request::Open(Open {
        login: Login::Relay {
            mechanism: Mechanism::new("GSSAPI").unwrap(),
            initial: None,
        },
        ..login()
    }));
    bench.settle();
    assert_eq!(bench.heard, [Heard::Refused(RefusalKind::Policy)]);
    assert_eq!(bench.shelf.calls(), [""; 0]);
    bench.is_over();
}

/// An update while a message is read, or a cancelled one still is: it waits for the job that runs.
fn updated_at<A: Adapter>(steps: usize, cancel: bool) -> bool {
    let mut bench = Bench::<A>::new(shelf()).opened();
    bench.retrieve(1, 0);
    let all = (0..steps).all(|_| bench.step());
    if cancel {
        bench.ask(Request::Cancel(Ticket(1)));
    }
    bench.heard.clear();
    bench.update(&[0, 1]);
    assert!(bench.job.is_none() || !bench.step_without_job());
    bench.settle();
    assert_eq!(bench.heard, [Heard::Updated], "after {steps} steps");
    assert_eq!(bench.shelf.removed(), [0, 1]);
    assert_eq!(bench.shelf.log.lock().unwrap().retrieved, [1]);
    bench.is_over();
    all
}

#[test]
fn an_update_waits_for_the_job_that_runs() {
    for cancel in [true, false] {
        assert!((0..200).any(|n| !updated_at::<Blocking<Shelf>>(n, cancel)));
        assert!((0..200).any(|n| !updated_at::<Awaiting<Shelf>>(n, cancel)));
    }
}
