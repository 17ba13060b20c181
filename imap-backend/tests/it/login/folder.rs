//! The folder: opened, scanned, and how large it may be.

use imap_backend::{Config, DeletePolicy};
use pop3_proto::backend::Access;

use super::{BARE, greeted, with};
use crate::common::{FULL, World, config, password_open, tags};

#[test]
fn g23_a_read_only_folder_opens_read_only() {
    for (access, code, command) in [
        (Access::ReadOnly, "READ-ONLY", "EXAMINE \"INBOX\""),
        (Access::ReadOnly, "READ-WRITE", "EXAMINE \"INBOX\""),
        (Access::ReadWrite, "READ-ONLY", "SELECT \"INBOX\""),
    ] {
        let mut world = greeted(config(), password_open().access(access), FULL);
        world.expect_ok("LOGIN \"alice\" \"secret\"");
        let select = world.expect(command);
        world.serve("* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n");
        world.serve(&format!("{select} OK [{code}] done\r\n"));
        let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
        world.serve(&format!("{scan} OK done\r\n"));
        world.expect_replies(&["Authenticated", "Opened ReadOnly"]);
    }
}

#[test]
fn an_empty_folder_may_refuse_the_scan() {
    for answer in ["OK nothing", "NO nothing there", "BAD invalid set"] {
        let mut world = greeted(config(), password_open(), BARE);
        let sent = world.take_sent();
        let tags = tags(&sent);
        world.serve(&format!(
            "{} OK in\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
            tags[0]
        ));
        world.serve(&format!(
            "{} OK selected\r\n{} {answer}\r\n",
            tags[1], tags[2]
        ));
        world.expect_replies(&["Authenticated", "Opened ReadWrite"]);
    }
}

#[test]
fn a_scan_that_fails_on_a_full_folder_is_a_failure() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
        tags[0]
    ));
    world.serve(&format!(
        "{} OK selected\r\n* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n",
        tags[1]
    ));
    world.serve(&format!("{} NO something\r\n", tags[2]));
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("Failed Temporary"), "{replies:?}");
}

#[test]
fn i008_without_uidvalidity_there_is_no_maildrop() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 0 EXISTS\r\n{} OK selected\r\n",
        tags[0], tags[1]
    ));
    world.serve(&format!("{} OK scanned\r\n", tags[2]));
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("Failed Permanent"), "{replies:?}");
}

#[test]
fn i023_a_message_limit_makes_the_scan_go_on() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 4 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
        tags[0]
    ));
    world.serve(&format!("{} OK selected\r\n", tags[1]));
    world.serve("* 3 FETCH (UID 7 RFC822.SIZE 3)\r\n* 4 FETCH (UID 9 RFC822.SIZE 4)\r\n");
    world.serve(&format!("{} OK [MESSAGELIMIT 2 7] partly\r\n", tags[2]));
    let tag = world.expect("UID FETCH 1:6 (UID RFC822.SIZE)");
    world.serve("* 1 FETCH (UID 2 RFC822.SIZE 1)\r\n* 2 FETCH (UID 3 RFC822.SIZE 2)\r\n");
    world.serve(&format!("{tag} OK done\r\n"));
    let replies = world.take_replies_said();
    assert_eq!(replies.len(), 6, "{replies:?}");
}

/// A world that is logged in and has the folder open, with this many messages; and the scan's tag.
fn scanning(config: Config, exists: u32) -> (World, String) {
    let mut world = greeted(config, password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* {exists} EXISTS\r\n* OK [UIDVALIDITY 1]\r\n{} OK selected\r\n",
        tags[0], tags[1]
    ));
    world.take_replies_said();
    (world, tags[2].clone())
}

#[test]
fn i023_a_message_limit_that_gets_nowhere_is_the_end() {
    let (mut world, tag) = scanning(config(), 4);
    world.serve("* 4 FETCH (UID 9 RFC822.SIZE 4)\r\n");
    world.serve(&format!("{tag} OK [MESSAGELIMIT 1 7] partly\r\n"));
    let tag = world.expect("UID FETCH 1:6 (UID RFC822.SIZE)");
    world.serve(&format!("{tag} OK [MESSAGELIMIT 1 7] partly\r\n"));
    // not the same once more, but a look whether that is all
    world.expect_ok("NOOP");
    world.expect_ok("UID FETCH 1:* (UID RFC822.SIZE)");
    world.expect_replies(&["Entry 1.9 4", "Opened ReadWrite"]);
}

