//! The way of an ordinary session, as a full server answers it.

use crate::common::{World, body, config, password_open};

#[test]
fn login_select_and_scan_go_in_one_flight() {
    let mut world = World::new(config());
    world.open(password_open());
    assert!(world.effects[0].starts_with("Connect"));
    world.serve("* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN] ready\r\n");
    let login = world.expect("LOGIN \"alice\" \"secret\"");
    let select = world.expect("SELECT \"INBOX\"");
    let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.expect_nothing();
    world.serve(&format!("{login} OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n"));
    world.expect_replies(&["Authenticated"]);
    world.serve("* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n");
    world.serve("* OK [UIDVALIDITY 42] valid\r\n* OK [UIDNEXT 10] next\r\n");
    world.serve(&format!("{select} OK [READ-WRITE] done\r\n"));
    world.serve("* 1 FETCH (UID 9 RFC822.SIZE 100)\r\n");
    world.serve("* 2 FETCH (RFC822.SIZE 5000000000 UID 2)\r\n");
    world.serve("* 3 FETCH (UID 5 RFC822.SIZE 7)\r\n");
    world.expect_replies(&[]);
    world.serve(&format!("{scan} OK done\r\n"));
    world.expect_replies(&[
        "Entry 42.2 5000000000",
        "Entry 42.5 7",
        "Entry 42.9 100",
        "Opened ReadWrite",
    ]);
    world.expect_nothing();
}

#[test]
fn a_message_is_read_and_deleted() {
    let mut world = World::opened(config(), crate::common::FULL, &[(4, 5), (9, 6)]);
    world.retrieve(1, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&body(1, 4, "hello"));
    world.serve(&format!("{tag} OK done\r\n"));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"hello");
    world.update(&[0], &[0]);
    let store = world.expect("UID STORE 4 +FLAGS.SILENT (\\Deleted)");
    let expunge = world.expect("UID EXPUNGE 4");
    world.expect_nothing();
    world.serve(&format!("{store} OK stored\r\n"));
    world.expect_replies(&[]);
    world.serve(&format!("* 1 EXPUNGE\r\n{expunge} OK expunged\r\n"));
    world.expect_replies(&["Updated"]);
    world.expect("LOGOUT");
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
}
