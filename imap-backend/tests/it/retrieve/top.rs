//! TOP: in windows, as much as the session needs.

use proptest::prelude::*;

use super::opened;
use crate::common::World;

pub(crate) fn assert_same(body: &[u8], message: &str) {
    let same = body
        .iter()
        .zip(message.as_bytes())
        .take_while(|(a, b)| a == b)
        .count();
    assert_eq!((body.len(), same), (message.len(), message.len()));
}

/// Serves windows of a message until nothing more is asked for.
pub(crate) fn serve_windows(world: &mut World, uid: u32, message: &str) -> Vec<(usize, usize)> {
    let mut windows = Vec::new();
    loop {
        let sent = world.take_sent();
        if sent.is_empty() {
            return windows;
        }
        let tag = sent.split(' ').next().unwrap().to_owned();
        let asked = sent.split(['<', '>']).nth(1).unwrap_or("0.99999999");
        let (offset, length) = asked.split_once('.').unwrap();
        let (offset, length) = (offset.parse().unwrap(), length.parse::<usize>().unwrap());
        windows.push((offset, length));
        let from = offset.min(message.len());
        let piece = &message[from..message.len().min(from + length)];
        let size = piece.len();
        world.serve(&format!(
            "* 1 FETCH (UID {uid} BODY[]<{offset}> {{{size}}}\r\n{piece})\r\n{tag} OK\r\n"
        ));
    }
}

#[test]
fn i011_top_asks_for_windows_that_grow() {
    let message = "0123456789".repeat(50_000);
    // where no line is wanted of a message of this size, its header is asked for
    let mut world = opened(&[(4, 65_535)]);
    world.top(1, 0, 0);
    let windows = serve_windows(&mut world, 4, &message);
    assert_eq!(windows[..3], [(0, 8192), (8192, 32768), (40960, 131_072)]);
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_same(&world.bodies[&1], &message);
}

#[test]
fn i011_qc7_top_of_a_short_message_asks_for_all_of_it() {
    for (size, lines, expected) in [
        (5, 0, "UID FETCH 4 (UID BODY.PEEK[])"),
        (8192, 0, "UID FETCH 4 (UID BODY.PEEK[])"),
        (8193, 0, "UID FETCH 4 (UID BODY.PEEK[]<0.8192>)"),
        (65_535, 0, "UID FETCH 4 (UID BODY.PEEK[]<0.8192>)"),
        (65_536, 0, "UID FETCH 4 (UID BODY.PEEK[HEADER])"),
        (65_536, 1, "UID FETCH 4 (UID BODY.PEEK[]<0.8292>)"),
        (100_000, 10, "UID FETCH 4 (UID BODY.PEEK[]<0.9192>)"),
        (1_000_000, 5_000, "UID FETCH 4 (UID BODY.PEEK[]<0.65536>)"),
        // qC7: fetchmail's way of RETR
        (1_000_000_000, 99_999_999, "UID FETCH 4 (UID BODY.PEEK[])"),
        (1_000_000_000_000, u64::MAX, "UID FETCH 4 (UID BODY.PEEK[])"),
        // the size is not known
        (0, u64::MAX, "UID FETCH 4 (UID BODY.PEEK[]<0.65536>)"),
    ] {
        let mut world = opened(&[(4, size)]);
        world.top(1, 0, lines);
        world.expect(expected);
    }
}

#[test]
fn top_of_a_message_that_ends_with_a_window() {
    let message = "x".repeat(8192 + 32768);
    let mut world = opened(&[(4, 50_000)]);
    world.top(1, 0, 0);
    let windows = serve_windows(&mut world, 4, &message);
    assert_eq!(windows.len(), 3);
    assert_eq!(world.bodies[&1].len(), message.len());
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
}

#[test]
fn top_ends_at_nil_only_where_the_message_ends() {
    for (size, expected) in [(8192 + 1, "BodyFailed 1"), (16_384, "BodyFailed 1")] {
        let mut world = opened(&[(4, size)]);
        world.top(1, 0, 0);
        let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
        let piece = "x".repeat(8192);
        world.serve(&format!(
            "* 1 FETCH (UID 4 BODY[]<0> {{8192}}\r\n{piece})\r\n{tag} OK\r\n"
        ));
        world.expect("UID FETCH 4 (UID BODY.PEEK[]<8192.32768>)");
        world.serve("* 1 FETCH (UID 4 BODY[]<8192> NIL)\r\n");
        let replies = world.take_replies_said();
        assert!(replies[1].starts_with(expected), "{replies:?}");
    }
}

