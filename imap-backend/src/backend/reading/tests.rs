//! Reading without a backend around it: what it asks for, and what becomes of what comes.
#![allow(clippy::unwrap_used, reason = "tests")]

use pop3_proto::backend::{Reply, Ticket};

use super::*;
use crate::grammar::Section;
use crate::table::Scan;
use crate::wire::{Head, Message};

/// Messages with these UIDs, 100 octets each.
fn table(uids: &[u64]) -> Table {
    let mut scan = Scan::default();
    for (number, &uid) in (1..).zip(uids) {
        scan.told(Message {
            number,
            uid: Some(uid),
            size: Some(100),
            watched: None,
        });
    }
    scan.finish().0
}

fn wanted(ticket: u32, index: u32) -> Wanted {
    Wanted {
        ticket: Ticket(ticket),
        index,
        whole: true,
        plan: Plan::Whole { skip: 0 },
        started: false,
        retried: false,
        alone: false,
    }
}

/// The messages that are asked for next.
fn asked(reading: &Reading, table: &Table) -> Option<core::ops::Range<u32>> {
    match reading.ask(table)? {
        Ask::Run { index, guess, .. } => Some(index..guess.end),
        Ask::Window { .. } => None,
    }
}

fn head(uid: u64) -> Head {
    Head {
        uid: Some(uid),
        section: Section::Whole,
        origin: None,
        size: 100,
    }
}

#[test]
fn each_message_is_asked_for_once_and_the_next_one_with_it() {
    let table = table(&[3, 6, 9, 12]);
    let mut reading = Reading::new(1000);
    assert_eq!(asked(&reading, &table), None);
    reading.want(&table, wanted(1, 0), Extent::Whole);
    assert_eq!(asked(&reading, &table), Some(0..1));
    reading.asked(7, What::run(&table, Extent::Whole, 0..1).0);
    assert_eq!(asked(&reading, &table), None);
    // the second in order makes a guess worth it
    reading.want(&table, wanted(2, 1), Extent::Whole);
    assert_eq!(asked(&reading, &table), Some(1..4));
    reading.asked(8, What::run(&table, Extent::Whole, 1..4).0);
    assert_eq!(asked(&reading, &table), None);
}

#[test]
fn a_body_is_lent_in_order_and_what_came_unasked_waits() {
    let table = table(&[3, 6, 9]);
    let mut reading = Reading::new(0);
    reading.want(&table, wanted(1, 0), Extent::Whole);
    reading.asked(7, What::run(&table, Extent::Whole, 0..3).0);
    let Verdict::Lend(stream) = reading.verdict(&table, head(3)) else {
        panic!("not lent");
    };
    reading.lend(stream);
    assert_eq!(reading.awaited(), Some(0));
    let begun = reading.begin().unwrap();
    assert_eq!((begun.index, begun.size), (0, Some(100)));
    assert!(reading.begin().is_none());
    assert_eq!(reading.piece_done().unwrap().ticket, Ticket(1));
    assert!(matches!(reading.verdict(&table, head(6)), Verdict::Park));
    // another message than the ones asked for means nothing
    assert!(matches!(reading.verdict(&table, head(4)), Verdict::Discard));
}

#[test]
fn a_message_is_awaited_if_what_comes_next_brings_it() {
    let table = table(&[3, 6, 9]);
    let run = |next, spent| What::Run {
        of: Extent::Whole,
        next,
        end: 3,
        alone: false,
        spent,
    };
    let window = |index| What::Window {
        index,
        offset: 10,
        length: 10,
    };
    for (what, awaited) in [
        (run(1, false), Some(1)),
        (run(1, true), None),
        (run(2, false), None),
        (window(1), Some(1)),
        (window(2), None),
        (What::Spent, None),
    ] {
        let mut reading = Reading::new(0);
        reading.want(&table, wanted(1, 1), Extent::Whole);
        reading.asked(7, what);
        assert_eq!(reading.awaited(), awaited);
    }
}

/// What was asked for with others and did not come is asked for alone, and then it is missed.
#[test]
fn a_message_that_does_not_come_is_asked_for_alone() {
    let table = table(&[3, 6]);
    let mut reading = Reading::new(0);
    reading.want(&table, wanted(1, 0), Extent::Whole);
    reading.asked(7, What::run(&table, Extent::Whole, 0..2).0);
    assert!(matches!(reading.answered(7), Left::Nothing));
    assert_eq!(asked(&reading, &table), Some(0..1));
    reading.asked(8, What::run(&table, Extent::Whole, 0..1).0);
    assert!(matches!(
        reading.answered(8),
        Left::Missed { started: false }
    ));
}

#[test]
fn a_lost_connection_fails_what_had_begun_and_keeps_the_rest() {
    let table = table(&[3, 6]);
    let mut maildrop = Maildrop::default();
    let mut reading = Reading::new(0);
    for message in [wanted(1, 0), wanted(2, 1)] {
        reading.want(&table, message, Extent::Whole);
    }
    reading.asked(7, What::run(&table, Extent::Whole, 0..1).0);
    let Verdict::Lend(stream) = reading.verdict(&table, head(3)) else {
        panic!("not lent");
    };
    reading.lend(stream);
    reading.begin();
    assert_eq!(reading.to_blame(), Some(0));
    let mut answers = Answers::default();
    reading.interrupted(&maildrop, &Failure::temporary("lost"), &mut answers);
    let first = answers.next(&mut maildrop);
    let ticket = Ticket(1);
    assert!(matches!(first, Some(Reply::BodyFailed { ticket: of, .. }) if of == ticket));
    assert!(answers.is_empty());
    assert_eq!(asked(&reading, &table), Some(1..2));
    assert!(reading.first().unwrap().retried);
    // a second loss is enough
    reading.interrupted(&maildrop, &Failure::temporary("lost"), &mut answers);
    assert!(!reading.has_work());
}
