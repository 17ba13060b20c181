//! Refusals, silence, and what is said of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use imap_backend::{Backoffs, Config, SharedBackoffs};

use super::{BARE, greeted, with};
use crate::common::{FULL, World, config, open_with, password_open, tags};

/// G20, I027; G21, qF1, qF2: what Microsoft says when there were too many logins is passing trouble.
#[test]
fn g20_i027_g21_qf1_qf2_refusals_of_a_login_are_told_apart() {
    for (answer, expected) in [
        (
            "NO [AUTHENTICATIONFAILED] x",
            "Refused Refusal { kind: Credentials",
        ),
        (
            "NO [AUTHORIZATIONFAILED] x",
            "Refused Refusal { kind: Credentials",
        ),
        ("NO [EXPIRED] x", "Refused Refusal { kind: Credentials"),
        ("NO wrong password", "Refused Refusal { kind: Credentials"),
        ("NO", "Refused Refusal { kind: Credentials"),
        (
            "no \u{5bc6}\u{7801}\u{9519}\u{8bef}",
            "Refused Refusal { kind: Credentials",
        ),
        ("NO [UNAVAILABLE] x", "Failed Temporary"),
        ("NO [INUSE] x", "Failed Temporary"),
        ("NO [LIMIT] x", "Failed Temporary"),
        ("NO [OVERQUOTA] x", "Failed Temporary"),
        ("NO [SERVERBUG] x", "Failed Temporary"),
        ("NO [THROTTLED] x", "Failed Temporary"),
        (
            "NO Request is throttled. Suggested Backoff Time: 1000 milliseconds",
            "Failed Temporary",
        ),
        ("NO Too many simultaneous connections", "Failed Temporary"),
        (
            "BAD User is authenticated but not connected.",
            "Failed Temporary",
        ),
        ("NO [CONTACTADMIN] x", "Failed Permanent"),
        ("NO [NOPERM] x", "Failed Permanent"),
        ("NO [PRIVACYREQUIRED] x", "Failed Permanent"),
        ("NO [CORRUPTION] x", "Failed Permanent"),
    ] {
        let mut world = greeted(config(), password_open(), BARE);
        let sent = world.take_sent();
        world.serve(&format!("{} {answer}\r\n", tags(&sent)[0]));
        world.expect_reply(expected);
        world.expect("LOGOUT");
        assert_eq!(world.effects.last().unwrap(), "Disconnect");
    }
}

/// G20, G21; G24: a folder that is missing needs a person.
#[test]
fn g20_g21_g24_refusals_of_a_folder_are_told_apart() {
    for (answer, expected) in [
        ("NO no such mailbox", "Failed Permanent"),
        ("NO [NONEXISTENT] x", "Failed Permanent"),
        ("NO [UNAVAILABLE] x", "Failed Temporary"),
        ("NO [NOPERM] x", "Failed Permanent"),
        ("NO try again later", "Failed Temporary"),
        // g21
        (
            "BAD User is authenticated but not connected.",
            "Failed Temporary",
        ),
    ] {
        let mut world = greeted(config(), password_open(), BARE);
        let sent = world.take_sent();
        let tags = tags(&sent);
        world.serve(&format!("{} OK in\r\n{} {answer}\r\n", tags[0], tags[1]));
        let replies = world.take_replies_said();
        assert!(replies[1].starts_with(expected), "{answer}: {replies:?}");
    }
}

#[test]
fn i029_bye_before_or_instead_of_an_answer() {
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* BYE [UNAVAILABLE] too busy\r\n");
    world.expect_reply("Failed Temporary");

    let mut world = greeted(config(), password_open(), BARE);
    world.take_sent();
    world.serve("* BYE overloaded\r\n");
    world.expect_replies(&[]);
    world.hang_up();
    let replies = world.take_replies_said();
    assert!(replies[0].contains("overloaded"), "{replies:?}");

    // the reason may still come
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    world.serve("* BYE go away\r\n");
    world.serve(&format!(
        "{} NO [AUTHENTICATIONFAILED] no\r\n",
        tags(&sent)[0]
    ));
    world.expect_reply("Refused Refusal { kind: Credentials");

    let mut world = greeted(config(), password_open(), BARE);
    world.take_sent();
    world.serve("* BYE go away\r\n");
    world.pass(Duration::from_secs(6));
    world.expect_reply("Failed Temporary");
}

