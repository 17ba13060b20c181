//! What is asked for on a guess: never more than it should be, never in the client's way.

use std::time::Duration;

use crate::common::{FULL, World, body, config};
use imap_backend::Config;
use pop3_proto::backend::{Backend, Request, Ticket};

fn budget(octets: u64) -> Config {
    let mut config = config();
    config.read_ahead = octets;
    config
}

fn opened(octets: u64, sizes: &[u64]) -> World {
    let messages: Vec<_> = (1..).zip(sizes.iter().copied()).collect();
    World::opened(budget(octets), FULL, &messages)
}

/// Retrieves and serves the first message alone.
fn first(world: &mut World) {
    world.retrieve(0, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "one")));
    world.take_replies_said();
}

#[test]
fn the_second_in_a_row_brings_the_following_ones_along() {
    let mut world = opened(1000, &[300; 10]);
    first(&mut world);
    world.retrieve(1, 1);
    let tag = world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
    for uid in 2..6 {
        world.serve(&body(uid, uid, &format!("mail {uid}")));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_replies(&["BodyStart 1 Some(6)", "BodyEnd 1"]);
    assert!(
        world.backend.recv_buf().is_empty(),
        "what was not asked for stays in the socket"
    );
    world.retrieve(2, 2);
    world.expect_replies(&["BodyStart 2 Some(6)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"mail 3");
    // 600 octets are on their way: more than half the budget
    world.expect_nothing();
    world.retrieve(3, 3);
    // now 300: the next ones are asked for before they are needed
    let tag = world.expect("UID FETCH 6:7 (UID BODY.PEEK[])");
    world.retrieve(4, 4);
    world.serve(&body(6, 6, "mail 6"));
    world.serve(&body(7, 7, "mail 7"));
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_replies(&[
        "BodyStart 3 Some(6)",
        "BodyEnd 3",
        "BodyStart 4 Some(6)",
        "BodyEnd 4",
    ]);
    world.retrieve(5, 5);
    world.expect_replies(&["BodyStart 5 Some(6)", "BodyEnd 5"]);
    assert_eq!(world.bodies[&5], b"mail 6");
}

#[test]
fn a_guess_goes_further_the_more_was_taken_in_order() {
    const KIB: u64 = 1024;
    let mut world = opened(1024 * KIB, &[100 * KIB; 30]);
    first(&mut world);
    world.retrieve(1, 1);
    // 256 KiB and the 200 that were asked for so far, though there may be 1024
    let tag = world.expect("UID FETCH 2:6 (UID BODY.PEEK[])");
    for uid in 2..7 {
        world.serve(&body(uid, uid, &format!("mail {uid}")));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world.retrieve(2, 2);
    world.expect_nothing();
    world.retrieve(3, 3);
    // 656 less the 200 that are on their way
    world.expect("UID FETCH 7:10 (UID BODY.PEEK[])");
}

#[test]
fn a_budget_of_nothing_asks_for_nothing() {
    let mut world = opened(0, &[300; 10]);
    first(&mut world);
    world.retrieve(1, 1);
    world.expect("UID FETCH 2 (UID BODY.PEEK[])");
    world.expect_nothing();
}

#[test]
fn a_large_message_is_never_asked_for_ahead() {
    let mut world = opened(1000, &[300, 300, 300, 5000, 300, 300]);
    first(&mut world);
    world.retrieve(1, 1);
    let tag = world.expect("UID FETCH 2:3 (UID BODY.PEEK[])");
    world.serve(&format!(
        "{}{}{tag} OK\r\n",
        body(2, 2, "x"),
        body(3, 3, "y")
    ));
    world.retrieve(2, 2);
    world.expect_nothing();
    world.retrieve(3, 3);
    world.expect("UID FETCH 4:6 (UID BODY.PEEK[])");
}

#[test]
fn a_wrong_guess_is_thrown_away_and_does_not_show() {
    // other messages, the top of one, or nothing more at all
    type Turn = fn(&mut World);
    let cases: [(Turn, &str); 3] = [
        (
            |world| world.retrieve(2, 0),
            "UID FETCH 1 (UID BODY.PEEK[])",
        ),
        (
            |world| world.top(2, 3, 0),
            "UID FETCH 4 (UID BODY.PEEK[]<0.8192>)",
        ),
        (
            |world| world.update(&[8], &[]),
            "UID STORE 9 +FLAGS.SILENT (\\Deleted)",
        ),
    ];
    for (turn, expected) in cases {
        let mut world = opened(200_000, &[20_000; 10]);
        first(&mut world);
        world.retrieve(1, 1);
        let tag = world.expect("UID FETCH 2:10 (UID BODY.PEEK[])");
        world.serve(&body(2, 2, "two"));
        world.serve(&body(3, 3, "three"));
        world.expect_replies(&["BodyStart 1 Some(3)", "BodyEnd 1"]);
        turn(&mut world);
        let other = world.expect(expected);
        for uid in 4..=10 {
            world.serve(&body(uid, uid, "guess"));
        }
        world.serve(&format!("{tag} OK\r\n"));
        assert!(world.socket.is_empty());
        if expected.contains("FETCH 1 ") {
            world.serve(&format!("{}{other} OK\r\n", body(1, 1, "one")));
            world.expect_replies(&["BodyStart 2 Some(3)", "BodyEnd 2"]);
            assert_eq!(world.bodies[&2], b"one");
        } else if expected.contains("FETCH 4") {
            world.serve("* 4 FETCH (UID 4 BODY[]<0> {4}\r\nfour)\r\n");
            world.expect_replies(&["BodyStart 2 None", "BodyEnd 2"]);
            // the whole that came on the guess is as good as the window
            assert_eq!(world.bodies[&2], b"guess");
        } else {
            world.serve(&format!("{other} OK\r\n"));
            world.expect_ok("UID EXPUNGE 9");
            world.expect_replies(&["Updated"]);
        }
    }
}

#[test]
fn a_message_passed_over_costs_nothing_more() {
    let mut world = opened(200_000, &[20_000; 10]);
    first(&mut world);
    world.retrieve(1, 1);
    world.expect("UID FETCH 2:10 (UID BODY.PEEK[])");
    world.serve(&body(2, 2, "two"));
    world.serve(&body(3, 3, "three"));
    world.serve(&body(4, 4, "four"));
    world.take_replies_said();
    world.retrieve(2, 3);
    world.expect_nothing();
    world.expect_replies(&["BodyStart 2 Some(4)", "BodyEnd 2"]);
}

#[test]
fn a_message_missing_from_a_batch_is_asked_for_alone() {
    for answer in ["OK", "NO some messages are gone"] {
        let mut world = opened(200_000, &[20_000; 5]);
        first(&mut world);
        world.retrieve(1, 1);
        let tag = world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
        world.serve(&format!("{tag} {answer}\r\n"));
        world.expect_replies(&[]);
        let tag = world.expect("UID FETCH 2 (UID BODY.PEEK[])");
        world.serve(&format!("{tag} OK\r\n"));
        world.expect_reply("BodyFailed 1 Missing");
        // the next one tries again
        world.retrieve(2, 2);
        world.expect("UID FETCH 3:5 (UID BODY.PEEK[])");
    }
}

#[test]
fn messages_out_of_order_are_asked_for_again() {
    let mut world = opened(200_000, &[20_000; 5]);
    first(&mut world);
    world.retrieve(1, 1);
    let tag = world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
    for uid in [5, 4, 3, 2] {
        world.serve(&body(uid, uid, &format!("mail {uid}")));
    }
    world.serve(&format!("{tag} OK\r\n"));
    // the first one that came showed that the order means nothing
    let tag = world.expect("UID FETCH 2 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(2, 2, "mail 2")));
    world.expect_replies(&["BodyStart 1 Some(6)", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"mail 2");
}

#[test]
fn after_five_seconds_of_silence_the_guess_is_given_up() {
    let mut world = opened(200_000, &[20_000; 5]);
    first(&mut world);
    world.retrieve(1, 1);
    let tag = world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
    for uid in 2..=5 {
        world.serve(&body(uid, uid, "mail"));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world.take_replies_said();
    assert!(world.backend.recv_buf().is_empty());
    world.pass(Duration::from_secs(4));
    assert!(world.backend.recv_buf().is_empty());
    world.pass(Duration::from_secs(2));
    assert!(
        (1..=1024).contains(&world.backend.recv_buf().len()),
        "the buffer is given back"
    );
    // and then comes the keep-alive
    world.pass(Duration::from_secs(9 * 60));
    world.expect_ok("NOOP");
    // a client that takes so long is not guessed at again before it hurries
    world.retrieve(2, 2);
    world.expect("UID FETCH 3 (UID BODY.PEEK[])");
    world.retrieve(3, 3);
    world.expect("UID FETCH 4:5 (UID BODY.PEEK[])");
}

#[test]
fn five_seconds_count_from_when_the_client_had_its_message() {
    let mut world = opened(200_000, &[20_000; 5]);
    first(&mut world);
    world.room = 0;
    world.retrieve(1, 1);
    world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
    world.serve(&body(2, 2, "two"));
    world.serve(&body(3, 3, "three"));
    world.pass(Duration::from_secs(300));
    world.room = 1000;
    world.run();
    world.expect_replies(&["BodyStart 1 Some(3)", "BodyEnd 1"]);
    world.pass(Duration::from_secs(3));
    world.retrieve(2, 2);
    world.expect_nothing();
    world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
}

#[test]
fn two_requests_at_once_cost_one_round_trip() {
    let mut world = opened(0, &[300; 10]);
    world.retrieve(1, 0);
    world.retrieve(2, 5);
    let one = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    let two = world.expect("UID FETCH 6 (UID BODY.PEEK[])");
    world.serve(&format!(
        "{}{one} OK\r\n{}{two} OK\r\n",
        body(1, 1, "one"),
        body(6, 6, "six")
    ));
    world.expect_replies(&[
        "BodyStart 1 Some(3)",
        "BodyEnd 1",
        "BodyStart 2 Some(3)",
        "BodyEnd 2",
    ]);
}

#[test]
fn cancel_of_the_first_leaves_the_second() {
    let mut world = opened(0, &[300; 10]);
    world.retrieve(1, 0);
    world.retrieve(2, 5);
    let one = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    let two = world.expect("UID FETCH 6 (UID BODY.PEEK[])");
    world.request(Request::Cancel(Ticket(1)));
    world.serve(&format!(
        "{}{one} OK\r\n{}{two} OK\r\n",
        body(1, 1, "one"),
        body(6, 6, "six")
    ));
    world.expect_replies(&["BodyStart 2 Some(3)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"six");
}

#[test]
fn a_guess_that_is_lost_with_the_connection_does_not_show() {
    let mut world = opened(200_000, &[20_000; 5]);
    first(&mut world);
    world.retrieve(1, 1);
    world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
    world.serve(&body(2, 2, "two"));
    // the head of the next one is here, its body is cut
    world.serve("* 3 FETCH (UID 3 BODY[] {100}\r\ncut");
    world.take_replies_said();
    world.hang_up();
    world.retrieve(2, 2);
    world.answer_reopen(7);
    // alone: it may be this one that broke the connection
    let tag = world.expect("UID FETCH 3 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(3, 3, "three")));
    world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"three");
}

#[test]
fn a_guess_that_is_here_in_full_survives_the_connection() {
    let mut world = opened(200_000, &[20_000; 5]);
    first(&mut world);
    world.retrieve(1, 1);
    world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
    world.serve(&body(2, 2, "two"));
    world.serve(&body(3, 3, "three"));
    world.take_replies_said();
    world.hang_up();
    world.retrieve(2, 2);
    world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"three");
}

#[test]
fn qc7_a_top_of_all_lines_guesses_as_a_retr_does() {
    let mut world = opened(1000, &[300; 10]);
    world.top(0, 0, 99_999_999);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "mail")));
    world.top(1, 1, 99_999_999);
    world.expect("UID FETCH 2:5 (UID BODY.PEEK[])");
}

#[test]
fn i031_command_lines_stay_short() {
    // I031
    let messages: Vec<_> = (0..10_000).map(|n| (1_000_000_000 + 2 * n, 1)).collect();
    let mut world = World::opened(config(), FULL, &messages);
    world.retrieve(1, 0);
    world.take_sent();
    world.serve(&body(1, 1_000_000_000, "x"));
    world.retrieve(2, 1);
    let sent = world.take_sent();
    assert!(sent.len() > 500 && sent.len() <= 1000, "{}", sent.len());
}

/// Where several messages are asked for, one without a UID may be any of them: it is dropped.
#[test]
fn a_body_without_a_uid_is_taken_only_where_one_was_asked_for() {
    let mut world = World::opened(config(), FULL, &[(4, 5), (5, 5), (6, 5)]);
    world.retrieve(1, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&format!(
        "* 1 FETCH (BODY[] {{5}}\r\nfirst)\r\n{tag} OK\r\n"
    ));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    world.retrieve(2, 1);
    let tag = world.expect("UID FETCH 5:6 (UID BODY.PEEK[])");
    world.serve(&format!(
        "* 3 FETCH (BODY[] {{5}}\r\nother)\r\n* 2 FETCH (BODY[] {{5}}\r\nhello)\r\n{tag} OK\r\n"
    ));
    // asked for alone, it is sure to be the one
    world.expect_replies(&[]);
    let tag = world.expect("UID FETCH 5 (UID BODY.PEEK[])");
    world.serve(&format!(
        "* 2 FETCH (BODY[] {{5}}\r\nhello)\r\n{tag} OK\r\n"
    ));
    world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"hello");
}

/// The answer to a guess says nothing about a message that was not in it.
#[test]
fn the_end_of_a_guess_fails_nobody_else() {
    let sizes: Vec<(u32, u64)> = (1..=6).map(|uid| (uid, 5)).collect();
    let mut world = World::opened(config(), FULL, &sizes);
    world.retrieve(1, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "first")));
    world.retrieve(2, 1);
    let guess = world.expect("UID FETCH 2:6 (UID BODY.PEEK[])");
    world.serve(&body(2, 2, "hello"));
    world.take_replies_said();
    // back to the first one, while the others are still to come
    world.retrieve(3, 0);
    world.serve(&body(3, 3, "ahead"));
    world.serve(&format!("{guess} OK\r\n"));
    world.expect_replies(&[]);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "first")));
    world.expect_replies(&["BodyStart 3 Some(5)", "BodyEnd 3"]);
}

