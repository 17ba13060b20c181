//! Connections that go, and come back without the client noticing.

use std::time::Duration;

use crate::common::{FULL, LENT, World, begun, body, config, tags};
use pop3_proto::backend::{Backend, Failure, Outcome, Request};

fn opened() -> World {
    World::opened(config(), FULL, &[(4, 5), (5, 5), (6, 500_000)])
}

fn connects(world: &World) -> usize {
    world
        .effects
        .iter()
        .filter(|effect| effect.starts_with("Connect"))
        .count()
}

#[test]
fn g05_a_loss_while_idle_is_made_good_when_there_is_need() {
    let ways: [fn(&mut World); 3] = [
        World::hang_up,
        |world| world.serve("* BYE autologout\r\n"),
        |world| {
            world.serve("* BYE autologout\r\n");
            world.hang_up();
        },
    ];
    for way in ways {
        let mut world = opened();
        way(&mut world);
        assert_eq!(connects(&world), 1, "not before it is needed");
        assert_eq!(world.backend.poll_timeout(), None);
        world.pass(Duration::from_secs(3600));
        world.retrieve(1, 0);
        assert_eq!(connects(&world), 2);
        world.answer_reopen(7);
        let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "hello")));
        world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    }
}

#[test]
fn g07_a_loss_before_the_message_began_is_made_good_once() {
    let mut world = opened();
    world.retrieve(1, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.hang_up();
    world.answer_reopen(7);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.expect_replies(&[]);
    world.hang_up();
    world.expect_reply("BodyFailed 1 Temporary");
    // the next request may try again
    world.retrieve(2, 0);
    world.answer_reopen(7);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
}

#[test]
fn g06_a_loss_within_a_message_is_reported() {
    let mut world = opened();
    world.retrieve(1, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&begun("UID 4 BODY[]"));
    world.hang_up();
    let replies = world.take_replies_said();
    assert_eq!(replies[0], "BodyStart 1 Some(100000)");
    assert!(
        replies[1].starts_with("BodyFailed 1 Temporary"),
        "{replies:?}"
    );
    assert_eq!(replies.len(), 2);
}

#[test]
fn what_came_before_the_loss_is_not_lost() {
    let mut world = opened();
    world.room = 0;
    world.retrieve(1, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "hello")));
    world.hang_up();
    world.room = 2;
    world.run();
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"hello");
    assert_eq!(connects(&world), 1);
}

/// G05, G06: of a message that has not begun and whose response is not here to its end, nothing is passed on:
/// it is asked for anew.
#[test]
fn g05_g06_what_is_not_complete_before_the_loss_is_asked_for_anew() {
    for (said, complete) in [
        ("", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\n", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\nther", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\nthere", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\nthere)", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\nthere)\r", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\nthere)\r\n", true),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\nthere FLAGS ())\r\nA", true),
        ("* 2 FETCH (UID 5 BODY[] {0}\r\n", false),
        ("* 2 FETCH (UID 5 BODY[] {5}\r\n\n\n\n\n\n", false),
    ] {
        let mut world = opened();
        world.room = 0;
        world.retrieve(1, 0);
        world.retrieve(2, 1);
        world.serve(&format!("{}{said}", body(1, 4, "hello")));
        world.hang_up();
        world.take_sent();
        world.room = 100;
        world.run();
        assert_eq!(connects(&world), 2 - usize::from(complete), "{said:?}");
        if !complete {
            world.answer_reopen(7);
            world.expect("UID FETCH 5 (UID BODY.PEEK[])");
            world.serve(&body(2, 5, "there"));
        }
        world.expect_replies(&[
            "BodyStart 1 Some(5)",
            "BodyEnd 1",
            "BodyStart 2 Some(5)",
            "BodyEnd 2",
        ]);
        assert_eq!(world.bodies[&2], b"there");
    }
}

#[test]
fn a_loss_behind_a_slow_client_is_reported_when_it_gets_there() {
    let mut world = opened();
    world.room = 0;
    world.retrieve(1, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&begun("UID 4 BODY[]"));
    world.hang_up();
    world.expect_replies(&["BodyStart 1 Some(100000)"]);
    world.room = 100;
    world.run();
    world.expect_reply("BodyFailed 1 Temporary");
    assert!(world.bodies[&1].len() <= LENT && !world.bodies[&1].is_empty());
}

#[test]
fn g04_i008_another_uidvalidity_ends_all_reading() {
    let mut world = opened();
    world.hang_up();
    world.retrieve(1, 0);
    world.answer_reopen(8);
    world.expect_reply("BodyFailed 1 Temporary UIDVALIDITY");
    world.expect_nothing();
    world.pass(Duration::from_secs(600));
    world.retrieve(2, 1);
    world.expect_reply("BodyFailed 2 Temporary UIDVALIDITY");
    assert_eq!(connects(&world), 2, "there is no use in a third");
    world.update(&[], &[]);
    world.expect_replies(&["Updated"]);
}

