//! What an upstream says beside its answers.

use std::time::Duration;

use super::{BARE, greeted};
use crate::common::{FULL, World, body, config, open_with, password_open, tags};

/// Each text once, wherever it stands, and never with a secret in it.
#[test]
fn w045_an_alert_is_reported_once_for_each_text_and_session() {
    let mut world = World::new(config());
    world.open(open_with("alice", "tanstaaf"));
    world.serve("* OK [ALERT] disk is nearly full\r\n");
    assert_eq!(
        world.notes(),
        ["Warning imap.example.org port 143 says: [ALERT] disk is nearly full"]
    );
    let tag = world.expect("CAPABILITY");
    world.serve(&format!(
        "* CAPABILITY {FULL}\r\n{tag} OK [ALERT] disk is nearly full\r\n"
    ));
    assert_eq!(world.notes(), [""; 0], "said already");
    world.serve("* NO [ALERT] tanstaaf is a bad password\r\n");
    assert_eq!(
        world.notes(),
        ["Warning imap.example.org port 143 says: [ALERT] <password> is a bad password"]
    );
    world.answer_open(&[(1, 5)]);
    world.retrieve(1, 0);
    let sent = world.take_sent();
    world.serve("* OK [ALERT] tanstaaf leaked again\r\n");
    world.serve(&body(1, 1, "12345"));
    world.serve(&format!("{} OK [alert] third\r\n", tags(&sent)[0]));
    assert_eq!(
        world.notes(),
        [
            "Warning imap.example.org port 143 says: [ALERT] <password> leaked again",
            "Warning imap.example.org port 143 says: [alert] third",
        ]
    );
}

/// However many a server thinks of, they are bounded.
#[test]
fn w045_alerts_are_bounded() {
    let mut world = greeted(config(), password_open(), BARE);
    for n in 0..1000 {
        world.serve(&format!("* OK [ALERT] number {n}\r\n"));
    }
    let notes = world.notes();
    assert!((8..=32).contains(&notes.len()), "{}", notes.len());
}

/// The refusal that does not end its command, as some proxies say it.
#[test]
fn w044_an_untagged_refusal_of_the_login_is_one() {
    for (line, refused) in [
        ("* NO [AUTHENTICATIONFAILED] wrong password", true),
        ("* NO [authorizationfailed] not you", true),
        ("* BAD [AUTHENTICATIONFAILED] wrong password", true),
        ("* NO [EXPIRED] change it", true),
        ("* NO the disk is nearly full", false),
        ("* OK [AUTHENTICATIONFAILED] of yesterday", false),
        ("* NO [UNAVAILABLE] of the index", false),
    ] {
        for capabilities in [BARE, "IMAP4rev1 AUTH=PLAIN SASL-IR LOGINDISABLED"] {
            let mut world = greeted(config(), password_open(), capabilities);
            world.take_sent();
            world.serve(&format!("{line}\r\n"));
            if refused {
                world.expect_reply("Refused Refusal { kind: Credentials");
            } else {
                world.expect_replies(&[]);
            }
        }
    }
}

/// After the login it is about something else.
#[test]
fn w044_an_untagged_no_of_the_folder_refuses_no_login() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    world.serve(&format!("{} OK in\r\n", tags(&sent)[0]));
    world.serve("* NO [AUTHENTICATIONFAILED] of a shared folder\r\n");
    world.expect_replies(&["Authenticated"]);
}

/// What was said last is what a person wants to know of a server that then says nothing.
#[test]
fn w044_the_last_words_stand_in_the_log_of_a_timeout() {
    for (said, kept) in [
        ("* NO too many of you\r\n", "NO too many of you"),
        (
            "* OK still here\r\n* NO tanstaaf is in use\r\n",
            "NO <password> is in use",
        ),
    ] {
        let mut world = greeted(config(), open_with("alice", "tanstaaf"), BARE);
        world.take_sent();
        world.serve(said);
        world.pass(Duration::from_secs(100));
        let replies = world.take_replies_said();
        assert!(replies[0].starts_with("Failed Temporary"), "{replies:?}");
        assert!(replies[0].contains(kept), "{replies:?}");
    }
    // and of a session that stands
    let mut world = World::opened(config(), FULL, &[(1, 5)]);
    world.retrieve(1, 0);
    world.serve("* NO [INUSE] somebody packs the folder\r\n");
    world.pass(Duration::from_secs(200));
    let replies = world.take_replies_said();
    assert!(
        replies[0].contains("somebody packs the folder"),
        "{replies:?}"
    );
}