/// The same message again, while those after it are on their way.
#[test]
fn the_same_message_twice() {
    let mut world = World::opened(config(), FULL, &[(1, 5), (2, 5), (3, 5)]);
    world.retrieve(1, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "first")));
    world.retrieve(2, 1);
    world.expect("UID FETCH 2:3 (UID BODY.PEEK[])");
    world.serve(&body(2, 2, "hello"));
    world.retrieve(3, 1);
    let tag = world.expect("UID FETCH 2 (UID BODY.PEEK[])");
    world.serve(&body(3, 3, "ahead"));
    world.serve(&format!("{}{tag} OK\r\n", body(2, 2, "hello")));
    assert_eq!(world.bodies[&3], b"hello");
}

/// A body that stands in its line cannot wait in the socket: what came before it was wanted is asked for
/// again.
#[test]
fn a_guess_that_came_within_its_line() {
    let mut world = opened(100, &[5, 5, 5, 5]);
    first(&mut world);
    world.retrieve(2, 1);
    let guess = world.expect("UID FETCH 2:4 (UID BODY.PEEK[])");
    world.room = 2;
    world.serve("* 2 FETCH (UID 2 BODY[] \"hello\")\r\n* 3 FETCH (UID 3 BODY[] \"again\")\r\n");
    world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"hello");
    world.retrieve(3, 2);
    world.serve(&format!(
        "* 4 FETCH (UID 4 BODY[] \"fourth\")\r\n{guess} OK\r\n"
    ));
    let sent = world.take_sent();
    let tag = crate::common::tags(&sent)[0].clone();
    assert!(sent.contains("UID FETCH 3"), "{sent}");
    world.serve(&format!(
        "* 3 FETCH (UID 3 BODY[] \"again\")\r\n{tag} OK\r\n"
    ));
    world.expect_replies(&["BodyStart 3 Some(5)", "BodyEnd 3"]);
    assert_eq!(world.bodies[&3], b"again");
}
