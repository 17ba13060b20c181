//! TOP of no lines of a large message: by its header, and never by what is none.

use pop3_proto::backend::{Request, Ticket};
use proptest::prelude::*;

use super::opened;
use super::top::{assert_same, serve_windows};
use crate::common::{FULL, LENT, World, begun, body, config};

const LARGE: u64 = 1_000_000;
const HEADER: &str = "UID FETCH 4 (UID BODY.PEEK[HEADER])";
const WINDOW: &str = "UID FETCH 4 (UID BODY.PEEK[]<0.8192>)";

/// A world with large messages, of which the first is to be seen from the top; and the tag of its FETCH.
fn asked() -> (World, String) {
    let mut world = opened(&[(4, LARGE), (5, LARGE)]);
    world.top(1, 0, 0);
    let tag = world.expect(HEADER);
    (world, tag)
}

fn header(uid: u32, header: &str) -> String {
    let size = header.len();
    format!("* 1 FETCH (UID {uid} BODY[HEADER] {{{size}}}\r\n{header})\r\n")
}

fn window(uid: u32, offset: usize, piece: &str) -> String {
    let size = piece.len();
    format!("* 1 FETCH (UID {uid} BODY[]<{offset}> {{{size}}}\r\n{piece})\r\n")
}

#[test]
fn i011_top_of_no_lines_of_a_large_message_asks_for_its_header() {
    for said in [
        "* 1 FETCH (UID 4 BODY[HEADER] {14}\r\nSubject: x\r\n\r\n",
        "* 1 FETCH (BODY[HEADER] {14}\r\nSubject: x\r\n\r\n",
        "*  1  fetch  ( uid  4  body[header]  ~{14}\r\nSubject: x\r\n\r\n",
        "* 1 FETCH (UID 4 FLAGS () BODY[HEADER]{14}\r\nSubject: x\r\n\r\n",
        "* 1 FETCH (BODY[HEADER.FIELDS (X)] {2}\r\n\r\n UID 4 BODY[HEADER] {14}\r\nSubject: x\r\n\r\n",
    ] {
        for chunk in [1, 7, usize::MAX] {
            let (mut world, tag) = asked();
            world.chunks = vec![chunk];
            world.serve(said);
            world.expect_replies(&[]);
            world.room = 8;
            world.serve(" FLAGS (\\Seen))\r\n");
            // no size: it is not that of the message
            world.expect_replies(&["BodyStart 1 None"]);
            assert_same(&world.bodies[&1], "Subject: x\r\n\r\n");
            // the session has seen the blank line, and nothing more is asked for
            world.request(Request::Cancel(Ticket(1)));
            world.serve(&format!("{tag} OK\r\n"));
            world.take_sent();
            world.expect_replies(&[]);
            // the same message again, as a whole, and another one's header
            world.retrieve(2, 0);
            let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
            world.serve(&format!(
                "{}{tag} OK\r\n",
                body(1, 4, "Subject: x\r\n\r\ny")
            ));
            world.expect_replies(&["BodyStart 2 Some(15)", "BodyEnd 2"]);
            world.top(3, 1, 0);
            world.expect("UID FETCH 5 (UID BODY.PEEK[HEADER])");
            world.serve(&header(5, "A: b\r\n\r\n"));
            assert_same(&world.bodies[&3], "A: b\r\n\r\n");
        }
    }
}

/// The session alone knows where a header ends: where the server has another idea, the message goes on in
/// windows after what it sent, and nothing is sent twice.
#[test]
fn i011_a_header_without_a_blank_line_goes_on_in_windows() {
    let message = "Subject: x\r\nno header line\r\n".to_owned() + &"y".repeat(100_000);
    for known in [1, 12, 28, 100, 70_000, message.len()] {
        for announced in [65_536, message.len() as u64, 10 * LARGE] {
            for chunk in [999, usize::MAX] {
                let mut world = opened(&[(4, announced)]);
                world.chunks = vec![chunk];
                world.top(1, 0, 0);
                let tag = world.expect(HEADER);
                world.serve(&format!("{}{tag} OK\r\n", header(4, &message[..known])));
                let windows = serve_windows(&mut world, 4, &message);
                assert_eq!(windows[0], (known, 8192));
                world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
                assert_same(&world.bodies[&1], &message);
            }
        }
    }
}

