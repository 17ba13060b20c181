//! Sessions that are given up, and jobs that never come back.

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Failure, FailureKind, Outcome, Request, Ticket};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

use super::bench::{Bench, Heard, shelf};
use crate::common::{Adapter, Shelf, login, shelf::in_job, world};

/// Opens and reads; after this many steps the client is gone.
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
    in_job(|| bench.adapter.handle_outcome(Time::ZERO, stray));
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
fn what_is_not_waited_for_changes_nothing() {
    unasked::<Blocking<Shelf>>();
    unasked::<Awaiting<Shelf>>();
}
