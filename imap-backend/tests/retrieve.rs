//! Messages on their way: whole, from the top, and in every form a server gives them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{FULL, World, body, config};
use pop3_proto::backend::{Backend, Request, Ticket};
use proptest::prelude::*;

fn opened(messages: &[(u32, u64)]) -> World {
    World::opened(config(), FULL, messages)
}

/// Retrieves the first message of a world with one; returns the tag.
fn asked(world: &mut World) -> String {
    world.retrieve(1, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])")
}

#[test]
fn i010_i034_every_form_of_a_body_is_read() {
    for (said, expected) in [
        ("* 1 FETCH (UID 4 BODY[] {5}\r\nhello)\r\n", "hello"),
        ("* 1 FETCH (BODY[] {5}\r\nhello UID 4)\r\n", "hello"),
        ("* 1 FETCH (BODY[] {5}\r\nhello)\r\n", "hello"),
        ("*  1  FETCH  ( UID  4  BODY[]  {5}\r\nhello )\r\n", "hello"),
        ("* 1 fetch (uid 4 body[] {5}\r\nhello)\r\n", "hello"),
        (
            "* 1 FETCH (UID 4 BODY[] {5}\r\nhello FLAGS (\\Seen))\r\n",
            "hello",
        ),
        (
            "* 1 FETCH (FLAGS (\\Seen \"x y\") UID 4 BODY[]{5}\r\nhello)\r\n",
            "hello",
        ),
        ("* 1 FETCH (UID 4 RFC822 {5}\r\nhello)\r\n", "hello"),
        ("* 1 FETCH (UID 4 BINARY[] ~{5}\r\nhe\0lo)\r\n", "he\0lo"),
        ("* 1 FETCH (UID 4 BODY[]<0> {5}\r\nhello)\r\n", "hello"),
        ("* 1 FETCH (UID 4 BODY[] {0}\r\n)\r\n", ""),
        ("* 1 FETCH (UID 4 BODY[] \"\")\r\n", ""),
        ("* 1 FETCH (UID 4 BODY[] \"a\\\"b\\\\c\")\r\n", "a\"b\\c"),
        (
            "* 1 FETCH (X-GM-MSGID 123 UID 4 X-Y (a (b \"c)\")) BODY[] {5}\r\nhello)\r\n",
            "hello",
        ),
        (
            "* 1 FETCH (X-NOTE {3}\r\nabc UID 4 BODY[] {5}\r\nhello)\r\n",
            "hello",
        ),
        (
            "* 1 FETCH (UID 4 BODY[HEADER] {3}\r\nabc BODY[] {5}\r\nhello)\r\n",
            "hello",
        ),
        (
            "* 1 FETCH (UID 4 BODY[] {5}\r\nhello X {9}\r\n)\r\n(UID 9)\r\n",
            "hello",
        ),
        ("* 1 FETCH (UID 4 BODY[] {5}\r\nhello", "hello"),
        (
            "* 1 FETCH (UID 4 ENVELOPE (NIL \"{5}\" NIL) BODY[] {5}\r\nhello)\r\n",
            "hello",
        ),
        (
            "* 1 FETCH (UID 4 INTERNALDATE NIL BODY[] {5}\r\nhello)\r\n",
            "hello",
        ),
        ("* 1 FETCH (UID 4 BODY[] {5}\nhello)\n", "hello"),
    ] {
        for chunk in [1, 2, 7, usize::MAX] {
            let mut world = opened(&[(4, 5)]);
            world.chunks = vec![chunk];
            let tag = asked(&mut world);
            world.serve(said);
            if !said.ends_with('\n') {
                world.serve(")\r\n");
            }
            let start = format!("BodyStart 1 Some({})", expected.len());
            world.expect_replies(&[&start, "BodyEnd 1"]);
            assert_eq!(world.bodies[&1], expected.as_bytes(), "{said:?}");
            world.serve(&format!("{tag} OK done\r\n"));
            world.expect_replies(&[]);
        }
    }
}