/// A header in its line is one, too.
#[test]
fn i011_a_quoted_header_goes_on_in_windows() {
    let message = "no \\ header line".to_owned() + &"y".repeat(70_000);
    let (mut world, tag) = asked();
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[HEADER] \"no \\\\ header line\" FLAGS ())\r\n{tag} OK\r\n"
    ));
    let windows = serve_windows(&mut world, 4, &message);
    assert_eq!(windows[0], (16, 8192));
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_same(&world.bodies[&1], &message);
}

/// The end of the message after its header, in every form in which a server says it.
#[test]
fn i011_a_message_that_is_all_header_ends() {
    let message = "A: b\r\n".repeat(15_000);
    let size = message.len();
    for announced in [65_536, size as u64] {
        for end in [
            format!("BODY[]<{size}> {{0}}\r\n"),
            format!("BODY[]<{size}> \"\""),
            format!("BODY[]<{size}> NIL"),
            format!("BODY[]<{size}> {{2}}\r\n\r\n"),
        ] {
            let mut world = opened(&[(4, announced)]);
            world.top(1, 0, 0);
            let tag = world.expect(HEADER);
            world.serve(&format!("{}{tag} OK\r\n", header(4, &message)));
            let tag = world.expect(&format!("UID FETCH 4 (UID BODY.PEEK[]<{size}.8192>)"));
            world.serve(&format!("* 1 FETCH (UID 4 {end})\r\n{tag} OK\r\n"));
            world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
            let blank = if end.ends_with("\n\r\n") { "\r\n" } else { "" };
            assert_same(&world.bodies[&1], &(message.clone() + blank));
        }
    }
    // a message that should be longer has not come to its end
    let mut world = opened(&[(4, size as u64 + 1)]);
    world.top(1, 0, 0);
    world.expect(HEADER);
    world.serve(&header(4, &message));
    world.expect(&format!("UID FETCH 4 (UID BODY.PEEK[]<{size}.8192>)"));
    world.serve(&format!("* 1 FETCH (UID 4 BODY[]<{size}> NIL)\r\n"));
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("BodyFailed 1"), "{replies:?}");
}

/// Whatever comes instead of the header, the message is had in windows.
#[test]
fn i011_i034_without_a_header_the_message_comes_in_windows() {
    let message = "A: b\r\n\r\n".to_owned() + &"y".repeat(9000);
    let wrong = "wrong".repeat(20);
    for said in [
        "TAG OK\r\n",
        "TAG NO [SERVERBUG] broken header\r\n",
        "TAG NO [EXPUNGEISSUED] gone\r\n",
        "TAG BAD what\r\n",
        "* 1 FETCH (UID 4 BODY[HEADER] NIL)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[HEADER] {0}\r\n)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[HEADER] \"\")\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[HEADER]<0> {100}\r\nWRONG)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[1.HEADER] {100}\r\nWRONG)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 RFC822.HEADER {100}\r\nWRONG)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[] {100}\r\nWRONG)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[]<0> {100}\r\nWRONG)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[] \"WRONG\")\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 BODY[] NIL)\r\nTAG OK\r\n",
        "* 2 FETCH (UID 5 BODY[HEADER] {100}\r\nWRONG)\r\nTAG OK\r\n",
        "* 2 FETCH (UID 5 BODY[HEADER] \"WRONG\")\r\nTAG OK\r\n",
        "* 9 FETCH (UID 77 BODY[HEADER] NIL)\r\nTAG OK\r\n",
        "* 1 FETCH (UID 4 FLAGS ())\r\nTAG OK\r\n",
    ] {
        for chunk in [1, usize::MAX] {
            let (mut world, tag) = asked();
            world.chunks = vec![chunk];
            let said = said.replace("WRONG", &wrong);
            let (before, end) = said.split_at(said.find("TAG").unwrap_or_default());
            world.serve(before);
            world.serve(&end.replace("TAG", &tag));
            let windows = serve_windows(&mut world, 4, &message);
            assert_eq!(windows[0], (0, 8192), "{said}");
            world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
            assert_same(&world.bodies[&1], &message);
        }
    }
}

