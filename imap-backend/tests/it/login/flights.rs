//! In how few flights a maildrop opens.

use imap_backend::PipelineLogin;

use super::{BARE, greeted, with};
use crate::common::{World, config, open_with, password_open};

#[test]
fn qf7_capabilities_are_asked_for_where_the_greeting_has_none() {
    // qF7
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* OK hello\r\n");
    let tag = world.expect("CAPABILITY");
    world.expect_nothing();
    world.serve(&format!("* CAPABILITY {BARE}\r\n{tag} OK done\r\n"));
    world.answer_open(&[(1, 1)]);
}

#[test]
fn pipelining_after_login_can_be_switched_off() {
    let mut world = greeted(
        with(|c| c.quirks.pipeline_login = PipelineLogin::Never),
        password_open(),
        BARE,
    );
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    world.expect("SELECT \"INBOX\"");
    world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
}

/// Courier's program for logins reads on, hands over to another program, and what it read is lost.
#[test]
fn pipelining_after_login_is_for_servers_that_are_known_to_bear_it() {
    let greetings = [
        ("Dovecot (Debian) ready.", true),
        ("mail.example.org Cyrus IMAP 3.6.1 server ready", true),
        (
            "Courier-IMAP ready. Copyright 1998-2021 Double Precision, Inc.",
            false,
        ),
        ("IMAP4 ready", false),
        ("", false),
    ];
    for (greeting, pipelines) in greetings {
        let mut world = World::new(with(|c| c.quirks.pipeline_login = PipelineLogin::Auto));
        world.open(password_open());
        world.serve(&format!("* OK [CAPABILITY {BARE}] {greeting}\r\n"));
        let login = world.expect("LOGIN \"alice\" \"secret\"");
        if !pipelines {
            world.expect_nothing();
            world.serve(&format!("{login} OK done\r\n"));
        }
        world.expect("SELECT \"INBOX\"");
        world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    }
}

#[test]
fn nothing_goes_after_a_synchronising_literal() {
    let mut world = greeted(config(), open_with("jos\u{e9}", "p"), BARE);
    world.expect("LOGIN {5}");
    world.expect_nothing();
}

/// I025: the client announces itself where that is wanted.
#[test]
fn i025_id_is_sent_where_it_is_wanted_and_offered() {
    let mut world = greeted(
        with(|c| c.quirks.send_id = true),
        password_open(),
        "IMAP4rev1 ID",
    );
    world.expect("LOGIN \"alice\" \"secret\"");
    world.expect("ID (\"name\" \"a test\")");
    let mut world = greeted(with(|c| c.quirks.send_id = true), password_open(), BARE);
    assert!(!world.take_sent().contains("ID ("));
    let mut world = greeted(config(), password_open(), "IMAP4rev1 ID");
    assert!(!world.take_sent().contains("ID ("));
}