#[test]
fn top_ends_at_nil_after_the_last_octet() {
    let size = 8192 + 32768;
    let mut world = opened(&[(4, size)]);
    world.top(1, 0, 0);
    for (offset, length) in [(0, 8192), (8192, 32768)] {
        let tag = world.expect(&format!("UID FETCH 4 (UID BODY.PEEK[]<{offset}.{length}>)"));
        let piece = "x".repeat(length);
        world.serve(&format!(
            "* 1 FETCH (UID 4 BODY[]<{offset}> {{{length}}}\r\n{piece})\r\n{tag} OK\r\n"
        ));
    }
    world.expect("UID FETCH 4 (UID BODY.PEEK[]<40960.131072>)");
    world.serve("* 1 FETCH (UID 4 BODY[]<40960> NIL)\r\n");
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
}

/// NIL for the first window is a message that is not there, even one of no octets.
#[test]
fn g11_top_of_nothing_is_missing() {
    let mut world = opened(&[(4, 0)]);
    world.top(1, 0, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve("* 1 FETCH (UID 4 BODY[]<0> NIL)\r\n");
    world.expect_reply("BodyFailed 1 Missing");
}

/// G11: OK without the message, for a window as for the whole.
#[test]
fn g11_top_without_an_answer_is_missing() {
    let mut world = opened(&[(4, 60_000), (5, 5)]);
    world.top(1, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_reply("BodyFailed 1 Missing");
    // and NO is reported as what it is
    world.top(2, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve(&format!("{tag} NO [UNAVAILABLE] later\r\n"));
    world.expect_reply("BodyFailed 2 Temporary");
    // once it has begun, what is missing is the rest of it
    world.top(3, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    let piece = "x".repeat(8192);
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[]<0> {{8192}}\r\n{piece})\r\n{tag} OK\r\n"
    ));
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<8192.32768>)");
    world.serve(&format!("{tag} OK\r\n"));
    let replies = world.take_replies_said();
    assert!(
        replies[1].starts_with("BodyFailed 3 Temporary"),
        "{replies:?}"
    );
}

/// A window of another place, or of another message, is not what was asked for.
#[test]
fn a_foreign_window_is_passed_over() {
    let mut world = opened(&[(4, 60_000), (5, 60_000)]);
    world.top(1, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    let piece = "x".repeat(100);
    for (uid, origin) in [
        (" UID 5", "<0>"),
        ("", "<8192>"),
        (" UID 4", "<1>"),
        (" UID 5", ""),
    ] {
        world.serve(&format!(
            "* 1 FETCH (FLAGS (){uid} BODY[]{origin} {{100}}\r\n{piece})\r\n"
        ));
        world.expect_replies(&[]);
    }
    // without a UID it can only be the one
    world.serve(&format!(
        "* 1 FETCH (BODY[]<0> {{5}}\r\nhello)\r\n{tag} OK\r\n"
    ));
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"hello");
}

#[test]
fn top_is_right_even_where_windows_are_not_understood() {
    let message = "0123456789".repeat(2000);
    // the server sends all of it, without a label
    let mut world = opened(&[(4, 20_000)]);
    world.top(1, 0, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[] {{20000}}\r\n{message})\r\n"
    ));
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1], message.as_bytes());
    // the server sends windows, without a label
    for inline in [false, true] {
        let mut world = opened(&[(4, 20_000)]);
        world.top(1, 0, 0);
        let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
        let piece = &message[..8192];
        world.serve(&format!(
            "* 1 FETCH (UID 4 BODY[] {{8192}}\r\n{piece})\r\n{tag} OK\r\n"
        ));
        let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
        if inline {
            world.serve(&format!(
                "* 1 FETCH (UID 4 BODY[] \"{message}\")\r\n{tag} OK\r\n"
            ));
        } else {
            world.serve(&format!(
                "* 1 FETCH (UID 4 BODY[] {{20000}}\r\n{message})\r\n{tag} OK\r\n"
            ));
        }
        world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
        assert_same(&world.bodies[&1], &message);
    }
    // first with, then without
    let mut world = opened(&[(4, 20_000)]);
    world.top(1, 0, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    let (first, second) = message.split_at(8192);
    let size = second.len();
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[]<0> {{8192}}\r\n{first})\r\n"
    ));
    world.expect("UID FETCH 4 (UID BODY.PEEK[]<8192.32768>)");
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[] {{{size}}}\r\n{second})\r\n"
    ));
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[] {{20000}}\r\n{message})\r\n"
    ));
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_same(&world.bodies[&1], &message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// TOP gives the front of what RETR gives.
    #[test]
    fn i011_top_is_a_prefix_of_the_message(
        length in 0_usize..200_000,
        announced in 0_u64..200_000,
        lines in 0_u64..1000,
        chunks in proptest::collection::vec(1_usize..100_000, 1..4),
    ) {
        let message: String = (0..length).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
        let mut world = opened(&[(4, announced)]);
        world.chunks = chunks;
        world.top(1, 0, lines);
        serve_windows(&mut world, 4, &message);
        prop_assert_eq!(&world.bodies[&1], message.as_bytes());
        world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    }
}