/// Messages that are announced and not listed may be gone: one NOOP makes the server say so.
#[test]
fn a_listing_that_is_short_is_asked_for_once_more() {
    let two = "* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n* 2 FETCH (UID 2 RFC822.SIZE 2)\r\n";
    let entries = ["Entry 1.1 1", "Entry 1.2 2", "Opened ReadWrite"];
    // one was gone, and so it is said
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&[]);
    let tag = world.expect("NOOP");
    world.serve(&format!("* 3 EXPUNGE\r\n{tag} OK\r\n"));
    let tag = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&entries);
    // one cannot be listed: it does not hide the others
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_ok("NOOP");
    let tag = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&entries);
    world.expect_nothing();
    // none can: an empty maildrop would be a lie
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_ok("NOOP");
    world.expect_ok("UID FETCH 1:* (UID RFC822.SIZE)");
    world.expect_reply("Failed Temporary upstream lists none of 3 messages");
    // the listing is refused: neither is that an empty maildrop
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{two}{tag} NO [UNAVAILABLE] later\r\n"));
    world.expect_reply("Failed Temporary");
    // all are there, whatever the server says in the end
    let (mut world, tag) = scanning(config(), 2);
    world.serve(&format!("{two}{tag} NO [EXPUNGEISSUED] some\r\n"));
    world.expect_replies(&entries);
    // a folder without messages has none
    let (mut world, tag) = scanning(config(), 0);
    world.serve(&format!("{tag} BAD nothing to fetch\r\n"));
    world.expect_replies(&["Opened ReadWrite"]);
}

#[test]
fn a_maildrop_of_the_largest_size_opens() {
    let (mut world, tag) = scanning(with(|c| c.max_messages = 2), 2);
    let two = "* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n* 2 FETCH (UID 2 RFC822.SIZE 2)\r\n";
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&["Entry 1.1 1", "Entry 1.2 2", "Opened ReadWrite"]);
}

#[test]
fn p049_hidden_messages_are_left_out() {
    // P049: duplicates too
    let cases = [
        (DeletePolicy::Seen, "\\Seen"),
        (DeletePolicy::Keyword("$POP3Deleted".into()), "$POP3Deleted"),
    ];
    for (delete, flag) in cases {
        let mut world = greeted(with(|c| c.delete = delete), password_open(), BARE);
        let sent = world.take_sent();
        let tags = tags(&sent);
        assert!(
            sent.ends_with("UID FETCH 1:* (UID RFC822.SIZE FLAGS)\r\n"),
            "{sent}"
        );
        world.serve(&format!(
            "{} OK in\r\n* 4 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
            tags[0]
        ));
        world.serve(&format!("{} OK selected\r\n", tags[1]));
        world.serve("* 1 FETCH (UID 1 RFC822.SIZE 10 FLAGS (\\Answered))\r\n");
        world.serve(&format!(
            "* 2 FETCH (UID 2 RFC822.SIZE 20 FLAGS ({flag} \\Recent))\r\n"
        ));
        world.serve("* 3 FETCH (UID 3 RFC822.SIZE 30 FLAGS ())\r\n");
        // it comes twice, and once without its size
        world.serve("* 3 FETCH (UID 3 FLAGS (\\Recent))\r\n");
        world.serve(&format!(
            "* 4 FETCH (UID 4 RFC822.SIZE 40)\r\n* 4 FETCH (FLAGS ({flag}) UID 4)\r\n"
        ));
        world.serve(&format!("{} OK done\r\n", tags[2]));
        world.expect_replies(&[
            "Authenticated",
            "Entry 1.1 10",
            "Entry 1.3 30",
            "Opened ReadWrite",
        ]);
    }
}

#[test]
fn a_keyword_that_is_none_is_said_at_login() {
    for bad in ["", "two words", "a(b", "\\Seen", "caf\u{e9}"] {
        let mut world = World::new(with(|c| c.delete = DeletePolicy::Keyword(bad.into())));
        world.open(password_open());
        world.expect_reply("Failed Permanent");
        assert!(world.effects.is_empty());
    }
}

#[test]
fn a_maildrop_has_a_largest_size() {
    let mut world = greeted(with(|c| c.max_messages = 2), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 9 EXISTS\r\n{} OK selected\r\n",
        tags[0], tags[1]
    ));
    for uid in 1..4 {
        world.serve(&format!("* {uid} FETCH (UID {uid} RFC822.SIZE 1)\r\n"));
    }
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("Failed Permanent"), "{replies:?}");
}