/// What the servers wanted, in a test that has no clock: until it is taken away.
#[derive(Default)]
struct Wishes(Mutex<Vec<(String, Duration)>>);

impl Backoffs for Wishes {
    fn left(&self, user: &str) -> Duration {
        let wishes = self.0.lock().unwrap();
        let own = wishes.iter().filter(|(account, _)| account == user);
        own.map(|(_, span)| *span).max().unwrap_or_default()
    }

    fn back_off(&self, user: &str, span: Duration) {
        self.0.lock().unwrap().push((user.into(), span));
    }
}

fn keeping(wishes: &Arc<Wishes>) -> Config {
    with(|config| config.backoffs = SharedBackoffs::new(wishes.clone()))
}

/// A server that wants to be left alone is, by all sessions of the account: they hear for how long, and nothing is sent.
#[test]
fn g20_i027_a_server_that_wants_to_be_left_alone_is() {
    let throttled = "Request is throttled. Suggested Backoff Time: 299995 milliseconds";
    let span = Duration::from_millis(299_995);
    for said in ["a login", "a greeting", "a good-bye"] {
        let wishes = Arc::new(Wishes::default());
        let config = || keeping(&wishes);
        let mut world = match said {
            "a greeting" => {
                let mut world = World::new(config());
                world.open(password_open());
                world.serve(&format!("* BYE {throttled}\r\n"));
                world
            }
            _ => greeted(config(), password_open(), BARE),
        };
        let sent = world.take_sent();
        match said {
            "a login" => world.serve(&format!("{} NO {throttled}\r\n", tags(&sent)[0])),
            "a good-bye" => {
                world.serve(&format!("* BYE {throttled}\r\n"));
                world.hang_up();
            }
            _ => {}
        }
        world.expect_reply("Failed Temporary");
        assert_eq!(wishes.left("alice"), span, "{said}");

        let mut next = World::new(config());
        next.open(password_open());
        next.expect_reply(
            "Failed Temporary not asked for: the server wants to be left alone for 300 s",
        );
        assert!(next.effects.is_empty(), "{:?}", next.effects);
        let mut other = World::new(config());
        other.open(open_with("bob", "secret"));
        assert!(other.effects[0].starts_with("Connect"));
        wishes.0.lock().unwrap().clear();
        let mut later = World::new(config());
        later.open(password_open());
        assert!(later.effects[0].starts_with("Connect"));
    }
    // a password that is wrong stays one, whatever stands beside it
    let wishes = Arc::new(Wishes::default());
    let mut world = greeted(keeping(&wishes), password_open(), BARE);
    let sent = world.take_sent();
    let tag = &tags(&sent)[0];
    world.serve(&format!(
        "{tag} NO [AUTHENTICATIONFAILED] wrong password, try again in 5 s\r\n"
    ));
    world.expect_reply("Refused Refusal { kind: Credentials");
    assert_eq!(wishes.left("alice"), Duration::ZERO);
}

#[test]
fn g28_what_is_no_imap_server_is_said() {
    // G28
    for line in [
        "HTTP/1.1 400 Bad Request\r\n",
        "SSH-2.0-x\r\n",
        "+OK POP3 ready\r\n",
        "\x15\x03\x01\n",
    ] {
        let mut world = World::new(config());
        world.open(password_open());
        world.serve(line);
        let replies = world.take_replies_said();
        assert!(
            replies[0].starts_with("Failed Temporary"),
            "{line:?} {replies:?}"
        );
        let start: String = line.chars().take(4).filter(|c| !c.is_control()).collect();
        assert!(replies[0].contains(&start), "{line:?} {replies:?}");
        assert!(!world.everything_sent().contains("secret"));
    }
}

