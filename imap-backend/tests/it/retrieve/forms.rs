//! Every form in which a server gives a message.

use proptest::prelude::*;

use super::{asked, opened};
use crate::common::{FULL, World, body, config};

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
            let mut world = opened(&[(4, expected.len() as u64)]);
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
fn g09_qc4_the_size_of_the_literal_counts_not_the_announced_one() {
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
    // nothing of it went out: it is asked for once more
    world.expect_replies(&[]);
    world.answer_reopen(7);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "right")));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"right");
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

/// What goes on after the literal shows whether it was as long as announced.
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
        let ends = replies.last().is_some_and(|reply| reply == "BodyEnd 1");
        assert_eq!(ends, good, "{tail:?}: {replies:?}");
        assert_eq!(world.bodies.is_empty(), !good, "{tail:?}");
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

/// Half a line after a message waits for its other half, though nothing else is expected.
#[test]
fn half_a_line_after_a_message_is_kept() {
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
    world.open(crate::common::password_open());
    world.retrieve(2, 0);
    world.expect_reply("BodyFailed 2 Temporary");
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
}