/// What windows say of a message that is not there is what the client gets.
#[test]
fn g11_top_of_a_large_message_that_is_gone() {
    for (answer, expected) in [
        ("OK", "BodyFailed 1 Missing"),
        ("NO [UNAVAILABLE] later", "BodyFailed 1 Temporary"),
        ("NO [EXPUNGEISSUED] gone", "BodyFailed 1 Missing"),
    ] {
        let (mut world, tag) = asked();
        world.serve(&format!("{tag} {answer}\r\n"));
        let tag = world.expect(WINDOW);
        world.serve(&format!("{tag} {answer}\r\n"));
        world.expect_reply(expected);
        world.expect_nothing();
    }
}

/// G06: a header that was not asked for is neither a message nor a part of one, in whatever form it comes.
#[test]
fn g06_i011_a_header_is_never_taken_for_a_message() {
    let headers = [
        "BODY[HEADER] {5}\r\nwrong",
        "BODY[HEADER] \"wrong\"",
        "BODY[HEADER] NIL",
        "BODY[HEADER] {0}\r\n",
        "BODY[HEADER] ~{5}\r\nwrong",
    ];
    for uid in ["UID 4 ", ""] {
        for wrong in headers {
            // after and before the message, and in the same response
            let apart = format!("* 1 FETCH ({uid}{wrong})\r\n");
            for around in [
                format!("{apart}* 1 FETCH ({uid}BODY[]"),
                format!("* 1 FETCH ({uid}{wrong} BODY[]"),
            ] {
                let mut world = opened(&[(4, LARGE)]);
                world.retrieve(1, 0);
                let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
                world.serve(&format!(
                    "{around} {{5}}\r\nright {wrong})\r\n{apart}{tag} OK\r\n"
                ));
                world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
                assert_same(&world.bodies[&1], "right");
                // nor is it the answer to what comes next
                world.top(2, 0, 1);
                let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8292>)");
                world.serve(&format!(
                    "{around}<0> {{5}}\r\nright)\r\n{apart}{tag} OK\r\n"
                ));
                world.expect_replies(&["BodyStart 2 None", "BodyEnd 2"]);
                assert_same(&world.bodies[&2], "right");
            }
            // without the message it is none
            let mut world = opened(&[(4, LARGE)]);
            world.retrieve(1, 0);
            let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
            world.serve(&format!("{apart}{tag} OK\r\n"));
            world.expect_reply("BodyFailed 1 Missing");
        }
    }
}

/// A message that comes with the header that was asked for is not taken for it, and does no harm.
#[test]
fn i011_a_message_is_never_taken_for_its_header() {
    let message = "A: b\r\n\r\n".to_owned() + &"y".repeat(70_000);
    for said in [
        "* 1 FETCH (UID 4 BODY[] {5}\r\nwrong)\r\nTHEN",
        "* 1 FETCH (UID 4 BODY[] NIL)\r\nTHEN",
        "* 1 FETCH (UID 4 BODY[HEADER] {8}\r\nA: b\r\n\r\n BODY[] {5}\r\nwrong)\r\n",
        "* 1 FETCH (UID 4 BODY[] \"wrong\" BODY[HEADER] {8}\r\nA: b\r\n\r\n)\r\n",
    ] {
        let (mut world, tag) = asked();
        let said = said.replace("THEN", &header(4, "A: b\r\n\r\n"));
        world.serve(&format!("{said}{tag} OK\r\n"));
        let windows = serve_windows(&mut world, 4, &message);
        assert_eq!(windows[0], (8, 8192), "{said}");
        world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
        assert_same(&world.bodies[&1], &message);
    }
}

