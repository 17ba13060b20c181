//! Messages that are given up, and that break off.

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::backend::{FailureKind, Request, Ticket};

use super::bench::{Bench, Heard, shelf};
use crate::common::{Adapter, CHUNK, Shelf};

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
