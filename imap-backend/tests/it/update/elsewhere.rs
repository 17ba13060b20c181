//! Marks that move, copy or flag a message.

use imap_backend::DeletePolicy;

use super::{MAIL, POOR, changes_nothing, opened, tell_flags, trash};
use crate::common::{FULL, World, config};

#[test]
fn i015_i016_qb1_trash_is_found_by_its_use_and_moved_to() {
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
    // the server does not say which it is
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
        let tag = world.expect(&format!("UID STORE 2:3 +FLAGS ({flag})"));
        let told = format!(
            "* 1 FETCH (UID 2 FLAGS ({flag}))\r\n* 2 FETCH (FLAGS (\\Answered {flag}) UID 3)\r\n"
        );
        world.serve(&format!("{told}{tag} OK\r\n"));
        world.expect_replies(&["Updated"]);
        world.expect("LOGOUT");
        let mut world = opened(delete, POOR);
        world.update(&[0, 1], &[]);
        world.expect_no(&format!("UID STORE 2:3 +FLAGS ({flag})"));
        world.expect_reply("Failed Temporary");
    }
}

/// If the server does not report the flag as set, it is looked for: without it the message would be there again.
#[test]
fn w009_a_flag_that_is_not_told_is_looked_for() {
    for (there, reply) in [
        ("* 2 FETCH (UID 3 FLAGS ($Fetched))\r\n", "Updated"),
        // it is gone
        ("", "Updated"),
        ("* 9 FETCH (UID 21 FLAGS ())\r\n", "Updated"),
        ("* 2 FETCH (UID 3 FLAGS (\\Seen))\r\n", "Failed Temporary"),
    ] {
        let mut world = opened(DeletePolicy::Keyword("$Fetched".into()), POOR);
        world.update(&[0, 1], &[]);
        let tag = world.expect("UID STORE 2:3 +FLAGS ($Fetched)");
        world.serve(&format!(
            "* 1 FETCH (UID 2 FLAGS ($Fetched))\r\n* 2 FETCH (UID 3 FLAGS ())\r\n{tag} OK\r\n"
        ));
        world.expect_replies(&[]);
        let tag = world.expect("UID FETCH 3 (UID FLAGS)");
        world.serve(&format!("{there}{tag} OK\r\n"));
        world.expect_reply(reply);
    }
}

/// A flag that the folder cannot keep is known when it is opened, and the client learns it before it has
/// fetched anything.
#[test]
fn w009_a_flag_that_does_not_last_is_found_out_at_login() {
    let keyword = || DeletePolicy::Keyword("$Fetched".into());
    for (delete, flags, access, lasts) in [
        (keyword(), "(\\Answered \\Seen \\*)", "READ-WRITE", true),
        (keyword(), "(\\Answered $fetched)", "READ-WRITE", true),
        (keyword(), "(\\Answered \\Seen)", "READ-WRITE", false),
        (keyword(), "()", "READ-WRITE", false),
        (keyword(), "(\\Deleted [Gmail] \\*)", "READ-WRITE", true),
        (keyword(), "()", "READ-ONLY", true),
        (DeletePolicy::Seen, "(\\seen)", "READ-WRITE", true),
        (DeletePolicy::Seen, "(\\Answered \\*)", "READ-WRITE", false),
        (DeletePolicy::Expunge, "()", "READ-WRITE", true),
        (DeletePolicy::Keep, "()", "READ-WRITE", true),
    ] {
        let mut world = World::new(super::with(delete.clone()));
        world.open(crate::common::password_open());
        let tags = world.greet();
        world.serve(&format!(
            "{} OK\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [PERMANENTFLAGS {flags}] x\r\n{} OK [{access}]\r\n{} OK\r\n",
            tags[0], tags[1], tags[2]
        ));
        let last = world.take_replies_said().pop().unwrap();
        let expected = if lasts {
            "Opened"
        } else {
            "Failed Permanent delete:"
        };
        assert!(
            last.starts_with(expected),
            "{delete:?} {flags} {access}: {last}"
        );
    }
}