/// F01: what comes for a message that is not wanted any more is never taken for the next one.
#[test]
fn f01_a_header_that_comes_too_late_is_nobodys() {
    for early in [false, true] {
        for part in ["header", "window", "whole"] {
            let (mut world, first) = asked();
            let next = |world: &mut World| match part {
                "header" => world.top(2, 1, 0),
                "window" => world.top(2, 1, 1),
                _ => world.retrieve(2, 1),
            };
            // the next one is wanted before or after the first one is not
            if early {
                next(&mut world);
            }
            world.request(Request::Cancel(Ticket(1)));
            if !early {
                next(&mut world);
            }
            let (asked, answer) = match part {
                "header" => ("BODY.PEEK[HEADER]", header(5, "right")),
                "window" => ("BODY.PEEK[]<0.8292>", window(5, 0, "right")),
                _ => ("BODY.PEEK[]", body(2, 5, "right")),
            };
            let second = world.expect(&format!("UID FETCH 5 (UID {asked})"));
            for uid in ["UID 4 ", ""] {
                world.serve(&format!("* 1 FETCH ({uid}BODY[HEADER] {{5}}\r\nwrong)\r\n"));
                world.serve(&format!("* 1 FETCH ({uid}BODY[HEADER] \"wrong\")\r\n"));
                world.expect_replies(&[]);
            }
            world.serve(&format!("{first} OK\r\n"));
            world.expect_replies(&[]);
            world.serve(&answer);
            assert_same(&world.bodies[&2], "right");
            if part == "header" {
                world.serve(&format!("{second} OK\r\n"));
                serve_windows(&mut world, 5, "right");
            }
            let replies = world.take_replies_said();
            assert!(replies[0].starts_with("BodyStart 2"), "{replies:?}");
            assert_eq!(replies[1..], ["BodyEnd 2"]);
        }
    }
}

/// The same message wanted anew gets a header of its own, and what is left of the first does no harm.
#[test]
fn f01_a_header_that_is_wanted_anew_is_asked_for_anew() {
    let (mut world, first) = asked();
    world.serve("* 1 FETCH (UID 4 BODY[HEADER] {100}\r\nA: b\r\n\r\n");
    world.request(Request::Cancel(Ticket(1)));
    world.top(2, 0, 0);
    let second = world.expect(HEADER);
    world.serve(&"w".repeat(92));
    world.serve(&format!(")\r\n{first} OK\r\n"));
    world.room = 7;
    world.serve(&header(4, "A: b\r\n\r\n"));
    world.expect_replies(&["BodyStart 2 None"]);
    assert_same(&world.bodies[&2], "A: b\r\n\r\n");
    world.request(Request::Cancel(Ticket(2)));
    world.serve(&format!("{second} OK\r\n"));
    world.take_sent();
}

/// A header that is not waited for any more holds nothing up: it is not kept as one read ahead is.
#[test]
fn i011_a_header_that_is_not_waited_for_holds_nothing_up() {
    let (mut world, tag) = asked();
    world.request(Request::Cancel(Ticket(1)));
    world.serve(&header(4, "A: b\r\n\r\n"));
    world.serve(&format!("{tag} OK\r\n"));
    assert!(world.socket.is_empty());
    world.top(2, 0, 0);
    world.expect(HEADER);
    // nor does it make whole messages worth a guess
    world.request(Request::Cancel(Ticket(2)));
    world.retrieve(3, 1);
    world.expect("UID FETCH 5 (UID BODY.PEEK[])");
}

/// Commands after the TOP wait for it, whole or not, and are answered in order.
#[test]
fn i011_a_message_after_a_header_waits() {
    let (mut world, tag) = asked();
    world.retrieve(2, 0);
    world.serve(&format!("{}{tag} OK\r\n", header(4, "A: b\r\n")));
    serve_windows(&mut world, 4, "A: b\r\n\r\nx");
    world.expect_replies(&[
        "BodyStart 1 None",
        "BodyEnd 1",
        "BodyStart 2 Some(9)",
        "BodyEnd 2",
    ]);
    assert_same(&world.bodies[&1], "A: b\r\n\r\nx");
}

#[test]
fn a_header_under_the_wrong_uid_is_never_passed_on_as_whole() {
    let (mut world, _) = asked();
    world.serve("* 1 FETCH (BODY[HEADER] {8}\r\nA: b\r\n\r\n UID 5)\r\n");
    world.expect_replies(&[]);
    // once more, in windows
    world.answer_reopen(7);
    world.expect(WINDOW);
}