#[test]
fn a_login_that_is_refused_now_is_not_tried_again() {
    let mut world = opened();
    world.hang_up();
    world.retrieve(1, 0);
    let tags = world.greet();
    world.serve(&format!(
        "{} NO [AUTHENTICATIONFAILED] changed\r\n",
        tags[0]
    ));
    world.expect_reply("BodyFailed 1 Temporary");
    world.pass(Duration::from_secs(600));
    world.retrieve(2, 1);
    world.expect_reply("BodyFailed 2 Temporary");
    assert_eq!(connects(&world), 2);
}

#[test]
fn an_upstream_that_is_away_is_not_hammered() {
    let mut world = opened();
    world.hang_up();
    world.connects = false;
    world.retrieve(1, 0);
    let failure = Failure::temporary("refused");
    world
        .backend
        .handle_outcome(world.now, Outcome::Lost(failure));
    world.run();
    world.expect_reply("BodyFailed 1 Temporary refused");
    world.retrieve(2, 0);
    world.expect_reply("BodyFailed 2 Temporary");
    assert_eq!(connects(&world), 2);
    world.pass(Duration::from_secs(6));
    world.retrieve(3, 0);
    assert_eq!(connects(&world), 3);
}

#[test]
fn two_messages_wait_for_the_same_connection() {
    let mut world = opened();
    world.retrieve(1, 1);
    world.retrieve(2, 0);
    world.hang_up();
    world.take_sent();
    world.answer_reopen(7);
    let sent = world.take_sent();
    for (tag, uid) in tags(&sent).iter().zip([5, 4]) {
        world.serve(&format!("{}{tag} OK\r\n", body(1, uid, "hello")));
    }
    world.expect_replies(&[
        "BodyStart 1 Some(5)",
        "BodyEnd 1",
        "BodyStart 2 Some(5)",
        "BodyEnd 2",
    ]);
}

#[test]
fn a_connection_that_comes_too_late_is_of_no_use() {
    let mut world = opened();
    world.hang_up();
    world.connects = false;
    world.retrieve(1, 0);
    world.pass(Duration::from_secs(31));
    world.expect_reply("BodyFailed 1 Temporary");
    world.backend.handle_outcome(world.now, Outcome::Connected);
    world.serve("* OK hi\r\n");
    world.expect_nothing();
    assert_eq!(world.backend.poll_timeout(), None);
}

#[test]
fn i028_a_noop_keeps_an_idle_connection() {
    let mut world = opened();
    world.take_sent();
    world.pass(Duration::from_secs(539));
    world.expect_nothing();
    // what the server says by itself does not keep it
    world.serve("* 4 EXISTS\r\n");
    world.pass(Duration::from_secs(2));
    world.expect_ok("NOOP");
    world.pass(Duration::from_secs(541));
    let tag = world.expect("NOOP");
    // a message may be wanted meanwhile
    world.retrieve(1, 0);
    let fetch = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&format!(
        "{tag} OK\r\n{}{fetch} OK\r\n",
        body(1, 4, "hello")
    ));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    // and a NOOP without an answer ends the connection, not the session
    world.pass(Duration::from_secs(541 + 61));
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    assert!(!world.replies.iter().any(|reply| reply.contains("Fail")));

    let mut config = config();
    config.keep_alive = Duration::ZERO;
    let world = World::opened(config, FULL, &[(4, 5)]);
    assert_eq!(world.backend.poll_timeout(), None);
}

#[test]
fn garbage_from_the_upstream_ends_the_connection_with_its_beginning_told() {
    let mut world = opened();
    world.retrieve(1, 0);
    world.serve("HTTP/1.1 502 Bad\x07Gateway\r\n");
    world.take_sent();
    world.answer_reopen(7);
    world.serve("A999 OK who asked\r\n");
    let replies = world.take_replies_said();
    assert!(
        replies[0].starts_with("BodyFailed 1 Temporary"),
        "{replies:?}"
    );
    assert!(replies[0].contains("A999 OK who asked"), "{replies:?}");
}

#[test]
fn v20_a_line_without_an_end_is_cut() {
    let mut world = opened();
    world.retrieve(1, 0);
    for _ in 0..2 {
        world.serve("* 1 FETCH (UID 4 FLAGS (");
        world.serve(&"x ".repeat(100_000));
        if connects(&world) == 2 && world.replies.is_empty() {
            world.take_sent();
            world.answer_reopen(7);
        }
    }
    let replies = world.take_replies_said();
    assert!(replies[0].contains("overlong line"), "{replies:?}");
    assert!(replies[0].len() < 400);
}

