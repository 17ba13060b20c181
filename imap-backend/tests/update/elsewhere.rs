//! Marks that move, copy or flag a message.

use imap_backend::DeletePolicy;

use crate::common::{FULL, World, config};
use crate::{MAIL, POOR, changes_nothing, opened, trash};

#[test]
fn i015_i016_trash_is_found_by_its_use_and_moved_to() {
    // qB1
    let mut world = opened(trash(), FULL);
    world.update(&[0, 3], &[]);
    let tag = world.expect("LIST (SPECIAL-USE) \"\" \"*\"");
    world.serve("* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n");
    world.serve("* LIST (\\HasNoChildren \\trash) \"/\" \"Gel&APY-scht \\\"x\\\"\"\r\n");
    world.serve("* LIST (\\Trash) \"/\" Other\r\n");
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_ok("UID MOVE 2,7 \"Gel&APY-scht \\\"x\\\"\"");
    world.expect_replies(&["Updated"]);
    // the name as a literal
    let mut world = opened(trash(), FULL);
    world.update(&[0], &[]);
    let tag = world.expect("LIST (SPECIAL-USE) \"\" \"*\"");
    world.serve(&format!(
        "* LIST (\\Trash) NIL {{3}}\r\nBin\r\n{tag} OK\r\n"
    ));
    world.expect_ok("UID MOVE 2 \"Bin\"");
    // nobody says which it is
    let mut world = opened(trash(), FULL);
    world.update(&[0], &[]);
    world.expect_ok("LIST (SPECIAL-USE) \"\" \"*\"");
    world.expect_ok("UID MOVE 2 \"Trash\"");
    world.expect_replies(&["Updated"]);
}

#[test]
fn i015_without_move_a_copy_comes_first() {
    let mut world = opened(DeletePolicy::Move("Done".into()), "IMAP4rev1 UIDPLUS");
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    let tag = world.expect("UID COPY 2,7 \"Done\"");
    // nothing is removed before the copy is confirmed
    world.expect_nothing();
    world.serve(&format!("{tag} OK [COPYUID 1 2,7 1:2] done\r\n"));
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2,7");
    world.expect_replies(&["Updated"]);
}

#[test]
fn a_copy_or_move_that_fails_deletes_nothing() {
    for (capabilities, command) in [
        ("IMAP4rev1 UIDPLUS", "UID COPY 2 \"Done\""),
        ("IMAP4rev1 UIDPLUS MOVE", "UID MOVE 2 \"Done\""),
    ] {
        let mut world = opened(DeletePolicy::Move("Done".into()), capabilities);
        world.update(&[0], &[]);
        if !capabilities.contains("MOVE") {
            world.expect_ok("CAPABILITY");
        }
        world.expect_no(command);
        world.expect_reply("Failed Temporary");
        let sent = world.everything_sent();
        assert!(!sent.contains("STORE") && !sent.contains("EXPUNGE"));
    }
}

#[test]
fn a_folder_that_is_missing_is_made_once() {
    for (capabilities, command) in [
        ("IMAP4rev1 UIDPLUS", "UID COPY 2 \"Done\""),
        ("IMAP4rev1 UIDPLUS MOVE", "UID MOVE 2 \"Done\""),
    ] {
        for again in ["OK", "NO [TRYCREATE]"] {
            let mut world = opened(DeletePolicy::Move("Done".into()), capabilities);
            world.update(&[0], &[]);
            if !capabilities.contains("MOVE") {
                world.expect_ok("CAPABILITY");
            }
            let tag = world.expect(command);
            world.serve(&format!("{tag} NO [TRYCREATE] no such folder\r\n"));
            world.expect_ok("CREATE \"Done\"");
            let tag = world.expect(command);
            world.serve(&format!("{tag} {again} x\r\n"));
            if again != "OK" {
                world.expect_reply("Failed Temporary");
                assert!(!world.everything_sent().contains("EXPUNGE"));
            }
        }
    }
}

/// Courier keeps all folders below `INBOX.` and will never make another.
#[test]
fn a_folder_that_cannot_be_made_needs_a_person() {
    let mut world = opened(DeletePolicy::Move("Done".into()), "IMAP4rev1 UIDPLUS MOVE");
    world.update(&[0], &[]);
    let tag = world.expect("UID MOVE 2 \"Done\"");
    world.serve(&format!("{tag} NO [TRYCREATE] no such folder\r\n"));
    let tag = world.expect("CREATE \"Done\"");
    world.serve(&format!("{tag} NO invalid name\r\n"));
    world.expect_reply("Failed Permanent");
    assert!(!world.everything_sent().contains("EXPUNGE"));
}