/// G05, G06: a connection that is lost before the header has begun is replaced; and in case it was lost over
/// the header, the message is then had in windows.
#[test]
fn g05_i011_g06_a_connection_lost_before_the_header_is_replaced() {
    let message = "A: b\r\n\r\n".to_owned() + &"y".repeat(70_000);
    for said in [
        "",
        "* 1 FETCH (UID 4",
        "* 1 FETCH (UID 4 BODY[HEADER] {20}\r\nA: b",
    ] {
        let (mut world, _) = asked();
        world.room = 0;
        world.serve(said);
        world.hang_up();
        world.room = 1000;
        world.answer_reopen(7);
        serve_windows(&mut world, 4, &message);
        world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
        assert_same(&world.bodies[&1], &message);
        // the next one is asked for as always
        world.top(2, 1, 0);
        world.expect("UID FETCH 5 (UID BODY.PEEK[HEADER])");
    }
}

/// G06: once it has begun, a message breaks off with its connection, in the header as after it.
#[test]
fn g06_i011_a_connection_lost_within_or_after_the_header() {
    for (said, expected) in [
        (begun("UID 4 BODY[HEADER]"), "x".repeat(LENT)),
        (header(4, "A: b\r\n"), "A: b\r\n".into()),
    ] {
        let (mut world, _) = asked();
        world.serve(&said);
        world.hang_up();
        let replies = world.take_replies_said();
        assert_eq!(replies[0], "BodyStart 1 None");
        assert!(
            replies[1].starts_with("BodyFailed 1 Temporary"),
            "{replies:?}"
        );
        assert!(!world.bodies[&1].is_empty());
        assert!(expected.as_bytes().starts_with(&world.bodies[&1]));
    }
}

/// A header in which the session has seen its blank line is not read on without end.
#[test]
fn i011_cancel_within_a_huge_header_gives_the_connection_up() {
    let (mut world, _) = asked();
    world.serve("* 1 FETCH (UID 4 BODY[HEADER] {1000000000}\r\nA: b\n\n");
    world.request(Request::Cancel(Ticket(1)));
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    world.top(2, 1, 0);
    world.answer_reopen(7);
    world.expect("UID FETCH 5 (UID BODY.PEEK[HEADER])");
}

/// A server that sends all of a huge message instead of its header is asked for windows on a new connection.
#[test]
fn i011_a_huge_message_instead_of_its_header() {
    let message = "y".repeat(70_000);
    let (mut world, _) = asked();
    world.serve("* 1 FETCH (UID 4 BODY[] {1000000000}\r\nyyy");
    world.answer_reopen(7);
    serve_windows(&mut world, 4, &message);
    world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    assert_same(&world.bodies[&1], &message);
}

/// A header beyond the limit is refused like any other literal.
#[test]
fn i011_a_header_beyond_the_limit_is_refused() {
    let mut config = config();
    config.max_literal = 100;
    let mut world = World::opened(config, FULL, &[(4, LARGE)]);
    world.top(1, 0, 0);
    world.expect(HEADER);
    world.serve("* 1 FETCH (UID 4 BODY[HEADER] {101}\r\n");
    world.answer_reopen(7);
    world.expect(WINDOW);
}

/// A server that says nothing is given up, and asked once more, in windows.
#[test]
fn i011_silence_instead_of_a_header() {
    let (mut world, _) = asked();
    world.pass(std::time::Duration::from_secs(61));
    world.answer_reopen(7);
    world.expect(WINDOW);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// TOP gives the front of what RETR gives, wherever the server thinks that the header ends.
    #[test]
    fn i011_top_by_a_header_is_a_prefix_of_the_message(
        message in "([A-Z]: [a-z]{0,20}|[a-z]{0,60}|\r|\0)((\r\n|\n)([A-Z]: [a-z]{0,20}|[a-z]{0,60}|\r|\0)){0,200}",
        announced in 65_536_u64..1_000_000,
        known in any::<prop::sample::Index>(),
        chunks in proptest::collection::vec(1_usize..3000, 1..5),
        room in 1_usize..5000,
        named in any::<bool>(),
    ) {
        let mut world = opened(&[(4, announced)]);
        world.chunks = chunks;
        world.room = room;
        world.top(1, 0, 0);
        let tag = world.expect(HEADER);
        let known = known.index(message.len() + 1);
        let header = header(4, &message[..known]);
        let header = if named { header } else { header.replace("UID 4 ", "") };
        world.serve(&format!("{header}{tag} OK\r\n"));
        let windows = serve_windows(&mut world, 4, &message);
        prop_assert_eq!(windows[0].0, known);
        prop_assert_eq!(&world.bodies[&1], message.as_bytes());
        world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
    }
}