#[test]
fn literals_that_are_not_the_message_are_never_taken_for_it() {
    for said in [
        "* LIST () \"/\" {3}\r\nabc\r\n",
        "* 1 FETCH (UID 4 BODY[HEADER] {3}\r\nabc)\r\n",
        "* 1 FETCH (UID 4 BODY[1.MIME] {3}\r\nabc)\r\n",
        "* 1 FETCH (UID 4 RFC822.HEADER {3}\r\nabc)\r\n",
        "* 1 FETCH (UID 4 X-BODY[] {3}\r\nabc)\r\n",
        "* 2 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n",
        "* 1 FETCH (UID 4 BODY[]<7> {3}\r\nabc)\r\n",
        "* METADATA INBOX (/x {9000}\r\nLONG)\r\n",
        "* OK your quota is {3}\r\n",
        "* NO [ALERT] {3}\r\n",
        "+ {3}\r\n",
    ] {
        let said = said.replace("LONG", &"x".repeat(9000));
        let mut world = opened(&[(4, 5), (9, 3)]);
        let tag = asked(&mut world);
        world.serve(&said);
        world.expect_replies(&[]);
        world.serve(&body(1, 4, "hello"));
        world.serve(&format!("{tag} OK done {{3}}\r\n"));
        world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
        assert_eq!(world.bodies[&1], b"hello", "{said}");
    }
}

#[test]
fn i007_anything_may_come_in_between() {
    let mut world = opened(&[(4, 5)]);
    let tag = asked(&mut world);
    world.serve("* 7 EXISTS\r\n*   3    EXISTS   \r\n* 2 EXPUNGE\r\n* VANISHED 1:3\r\n\r\n");
    world.serve("* 1 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n* SEARCH 1 2 \r\n* OK\r\n");
    world.serve("* XYZZY (((\r\n* 12\r\n*\r\n* 5000000000 EXISTS\r\n");
    world.serve(&body(1, 4, "hello"));
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
}

#[test]
fn g11_nothing_or_nil_means_that_the_message_is_gone() {
    for said in [
        "",
        "* 1 FETCH (UID 4 BODY[] NIL)\r\n",
        "* 1 FETCH (UID 4 FLAGS ())\r\n",
    ] {
        let mut world = opened(&[(4, 5), (5, 5)]);
        let tag = asked(&mut world);
        world.serve(&format!("{said}{tag} OK done\r\n"));
        world.expect_reply("BodyFailed 1 Missing");
        // and the session goes on
        world.retrieve(2, 1);
        let tag = world.expect("UID FETCH 5 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(2, 5, "there")));
        world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
    }
}

#[test]
fn g10_no_to_one_message_fails_that_one() {
    for (answer, expected) in [
        ("NO cannot read", "BodyFailed 1 Temporary"),
        ("BAD cannot read", "BodyFailed 1 Temporary"),
        ("NO [EXPUNGEISSUED] gone", "BodyFailed 1 Missing"),
    ] {
        let mut world = opened(&[(4, 5)]);
        let tag = asked(&mut world);
        world.serve(&format!("{tag} {answer}\r\n"));
        world.expect_reply(expected);
    }
}

/// G09, qC4: announced sizes may be estimates.
#[test]
fn g09_the_size_of_the_literal_counts_not_the_announced_one() {
    let mut world = opened(&[(4, 1000)]);
    asked(&mut world);
    world.serve(&body(1, 4, "hello"));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
}

#[test]
fn a_body_under_the_wrong_uid_is_never_passed_on_as_whole() {
    let mut world = opened(&[(4, 5), (9, 5)]);
    asked(&mut world);
    world.serve("* 1 FETCH (BODY[] {5}\r\nhello UID 9)\r\n");
    let replies = world.take_replies_said();
    assert_eq!(replies.len(), 2, "{replies:?}");
    assert!(
        replies[1].starts_with("BodyFailed 1 Temporary"),
        "{replies:?}"
    );
}

#[test]
fn a_literal_beyond_the_limit_is_refused() {
    let mut config = config();
    config.max_literal = 100;
    let mut world = World::opened(config, FULL, &[(4, 5)]);
    asked(&mut world);
    world.serve("* 1 FETCH (UID 4 BODY[] {101}\r\n");
    // one more try, and then it is enough
    world.answer_reopen(7);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve("* 1 FETCH (UID 4 BODY[] {99999999999999999999}\r\n");
    world.expect_reply("BodyFailed 1 Temporary");
}

#[test]
fn g14_a_slow_client_is_not_the_fault_of_the_upstream() {
    let mut world = opened(&[(4, 200_000)]);
    asked(&mut world);
    world.room = 0;
    world.serve("* 1 FETCH (UID 4 BODY[] {200000}\r\n");
    world.serve(&"x".repeat(200_000));
    assert!(
        world.socket.len() >= 200_000 - 64 * 1024,
        "the rest stays in the socket"
    );
    world.pass(Duration::from_secs(3600));
    world.room = 10_000;
    world.run();
    assert!(world.socket.is_empty());
    // now it is the upstream's turn
    world.pass(Duration::from_secs(59));
    world.expect_replies(&["BodyStart 1 Some(200000)"]);
    world.pass(Duration::from_secs(2));
    world.expect_reply("BodyFailed 1 Temporary");
}

#[test]
fn a_large_body_passes_through_a_small_buffer_in_large_reads() {
    let size = 10_000_000_u64;
    let mut world = opened(&[(4, size)]);
    asked(&mut world);
    world.serve(&format!("* 1 FETCH (UID 4 BODY[] {{{size}}}\r\n"));
    world.room = 80 * 1024;
    let block = vec![b'x'; 1_000_000];
    for _ in 0..10 {
        world.serve_bytes(&block);
    }
    world.serve(")\r\n");
    world.expect_replies(&["BodyStart 1 Some(10000000)", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1].len() as u64, size);
    assert_eq!(world.largest_room, 64 * 1024);
    assert!(world.reads < 200, "{} reads", world.reads);
}

#[test]
fn while_nothing_happens_next_to_nothing_is_held() {
    let mut world = opened(&[(4, 5)]);
    let tag = asked(&mut world);
    world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "hello")));
    assert!(world.backend.recv_buf().len() <= 1024);
    assert!(
        !world.backend.recv_buf().is_empty(),
        "BYE would not be noticed"
    );
    let itself = size_of_val(&world.backend);
    assert!(itself <= 1536, "{itself} octets without what it points to");
}