/// UIDPLUS is announced, and UID EXPUNGE refused: then as without UIDPLUS.
#[test]
fn w010_uid_expunge_that_is_refused_is_done_the_other_way() {
    for refusal in ["NO [CANNOT] not here", "BAD unknown command"] {
        for works in [true, false] {
            let mut world = opened(DeletePolicy::Expunge, FULL);
            world.update(&[0, 3], &[]);
            world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
            let tag = world.expect("UID EXPUNGE 2,7");
            world.serve(&format!("{tag} {refusal}\r\n"));
            tell_flags(&mut world, &[2, 7]);
            world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
            tell_flags(&mut world, &[2, 7]);
            if works {
                world.expect_ok_gone("EXPUNGE", "2,7");
                world.expect_replies(&["Updated"]);
            } else {
                world.expect_no("EXPUNGE");
                world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
                world.expect_reply("Failed Temporary");
            }
        }
    }
    // somebody else flagged another one: nothing is expunged, and nothing of ours is left
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0], &[]);
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    world.expect_no("UID EXPUNGE 2");
    tell_flags(&mut world, &[2, 4]);
    world.expect_ok("UID STORE 2 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Permanent");
}

/// Servers tell what a folder is for without SPECIAL-USE among their capabilities, and whatever its name.
#[test]
fn w011_the_trash_is_looked_for_before_one_is_made() {
    for capabilities in [
        "IMAP4rev1 UIDPLUS MOVE",
        "IMAP4rev1 UIDPLUS MOVE SPECIAL-USE",
        FULL,
    ] {
        let special = if capabilities == FULL {
            "(SPECIAL-USE) "
        } else {
            ""
        };
        for (listed, folder) in [
            (
                "* LIST (\\HasNoChildren \\Trash) \"/\" \"Deleted Items\"\r\n",
                "Deleted Items",
            ),
            ("* LIST (\\trash) \"/\" {3}\r\nBin\r\n", "Bin"),
            // by its attribute only, and only where mail can be put
            ("* LIST () \"/\" \"Deleted Items\"\r\n", "Trash"),
            (
                "* LIST (\\Noselect \\Trash) \"/\" Gone\r\n* LIST (\\Trash) \"/\" Bin\r\n",
                "Bin",
            ),
            ("* LIST (\\NonExistent \\Trash) \"/\" Gone\r\n", "Trash"),
        ] {
            let mut world = opened(trash(), capabilities);
            world.update(&[0], &[]);
            let mut tag = world.expect_either("CAPABILITY", &format!("LIST {special}\"\" \"*\""));
            if let Some(capability) = tag.strip_prefix("CAPABILITY ") {
                world.serve(&format!(
                    "* CAPABILITY {capabilities}\r\n{capability} OK\r\n"
                ));
                tag = world.expect(&format!("LIST {special}\"\" \"*\""));
            }
            world.serve(&format!("{listed}{tag} OK\r\n"));
            world.expect_ok(&format!("UID MOVE 2 \"{folder}\""));
            world.expect_replies(&["Updated"]);
            assert!(!world.everything_sent().contains("CREATE"));
        }
    }
}

/// What is kept is not called deleted.
#[test]
fn w008_what_is_kept_is_reported() {
    for (marks, reply) in [(&[0, 3][..], "Kept"), (&[], "Updated")] {
        for mark_seen in [false, true] {
            let mut config = super::with(DeletePolicy::Keep);
            config.mark_seen = mark_seen;
            let mut world = World::opened(config, FULL, &MAIL);
            world.update(marks, &[0]);
            if mark_seen {
                world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Seen)");
            }
            world.expect_replies(&[reply]);
        }
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

/// I005: half of what the way to the trash takes is not enough to go without asking.
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
}
