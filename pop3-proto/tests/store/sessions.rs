//! Whole sessions over both store adapters, whatever the timing: they say what a session says over
//! messages that lie in memory.

use std::sync::Arc;

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::blocking::Blocking;
use pop3_proto::server::Reason;
use pop3_proto::time::Time;
use proptest::prelude::*;

use crate::common::plain::Plain;
use crate::common::world::World;
use crate::common::{Adapter, CHUNK, Shelf, policy};

fn mail() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => proptest::sample::select(vec!["\r\n", "\n", ".", "\r\n.\r\n", "\r", "a", "Subject: x\r\n", "\0"])
            .prop_map(|part| part.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let small = proptest::collection::vec(part, 0..20).prop_map(|parts| parts.concat());
    let lengths = proptest::sample::select(vec![
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        2 * CHUNK + 1,
        300_000,
    ]);
    let large = (lengths, small.clone()).prop_map(|(length, block)| {
        let block = [&b"Subject: large\r\n\r\n"[..], &block].concat();
        block.iter().copied().cycle().take(length).collect()
    });
    prop_oneof![4 => small, 1 => large]
}

fn script() -> impl Strategy<Value = String> {
    let lines = proptest::sample::select(vec![
        "STAT",
        "LIST",
        "UIDL",
        "UIDL 1",
        "RETR 1",
        "RETR 2",
        "RETR 3",
        "TOP 1 0",
        "TOP 2 1",
        "TOP 3 3",
        "TOP 1 99999",
        "DELE 1",
        "DELE 2",
        "DELE 3",
        "RSET",
        "NOOP",
        "junk",
    ]);
    let lines = proptest::collection::vec(lines, 0..20);
    let starts = proptest::sample::select(vec![
        "USER u\r\nPASS p w\r\n",
        "USER u\r\nPASS wrong\r\nUSER u\r\nPASS p w\r\n",
        "XPRO\r\nUSER u\r\nPASS p w\r\n",
        "USER u\r\nPASS wrong\r\n",
    ]);
    (starts, lines, any::<bool>()).prop_map(|(start, lines, quit)| {
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let quit = if quit { "QUIT\r\n" } else { "" };
        format!("{start}{}{quit}", lines.concat())
    })
}

/// What happens next, and how much of it.
#[derive(Clone, Debug)]
enum Turn {
    Client(usize),
    Job,
    Window(usize),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        (1usize..60).prop_map(Turn::Client),
        Just(Turn::Job),
        prop_oneof![1usize..100, 1usize..200_000].prop_map(Turn::Window),
    ];
    proptest::collection::vec(turn, 1..20)
}

/// What a client hears, how the session ends, and which messages are removed at its end.
type Heard = (Vec<u8>, Option<Reason>);

fn reference(mails: &[Vec<u8>], script: &str) -> Heard {
    let mails = mails.to_vec();
    let mut world = World::new(policy(), move || Plain::new(&mails));
    let mut rest = script.as_bytes();
    while world.closed.is_none() {
        let n = world.feed(rest);
        rest = &rest[n..];
        if n == 0 {
            break;
        }
    }
    (world.out, world.closed)
}

fn over<A: Adapter + 'static>(shelf: &Arc<Shelf>, script: &str, turns: &[Turn]) -> Heard {
    let make = Arc::clone(shelf);
    let mut world = World::new(policy(), move || A::of(&make));
    world.window = 0;
    let mut rest = script.as_bytes();
    for turn in turns.iter().cycle().take(10_000) {
        match turn {
            Turn::Client(n) => {
                let n = world.feed(&rest[..rest.len().min(*n)]);
                rest = &rest[n..];
            }
            Turn::Job => drop(world.run_job()),
            Turn::Window(n) => {
                world.window += n;
                world.settle();
            }
        }
        assert!(world.session.transmit().len() <= 3 * CHUNK);
        if world.closed.is_some() {
            break;
        }
    }
    // whatever the turns left undone
    world.window = usize::MAX;
    loop {
        world.settle();
        let n = world.feed(rest);
        rest = &rest[n..];
        if !world.run_job() && n == 0 {
            break;
        }
    }
    if world.closed.is_none() {
        let removed = shelf.removed();
        assert!(removed.is_empty(), "removed without QUIT: {removed:?}");
        world.session.handle_eof(Time::ZERO);
        world.settle();
        while world.run_job() {}
        assert_eq!(world.closed.take(), Some(Reason::ClientGone));
    }
    assert_eq!(shelf.alive(), (0, 0), "something was left behind");
    (world.out, world.closed)
}

