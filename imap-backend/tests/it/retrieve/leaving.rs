//! Messages that are not wanted any more, and sessions that go.

use pop3_proto::backend::{Backend, Request, Ticket};

use super::{asked, opened};
use crate::common::{World, body, config};

/// What was not sent when the session ended is not sent any more, and is not waited for.
#[test]
fn abandon_takes_back_what_is_not_on_its_way() {
    let mut world = World::new(config());
    world.open(crate::common::open_with("jos\u{e9}", "secret"));
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
fn cancel_ends_after_the_running_window() {
    let mut world = opened(&[(4, 60_000), (5, 5)]);
    world.top(1, 0, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
    world.serve("* 1 FETCH (UID 4 BODY[]<0> {8192}\r\nSubject: x\r\n\r\n");
    world.request(Request::Cancel(Ticket(1)));
    world.retrieve(2, 1);
    world.expect("UID FETCH 5 (UID BODY.PEEK[])");
    world.serve(&"y".repeat(8192 - 14));
    world.serve(&format!(")\r\n{tag} OK\r\n"));
    world.serve(&body(2, 5, "there"));
    world.expect_replies(&["BodyStart 2 Some(5)", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"there");
}

/// F01: what comes for a message that is not wanted any more is never taken for the next one, be it of the
/// same form, and its end is not the next one's.
#[test]
fn f01_a_window_that_comes_too_late_is_nobodys() {
    for early in [false, true] {
        let mut world = opened(&[(4, 60_000), (5, 60_000), (6, 60_000)]);
        world.top(1, 0, 0);
        let first = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
        // the next one is wanted before or after the first one is not
        if early {
            world.top(2, 2, 0);
        }
        world.request(Request::Cancel(Ticket(1)));
        if !early {
            world.top(2, 2, 0);
        }
        let second = world.expect("UID FETCH 6 (UID BODY.PEEK[]<0.8192>)");
        world.serve("* 1 FETCH (UID 4 BODY[]<0> {5}\r\nwrong)\r\n");
        world.expect_replies(&[]);
        world.serve("* 1 FETCH (BODY[]<0> {5}\r\nwrong)\r\n");
        world.expect_replies(&[]);
        world.serve(&format!("{first} OK\r\n"));
        world.expect_replies(&[]);
        world.serve(&format!(
            "* 3 FETCH (UID 6 BODY[]<0> {{5}}\r\nright)\r\n{second} OK\r\n"
        ));
        world.expect_replies(&["BodyStart 2 None", "BodyEnd 2"]);
        assert_eq!(world.bodies[&2], b"right");
    }
}

/// Nor does a shorter beginning of the same message, which was not waited for any more, end a longer one.
#[test]
fn f01_a_beginning_that_comes_too_late_does_not_end_a_longer_one() {
    let mut world = opened(&[(4, 60_000), (5, 60_000)]);
    world.top(1, 0, 5);
    let first = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8692>)");
    world.request(Request::Cancel(Ticket(1)));
    world.top(2, 0, 60);
    let second = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.14192>)");
    let late = "x".repeat(8692);
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[]<0> {{8692}}\r\n{late})\r\n{first} OK\r\n"
    ));
    world.expect_replies(&[]);
    world.serve(&format!(
        "* 1 FETCH (UID 4 BODY[]<0> {{5}}\r\nright)\r\n{second} OK\r\n"
    ));
    world.expect_replies(&["BodyStart 2 None", "BodyEnd 2"]);
    assert_eq!(world.bodies[&2], b"right");
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
        world.open(crate::common::password_open());
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
    let secret = || crate::common::open_with("jos\u{e9}", "secret");
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