// TOP

fn assert_same(body: &[u8], message: &str) {
    let same = body
        .iter()
        .zip(message.as_bytes())
        .take_while(|(a, b)| a == b)
        .count();
    assert_eq!((body.len(), same), (message.len(), message.len()));
}

/// Serves windows of a message until nothing more is asked for.
fn serve_windows(world: &mut World, uid: u32, message: &str) -> Vec<(usize, usize)> {
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
    let mut world = opened(&[(4, message.len() as u64)]);
    world.top(1, 0, 0);
    let windows = serve_windows(&mut world, 4, &message);
    assert_eq!(windows[..3], [(0, 8192), (8192, 32768), (40960, 131_072)]);
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_same(&world.bodies[&1], &message);
}

#[test]
fn i011_top_of_a_short_message_asks_for_all_of_it() {
    for (size, lines, expected) in [
        (5, 0, "UID FETCH 4 (UID BODY.PEEK[])"),
        (8192, 0, "UID FETCH 4 (UID BODY.PEEK[])"),
        (8193, 0, "UID FETCH 4 (UID BODY.PEEK[]<0.8192>)"),
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
fn top_ends_at_nil_behind_the_last_octet() {
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
    let mut world = opened(&[(4, 100_000), (5, 5)]);
    world.top(1, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_reply("BodyFailed 1 Missing");
    // and NO is told as what it is
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
    let mut world = opened(&[(4, 100_000), (5, 100_000)]);
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

/// What goes on behind the literal shows whether it was as long as announced.
#[test]
fn g06_what_follows_a_literal_must_end_its_response() {
    for (tail, good) in [
        (")", true),
        (" FLAGS (\\Seen))", true),
        (" UID 4) ", true),
        ("x)", false),
        (" FLAGS (", false),
        (" and more of the mail", false),
        ("", false),
    ] {
        let mut world = opened(&[(4, 5)]);
        asked(&mut world);
        world.serve(&format!("* 1 FETCH (UID 4 BODY[] {{5}}\r\nhello{tail}\r\n"));
        let replies = world.take_replies_said();
        assert_eq!(replies[1] == "BodyEnd 1", good, "{tail:?}: {replies:?}");
        assert_eq!(replies[1].starts_with("BodyFailed"), !good, "{tail:?}");
    }
}

#[test]
fn a_literal_of_the_largest_size_is_taken() {
    let mut config = config();
    config.max_literal = 5;
    let mut world = World::opened(config, FULL, &[(4, 5)]);
    let tag = asked(&mut world);
    world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "hello")));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
}

/// Nothing is handed out where there is no room, not even nothing.
#[test]
fn without_room_there_is_no_piece_of_a_body() {
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    world.room = 0;
    world.serve("* 1 FETCH (UID 4 BODY[] {5}\r\nhello)\r\n");
    world.expect_replies(&["BodyStart 1 Some(5)"]);
    assert!(world.backend.poll_reply(0).is_none());
    // the same for one that stood in its line
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    world.room = 0;
    world.serve("* 1 FETCH (UID 4 BODY[] \"hello\")\r\n");
    world.expect_replies(&["BodyStart 1 Some(5)"]);
    assert!(world.backend.poll_reply(0).is_none());
    world.room = 2;
    world.run();
    world.expect_replies(&["BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"hello");
}

/// Reads and writes of nothing are no sign of life.
#[test]
fn nothing_is_no_progress() {
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    let due = world.backend.poll_timeout();
    let later = world.now + std::time::Duration::from_secs(30);
    world.backend.received(later, 0);
    world.backend.transmitted(later, 0);
    assert_eq!(world.backend.poll_timeout(), due);
}

/// What was not sent when the session went is not sent any more, and nobody waits for it.
#[test]
fn abandon_takes_back_what_is_not_on_its_way() {
    let mut world = World::new(config());
    world.open(common::open_with("jos\u{e9}", "secret"));
    let greeting = b"* OK [CAPABILITY IMAP4rev1] ready\r\n";
    world.backend.recv_buf()[..greeting.len()].copy_from_slice(greeting);
    world.backend.received(world.now, greeting.len());
    assert_eq!(world.backend.transmit(), b"A1 LOGIN {5}\r\n");
    let now = world.now;
    world.backend.handle_request(now, Request::Abandon);
    assert_eq!(world.backend.transmit(), b"");
}

#[test]
fn what_is_shown_of_a_backend_is_not_what_is_secret() {
    let world = opened(&[(4, 5), (7, 5)]);
    let shown = format!("{:?}", world.backend);
    assert!(shown.contains("imap.example.org"), "{shown}");
    assert!(shown.contains("messages: 2"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
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

#[test]
fn cancel_ends_after_the_running_window() {
    let mut world = opened(&[(4, 1_000_000), (5, 5)]);
    world.top(1, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve("* 1 FETCH (UID 4 BODY[]<0> {8192}\r\nSubject: x\r\n\r\n");
    world.request(Request::Cancel(Ticket(1)));
    world.retrieve(2, 1);
    world.expect("UID FETCH 5 (UID BODY.PEEK[])");
    world.serve(&"y".repeat(8192 - 14));
    world.serve(&format!(")\r\n{tag} OK\r\n"));
    world.serve(&body(2, 5, "there"));
    world.expect_replies(&["BodyStart 1 None", "BodyStart 2 Some(5)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"there");
}

/// F01: what comes for a message that is not wanted any more is never taken for the next one, be it of the
/// same form, and its end is not the next one's.
#[test]
fn a_window_that_comes_too_late_is_nobodys() {
    for early in [false, true] {
        let mut world = opened(&[(4, 100_000), (5, 100_000)]);
        world.top(1, 0, 0);
        let first = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
        // the next one is wanted before or after the first one is not
        if early {
            world.top(2, 1, 0);
        }
        world.request(Request::Cancel(Ticket(1)));
        if !early {
            world.top(2, 1, 0);
        }
        let second = world.expect("UID FETCH 5 (UID BODY.PEEK[]<0.8192>)");
        world.serve("* 1 FETCH (UID 4 BODY[]<0> {5}\r\nwrong)\r\n");
        world.expect_replies(&[]);
        world.serve("* 1 FETCH (BODY[]<0> {5}\r\nwrong)\r\n");
        world.expect_replies(&[]);
        world.serve(&format!("{first} OK\r\n"));
        world.expect_replies(&[]);
        world.serve(&format!(
            "* 2 FETCH (UID 5 BODY[]<0> {{5}}\r\nright)\r\n{second} OK\r\n"
        ));
        world.expect_replies(&["BodyStart 2 None", "BodyEnd 2"]);
        assert_eq!(world.bodies[&2], b"right");
    }
}

/// Half a line behind a message waits for its other half, though nothing else is expected.
#[test]
fn half_a_line_behind_a_message_is_kept() {
    let mut world = opened(&[(4, 5)]);
    let tag = asked(&mut world);
    world.serve(&format!("{}{tag} OK\r\n* BYE go", body(1, 4, "hello")));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    assert_ne!(world.effects.last().unwrap(), "Disconnect");
    world.serve("od night\r\n");
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    let trace = world.trace();
    assert_eq!(trace.last().unwrap(), "* BYE good night");
    // three lines are shown as they are: nothing is said to have been left out
    assert!(
        !trace.iter().any(|line| line.contains("more FETCH")),
        "{trace:?}"
    );
}

#[test]
fn cancel_of_a_huge_message_gives_the_connection_up() {
    let mut world = opened(&[(4, 1_000_000_000), (5, 5)]);
    asked(&mut world);
    world.serve("* 1 FETCH (UID 4 BODY[] {1000000000}\r\nSubject: x\r\n\r\n");
    world.request(Request::Cancel(Ticket(1)));
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    world.retrieve(2, 1);
    world.answer_reopen(7);
    world.expect("UID FETCH 5 (UID BODY.PEEK[])");
    world.serve(&body(2, 5, "there"));
    world.expect_replies(&[
        "BodyStart 1 Some(1000000000)",
        "BodyStart 2 Some(5)",
        "BodyEnd 2",
    ]);
}

#[test]
fn an_index_out_of_range_is_missing_in_its_turn() {
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    world.retrieve(2, 77);
    world.serve(&body(1, 4, "hello"));
    let replies = world.take_replies_said();
    assert_eq!(replies[1], "BodyEnd 1");
    assert!(
        replies[2].starts_with("BodyFailed 2 Missing"),
        "{replies:?}"
    );
}

#[test]
fn retrieve_without_a_maildrop_fails() {
    let mut world = World::new(config());
    world.retrieve(1, 0);
    world.expect_reply("BodyFailed 1 Temporary");
    world.open(common::password_open());
    world.retrieve(2, 0);
    world.expect_reply("BodyFailed 2 Temporary");
}

// abandoning

#[test]
fn abandon_says_logout_when_idle_and_goes_at_once_within_a_literal() {
    let mut world = opened(&[(4, 5)]);
    world.request(Request::Abandon);
    world.expect("LOGOUT");
    assert_eq!(world.effects.last().unwrap(), "Disconnect");

    let mut world = opened(&[(4, 500)]);
    asked(&mut world);
    world.serve("* 1 FETCH (UID 4 BODY[] {500}\r\nSubj");
    world.request(Request::Abandon);
    world.expect_nothing();
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    assert!(world.backend_is_quiet());
}

#[test]
fn abandon_in_every_phase_of_the_opening() {
    let steps = [
        "",
        "* OK hi\r\n",
        "* CAPABILITY IMAP4rev1\r\nA1 OK\r\n",
        "A2 OK\r\n",
        "A3 OK\r\n",
    ];
    for until in 0..=steps.len() {
        let mut world = World::new(config());
        world.open(common::password_open());
        for step in &steps[..until] {
            world.serve(step);
        }
        world.request(Request::Abandon);
        assert_eq!(world.effects.last().unwrap(), "Disconnect");
        assert!(world.backend_is_quiet());
    }
}

/// A good-bye goes out only where it would be read as a command.
#[test]
fn abandon_says_logout_only_between_commands() {
    let clear = || World::new(config());
    let mut starttls = config();
    starttls.security = imap_backend::Security::StartTls;
    let secret = || common::open_with("jos\u{e9}", "secret");
    let plain = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n";
    for (mut world, steps, speaks) in [
        (clear(), vec![], false),
        (clear(), vec!["* OK hi\r\n"], true),
        (World::new(starttls), vec!["* OK hi\r\n"], false),
        // its answer to the challenge is awaited: LOGOUT would be one
        (clear(), vec![plain], false),
        (clear(), vec![plain, "A1 OK in\r\n"], true),
    ] {
        world.open(secret());
        for step in &steps {
            world.serve(step);
        }
        world.take_sent();
        world.request(Request::Abandon);
        let sent = world.take_sent();
        assert_eq!(sent.contains("LOGOUT"), speaks, "{steps:?}: {sent}");
        assert_eq!(world.effects.last().unwrap(), "Disconnect");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A message of any octets comes as it is, however it is cut.
    #[test]
    fn i021_any_octets_in_any_chunks(
        message in proptest::collection::vec(any::<u8>(), 0..3000),
        chunks in proptest::collection::vec(1_usize..200, 1..8),
        room in 1_usize..500,
    ) {
        let mut world = opened(&[(4, message.len() as u64)]);
        world.chunks = chunks;
        world.room = room;
        let tag = asked(&mut world);
        world.serve(&format!("* 1 FETCH (UID 4 BODY[] {{{}}}\r\n", message.len()));
        world.serve_bytes(&message);
        world.serve(&format!(" FLAGS (\\Seen))\r\n{tag} OK done\r\n"));
        prop_assert_eq!(&world.bodies[&1], &message);
        let start = format!("BodyStart 1 Some({})", message.len());
        world.expect_replies(&[&start, "BodyEnd 1"]);
    }

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
