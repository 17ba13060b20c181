//! QUIT: what is removed, and what is said when it is not.

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Access, FailureKind, Request, Ticket};

use super::bench::{Bench, Heard, shelf};
use crate::common::{Adapter, Shelf, login};

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
            bench.ask(Request::Open(login().access(asked)));
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

/// What was marked and stays is not called deleted; without a mark there is nothing to say.
fn keeps<A: Adapter>() {
    for (keeps, marks, expected) in [
        (false, &[0, 1][..], Heard::Updated),
        (true, &[0, 1], Heard::Kept),
        (true, &[], Heard::Updated),
    ] {
        let mut bench = Bench::<A>::new(Shelf { keeps, ..shelf() }).opened();
        bench.update(marks);
        bench.settle();
        assert_eq!(bench.heard, [expected]);
        bench.is_over();

        let fault = Some(("update", StoreError::Temporary("x".into())));
        let mut bench = Bench::<A>::new(Shelf {
            keeps,
            fault,
            ..shelf()
        })
        .opened();
        bench.update(marks);
        bench.settle();
        assert_eq!(bench.heard, [Heard::Failed(FailureKind::Temporary)]);
        bench.is_over();
    }
}

#[test]
fn w008_a_store_that_keeps_what_was_marked_says_so() {
    keeps::<Blocking<Shelf>>();
    keeps::<Awaiting<Shelf>>();
}