#[test]
fn abandon_while_reconnecting() {
    let mut world = opened();
    world.hang_up();
    world.retrieve(1, 0);
    world.request(Request::Abandon);
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    assert!(world.backend_is_quiet());
    world.expect_replies(&[]);
}

/// Tags go on: an answer that belongs to the connection before cannot be taken for one of this.
#[test]
fn tags_are_not_used_again() {
    let mut world = opened();
    world.retrieve(1, 0);
    let before = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.hang_up();
    world.answer_reopen(7);
    let after = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    let sent = world.everything_sent();
    let all = crate::common::tags(&sent);
    let mut once = all.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), all.len(), "{before} {after}: {sent}");
}

/// The record of a dialogue goes on over connections.
#[test]
fn the_trace_outlives_a_connection() {
    let mut world = opened();
    world.trace();
    world.retrieve(1, 0);
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.hang_up();
    world.answer_reopen(7);
    let trace = world.trace();
    let said = |what: &str| trace.iter().any(|line| line.contains(what));
    assert!(said("UID FETCH 4") && said("SELECT"), "{trace:?}");
    // what was recorded before the end can be read after it
    world.serve("* 4 EXISTS\r\n");
    world.request(Request::Abandon);
    let trace = world.trace();
    assert!(
        trace.iter().any(|line| line.contains("4 EXISTS")),
        "{trace:?}"
    );
}

/// A message that was read ahead is here in part when the connection goes: it is asked for again, as the
/// client has heard nothing of it. One that is here as a whole is handed out.
#[test]
fn g07_a_guess_that_was_cut_is_asked_for_again() {
    for (here, whole) in [("hel", false), ("hello", true)] {
        let mut world = World::opened(config(), FULL, &[(4, 5), (5, 5), (6, 5)]);
        world.retrieve(1, 0);
        let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "first")));
        world.retrieve(2, 1);
        world.expect("UID FETCH 5:6 (UID BODY.PEEK[])");
        world.serve(&body(2, 5, "again"));
        let end = if whole { ")\r\n" } else { "" };
        world.serve(&format!("* 3 FETCH (UID 6 BODY[] {{5}}\r\n{here}{end}"));
        world.take_replies_said();
        world.hang_up();
        world.retrieve(3, 2);
        if !whole {
            world.expect_replies(&[]);
            world.answer_reopen(7);
            let tag = world.expect("UID FETCH 6 (UID BODY.PEEK[])");
            world.serve(&format!("{}{tag} OK\r\n", body(3, 6, "hello")));
        }
        world.expect_replies(&["BodyStart 3 Some(5)", "BodyEnd 3"]);
        assert_eq!(world.bodies[&3], b"hello");
        assert_eq!(connects(&world), 1 + usize::from(!whole));
    }
}

/// G23: the folder became read-only between two connections.
#[test]
fn g23_a_folder_that_is_read_only_now_takes_no_marks() {
    let mut world = opened();
    world.hang_up();
    world.update(&[0], &[]);
    let tags = world.greet();
    world.serve(&format!("{} OK logged in\r\n", tags[0]));
    world.serve("* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n");
    world.serve(&format!("{} OK [READ-ONLY] selected\r\n", tags[1]));
    let replies = world.take_replies_said();
    assert!(replies[0].starts_with("Failed"), "{replies:?}");
    assert!(!world.everything_sent().contains("STORE"));
}

/// What cannot get better is not tried again in this session; what can is.
#[test]
fn a_reconnect_that_fails_for_good_is_the_last() {
    for (greeting, last) in [
        ("* PREAUTH who are you\r\n", true),
        ("* BYE [UNAVAILABLE] later\r\n", false),
    ] {
        let mut world = opened();
        world.hang_up();
        world.retrieve(1, 0);
        world.serve(greeting);
        world.expect_reply("BodyFailed 1 Temporary");
        world.pass(Duration::from_secs(60));
        world.retrieve(2, 0);
        assert_eq!(connects(&world), if last { 2 } else { 3 }, "{greeting}");
    }
}

#[test]
fn a_session_opens_once() {
    let mut world = opened();
    world.open(crate::common::password_open());
    world.expect_reply("Failed Permanent opened twice");
    // nor while the connection is away, nor after the end
    world.hang_up();
    world.open(crate::common::password_open());
    world.expect_reply("Failed Permanent opened twice");
    world.request(Request::Abandon);
    world.open(crate::common::password_open());
    world.expect_reply("Failed Permanent opened twice");
    assert_eq!(connects(&world), 1);
}