#[test]
fn messages_are_never_moved_to_where_they_are() {
    for folder in ["INBOX", "inbox"] {
        let mut world = opened(DeletePolicy::Move(folder.into()), FULL);
        world.update(&[0], &[]);
        world.expect_reply("Failed Permanent");
        assert!(changes_nothing(&world));
    }
}

#[test]
fn qb5_flags_that_hide_are_set_and_nothing_else() {
    for (delete, flag) in [
        (DeletePolicy::Seen, "\\Seen"),
        (DeletePolicy::Keyword("$Fetched".into()), "$Fetched"),
    ] {
        let mut world = opened(delete.clone(), POOR);
        world.update(&[0, 1], &[]);
        world.expect_ok(&format!("UID STORE 2:3 +FLAGS.SILENT ({flag})"));
        world.expect_replies(&["Updated"]);
        let mut world = opened(delete, POOR);
        world.update(&[0, 1], &[]);
        world.expect_no(&format!("UID STORE 2:3 +FLAGS.SILENT ({flag})"));
        world.expect_reply("Failed Temporary");
    }
}

#[test]
fn qb2_seen_is_marked_at_quit_and_never_fails_it() {
    for answer in ["OK", "NO"] {
        let mut config = config();
        config.mark_seen = true;
        let mut world = World::opened(config, FULL, &MAIL);
        world.update(&[0], &[0, 1, 2]);
        // what is deleted need not be marked
        let seen = world.expect("UID STORE 3:4 +FLAGS.SILENT (\\Seen)");
        let store = world.expect("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
        let expunge = world.expect("UID EXPUNGE 2");
        world.serve(&format!(
            "{seen} {answer} x\r\n{store} OK\r\n* 1 EXPUNGE\r\n{expunge} OK\r\n"
        ));
        world.expect_replies(&["Updated"]);
    }
    let mut config = config();
    config.mark_seen = true;
    let mut world = World::opened(config, FULL, &MAIL);
    world.update(&[], &[0]);
    let seen = world.expect("UID STORE 2 +FLAGS.SILENT (\\Seen)");
    world.expect_replies(&[]);
    world.serve(&format!("{seen} OK\r\n"));
    world.expect_replies(&["Updated"]);
}

/// A folder whose name no command can carry: nothing is moved, and nothing is removed.
#[test]
fn i003_a_trash_with_a_name_that_cannot_be_said() {
    for name in ["a\nb", "a\rb", "a\0b"] {
        let mut world = opened(trash(), FULL);
        world.update(&[0], &[]);
        let tag = world.expect("LIST (SPECIAL-USE) \"\" \"*\"");
        world.serve(&format!(
            "* LIST (\\Trash) NIL {{3}}\r\n{name}\r\n{tag} OK\r\n"
        ));
        world.expect_reply("Failed Permanent");
        assert!(changes_nothing(&world), "{}", world.everything_sent());
    }
}

/// I005: half of what the way to the trash takes is not enough to go without asking; and a server that
/// knows no special folders is not asked for them.
#[test]
fn i005_i015_the_trash_is_looked_for_where_the_server_can_say() {
    for before in ["IMAP4rev1 MOVE", "IMAP4rev1 SPECIAL-USE", "IMAP4rev1"] {
        let mut world = opened(trash(), before);
        world.update(&[0], &[]);
        let tag = world.expect("CAPABILITY");
        world.serve(&format!(
            "* CAPABILITY IMAP4rev1 MOVE SPECIAL-USE LIST-EXTENDED\r\n{tag} OK\r\n"
        ));
        let tag = world.expect("LIST (SPECIAL-USE) \"\" \"*\"");
        world.serve(&format!("* LIST (\\Trash) NIL Bin\r\n{tag} OK\r\n"));
        world.expect_ok("UID MOVE 2 \"Bin\"");
        world.expect_replies(&["Updated"]);
    }
    let mut world = opened(trash(), "IMAP4rev1 MOVE");
    world.update(&[0], &[]);
    let tag = world.expect("CAPABILITY");
    world.serve(&format!("* CAPABILITY IMAP4rev1 MOVE\r\n{tag} OK\r\n"));
    world.expect_ok("UID MOVE 2 \"Trash\"");
    world.expect_replies(&["Updated"]);
}