/// The messages that a script deletes, if it deletes any.
fn deleted(mails: usize, script: &str) -> Vec<u32> {
    let mut marked = vec![false; mails];
    let mut quit = false;
    for line in script.lines() {
        match line.split_once(' ') {
            Some(("DELE", n)) => {
                if let Some(mark) = marked.get_mut(n.parse::<usize>().unwrap() - 1) {
                    *mark = true;
                }
            }
            Some(_) => {}
            None if line == "RSET" => marked.fill(false),
            None => quit |= line == "QUIT",
        }
    }
    let may = quit && script.ends_with("QUIT\r\n") && !script.starts_with("XPRO");
    let may = may && script.contains("PASS p w");
    let marked = (0u32..).zip(marked);
    marked.filter(|(_, m)| *m && may).map(|(n, _)| n).collect()
}

fn agrees<A: Adapter + 'static>(
    mails: &[Vec<u8>],
    script: &str,
    turns: &[Turn],
    piece: usize,
    naps: usize,
) {
    let shelf = Arc::new(Shelf {
        piece,
        naps,
        blocks: A::BLOCKS,
        ..Shelf::new(mails)
    });
    let (heard, closed) = over::<A>(&shelf, script, turns);
    let (expected, ended) = reference(mails, script);
    assert_eq!(
        String::from_utf8_lossy(&heard),
        String::from_utf8_lossy(&expected)
    );
    assert!(heard == expected && closed == ended);
    assert_eq!(shelf.removed(), deleted(mails.len(), script));
    let updates = shelf.calls().iter().filter(|c| *c == "update").count();
    assert!(updates <= 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn p037_p039_blocking_sessions_are_those_of_the_reference(
        mails in proptest::collection::vec(mail(), 0..4),
        script in script(),
        turns in turns(),
        piece in prop_oneof![1usize..10, 1usize..100_000],
    ) {
        agrees::<Blocking<Shelf>>(&mails, &script, &turns, piece, 0);
    }

    #[test]
    fn p037_p039_awaiting_sessions_are_those_of_the_reference(
        mails in proptest::collection::vec(mail(), 0..4),
        script in script(),
        turns in turns(),
        piece in prop_oneof![50usize..1000, 1usize..200_000],
        naps in 0usize..4,
    ) {
        agrees::<Awaiting<Shelf>>(&mails, &script, &turns, piece, naps);
    }
}

/// A client that does not read stops the store after what fits into a chunk and the session's output.
fn reads_no_further_than_the_client<A: Adapter + 'static>() {
    let mail = b"0123456789abcdef\r\n".repeat(1_000_000);
    let shelf = Arc::new(Shelf {
        piece: CHUNK,
        ..Shelf::new(&[mail])
    });
    let make = Arc::clone(&shelf);
    let mut world = World::new(policy(), move || A::of(&make));
    world.say("USER u\r\nPASS p w\r\n");
    world.window = 0;
    world.feed(b"RETR 1\r\n");
    let mut taken = 0;
    for _ in 0..100 {
        while world.run_job() {}
        let read = shelf.read();
        assert!(
            read <= taken + 3 * CHUNK,
            "{read} octets read, {taken} taken"
        );
        world.window += 10_000;
        taken += 10_000;
        world.settle();
    }
    world.session.handle_reset(Time::ZERO);
    world.settle();
    while world.run_job() {}
    assert_eq!(shelf.alive(), (0, 0));
}

#[test]
fn back_pressure_reaches_the_store() {
    reads_no_further_than_the_client::<Blocking<Shelf>>();
    reads_no_further_than_the_client::<Awaiting<Shelf>>();
}

/// 64 KiB a job, whatever the reader gives, and one job for a small message.
#[test]
fn a_chunk_is_filled_before_it_is_handed_over() {
    let shelf = Arc::new(Shelf::new(&[vec![b'x'; 5000], vec![b'x'; 3 * CHUNK]]));
    let make = Arc::clone(&shelf);
    let mut world = World::new(policy(), move || Blocking::new(Arc::clone(&make)));
    world.say("USER u\r\nPASS p w\r\n");
    let before = world.jobs;
    world.say("RETR 1\r\n");
    assert_eq!(world.jobs - before, 1);
    world.say("RETR 2\r\n");
    // the last one finds the end
    assert_eq!(world.jobs - before, 1 + 4);
    world.say("QUIT\r\n");
}

/// G16: a maildrop of 100,000 messages is listed without being copied once more.
#[test]
fn g16_a_large_maildrop_opens() {
    let shelf = Arc::new(Shelf::new(&vec![Vec::new(); 100_000]));
    let make = Arc::clone(&shelf);
    let mut world = World::new(policy(), move || Blocking::new(Arc::clone(&make)));
    assert!(world.say("USER u\r\nPASS p w\r\n").contains("100000"));
    assert!(world.say("UIDL 100000\r\n").contains(" id99999\r\n"));
    assert!(world.say("QUIT\r\n").starts_with("+OK"));
}