#[test]
fn silence_is_ended_by_the_clock() {
    let steps: [fn(&mut World); 5] = [
        |_| {},
        |world| world.serve("* OK hi\r\n"),
        |world| world.serve("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nA1 OK\r\n"),
        |world| world.serve("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nA1 OK\r\nA2 OK\r\n"),
        |world| world.serve("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nA1 OK\r\nA2 OK\r\nA3 OK\r\n"),
    ];
    for step in steps {
        let mut world = World::new(config());
        world.open(password_open());
        step(&mut world);
        world.pass(Duration::from_secs(29));
        assert!(
            !world
                .replies
                .iter()
                .any(|reply| reply.starts_with("Failed"))
        );
        world.pass(Duration::from_secs(2));
        let replies = world.take_replies_said();
        assert!(
            replies.last().unwrap().starts_with("Failed Temporary"),
            "{replies:?}"
        );
        assert_eq!(world.effects.last().unwrap(), "Disconnect");
        assert!(world.backend_is_quiet());
    }
}

#[test]
fn a_connection_that_does_not_come_is_ended_by_the_clock() {
    let mut world = World::new(config());
    world.connects = false;
    world.open(password_open());
    world.pass(Duration::from_secs(29));
    world.expect_replies(&[]);
    world.pass(Duration::from_secs(2));
    world.expect_reply("Failed Temporary");
}

#[test]
fn o006_v33_v34_secrets_are_in_no_detail_and_no_trace() {
    // V33, V34: even when the upstream repeats them
    let mut world = greeted(config(), open_with("alice", "s3cr\"et"), BARE);
    let sent = world.take_sent();
    let line = sent.lines().next().unwrap().to_owned();
    world.serve(&format!("* BAD cannot read {line}\r\n* OK s3cr\"et\r\n"));
    world.serve(&format!("{} BAD cannot read {line}\r\n", tags(&sent)[0]));
    let replies = world.take_replies_said().join("\n");
    let trace = world.trace().join("\n");
    for text in [replies, trace.clone()] {
        assert!(!text.contains("s3cr"), "{text}");
    }
    assert!(trace.contains("LOGIN \"alice\" <password>"), "{trace}");
}

/// What follows a name and may be a password is in no detail and no trace, although the upstream hears it.
#[test]
fn w029_what_was_typed_in_the_wrong_place_is_not_shown() {
    let mut world = greeted(config(), open_with("alice hunter2", "x"), BARE);
    let sent = world.take_sent();
    assert!(sent.contains("LOGIN \"alice hunter2\" \"x\""), "{sent}");
    world.serve(&format!("{} NO no user alice hunter2\r\n", tags(&sent)[0]));
    let replies = world.take_replies_said().join("\n");
    let trace = world.trace().join("\n");
    for text in [&replies, &trace] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(
        trace.contains("LOGIN \"alice <7 octets>\" <password>"),
        "{trace}"
    );
}

#[test]
fn the_trace_sums_long_listings_up() {
    let mut world = World::opened(
        config(),
        FULL,
        &(1..=50).map(|uid| (uid, 5)).collect::<Vec<_>>(),
    );
    world.retrieve(1, 0);
    world.take_sent();
    world.serve(&crate::common::body(1, 1, "hello"));
    let trace = world.trace();
    let fetches = trace
        .iter()
        .filter(|line| line.contains("RFC822.SIZE "))
        .count();
    assert_eq!(fetches, 3, "{trace:?}");
    assert!(
        trace.iter().any(|line| line == "<47 more FETCH lines>"),
        "{trace:?}"
    );
    assert!(
        trace
            .iter()
            .any(|line| line.ends_with("BODY[] {5} <5 octets>")),
        "{trace:?}"
    );
    assert!(
        !trace.iter().any(|line| line.contains("hello")),
        "{trace:?}"
    );
}
