//! QUIT: what is deleted, what is not, and what is said about it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{FULL, World, body, config, tags};
use imap_backend::{Config, DeletePolicy};
use pop3_proto::backend::{Access, Open, Request};

/// Without UIDPLUS and MOVE.
const POOR: &str = "IMAP4rev1 LITERAL+";
const MAIL: [(u32, u64); 6] = [(2, 5), (3, 5), (4, 5), (7, 5), (8, 5), (20, 5)];

fn with(delete: DeletePolicy) -> Config {
    let mut config = config();
    config.delete = delete;
    config
}

fn trash() -> DeletePolicy {
    DeletePolicy::Trash {
        fallback: "Trash".into(),
    }
}

fn opened(delete: DeletePolicy, capabilities: &str) -> World {
    World::opened(with(delete), capabilities, &MAIL)
}

/// Tells the flags of all messages to a look; `deleted` have `\Deleted`.
fn tell_flags(world: &mut World, deleted: &[u32]) {
    let tag = world.expect("UID FETCH 1:* (UID FLAGS)");
    for (place, (uid, _)) in MAIL.iter().enumerate() {
        let flag = if deleted.contains(uid) {
            "\\Deleted \\Seen"
        } else {
            "\\Seen"
        };
        world.serve(&format!(
            "* {} FETCH (UID {uid} FLAGS ({flag}))\r\n",
            place + 1
        ));
    }
    world.serve(&format!("{tag} OK done\r\n"));
}

/// No command of this session changes anything.
fn changes_nothing(world: &World) -> bool {
    let sent = world.everything_sent();
    ![
        "STORE", "EXPUNGE", "COPY", "MOVE", "CLOSE", "CREATE", "APPEND",
    ]
    .iter()
    .any(|verb| sent.contains(verb))
}

// before QUIT

#[test]
fn p033_p037_nothing_changes_before_quit() {
    // qB3, F23
    for end in [true, false] {
        let mut config = with(DeletePolicy::Expunge);
        config.mark_seen = true;
        let mut world = World::opened(config, FULL, &MAIL);
        world.retrieve(1, 0);
        let tag = world.expect("UID FETCH 2 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(1, 2, "hello")));
        world.top(2, 1, 5);
        let tag = world.expect("UID FETCH 3:4,7:8,20 (UID BODY.PEEK[])");
        world.serve(&format!("{}{tag} OK\r\n", body(2, 3, "hello")));
        world.pass(Duration::from_secs(2 * 3600));
        if end {
            world.request(Request::Abandon);
        } else {
            world.hang_up();
        }
        assert!(changes_nothing(&world), "{}", world.everything_sent());
        assert!(
            !world.everything_sent().contains("BODY["),
            "never without PEEK (F07)"
        );
    }
}

#[test]
fn quit_without_marks_sends_no_command() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[], &[0, 1]);
    world.expect_replies(&["Updated"]);
    world.expect("LOGOUT");
    assert_eq!(world.effects.last().unwrap(), "Disconnect");
    assert!(changes_nothing(&world));
}

#[test]
fn quit_without_marks_needs_no_connection() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.hang_up();
    let before = world.effects.len();
    world.update(&[], &[0]);
    world.expect_replies(&["Updated"]);
    assert_eq!(world.effects.len(), before);
}

#[test]
fn keep_keeps() {
    let mut world = opened(DeletePolicy::Keep, FULL);
    world.update(&[0, 1, 2], &[]);
    world.expect_replies(&["Updated"]);
    assert!(changes_nothing(&world));
}

// UIDPLUS

#[test]
fn p036_i013_marks_are_expunged_by_uid_in_one_flight() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 1, 2, 4, 5], &[]);
    // 7 lies between 4 and 8 and is not marked
    let store = world.expect("UID STORE 2:4,8,20 +FLAGS.SILENT (\\Deleted)");
    let expunge = world.expect("UID EXPUNGE 2:4,8,20");
    world.expect_nothing();
    world.serve(&format!("{store} OK\r\n* 1 EXPUNGE\r\n"));
    world.expect_replies(&[]);
    world.serve(&format!("{expunge} OK\r\n"));
    world.expect_replies(&["Updated"]);
    assert!(!world.everything_sent().contains("CLOSE"), "i012");
}

#[test]
fn i005_the_server_is_asked_again_if_it_did_not_say_after_login() {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0], &[]);
    let tag = world.expect("CAPABILITY");
    world.serve(&format!("* CAPABILITY {FULL}\r\n{tag} OK\r\n"));
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2");
    world.expect_replies(&["Updated"]);
}

#[test]
fn p038_nothing_is_called_deleted_that_is_not() {
    for (store, expunge) in [
        ("NO", "OK"),
        ("OK", "NO"),
        ("BAD", "BAD"),
        ("NO [NOPERM]", "OK"),
    ] {
        let mut world = opened(DeletePolicy::Expunge, FULL);
        world.update(&[0], &[]);
        let tags = tags(&world.take_sent());
        world.serve(&format!("{} {store} x\r\n", tags[0]));
        world.serve(&format!("{} {expunge} x\r\n", tags[1]));
        let kind = if store.contains("NOPERM") {
            "Permanent"
        } else {
            "Temporary"
        };
        world.expect_reply(&format!("Failed {kind}"));
        assert_eq!(world.effects.last().unwrap(), "Disconnect", "p040");
    }
}

#[test]
fn a_partial_success_is_a_failure() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 1], &[]);
    let tags = tags(&world.take_sent());
    world.serve(&format!(
        "{} OK [MESSAGELIMIT 1 3] partly\r\n{} OK\r\n",
        tags[0], tags[1]
    ));
    world.expect_reply("Failed Temporary");
}

#[test]
fn silence_during_the_update_is_a_failure_after_one_more_try() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0], &[]);
    world.take_sent();
    world.pass(Duration::from_secs(61));
    world.answer_reopen(7);
    world.take_sent();
    world.pass(Duration::from_secs(61));
    world.expect_reply("Failed Temporary");
    assert!(world.backend_is_quiet());
}

#[test]
fn i031_many_marks_go_in_short_lines_and_small_flights() {
    let mail: Vec<_> = (0..5000).map(|n| (1_000_000 + 2 * n, 1)).collect();
    let mut world = World::opened(config(), FULL, &mail);
    let all: Vec<u32> = (0..5000).collect();
    world.update(&all, &[]);
    let mut stored = 0;
    let mut expunged = Vec::new();
    loop {
        let sent = world.take_sent();
        assert!(
            sent.len() < 32 * 1024,
            "a flight is bounded: {}",
            sent.len()
        );
        if sent.is_empty() || sent.contains("LOGOUT") {
            break;
        }
        let mut answers = String::new();
        for line in sent.lines() {
            assert!(line.len() <= 1000, "{}", line.len());
            let (tag, command) = line.split_once(' ').unwrap();
            let set = command.split(' ').nth(2).unwrap();
            if command.starts_with("UID STORE ") {
                stored += set.split(',').count();
            } else {
                assert!(command.starts_with("UID EXPUNGE "), "{command}");
                expunged.extend(set.split(',').map(|uid| uid.parse::<u32>().unwrap()));
            }
            answers.push_str(&format!("{tag} OK\r\n"));
        }
        world.serve(&answers);
    }
    assert_eq!(stored, 5000);
    assert_eq!(
        expunged,
        mail.iter().map(|(uid, _)| *uid).collect::<Vec<_>>()
    );
    world.expect_replies(&["Updated"]);
}

#[test]
fn after_a_refusal_no_further_piece_is_sent() {
    let mail: Vec<_> = (0..5000).map(|n| (1_000_000 + 2 * n, 1)).collect();
    let mut world = World::opened(config(), FULL, &mail);
    let all: Vec<u32> = (0..5000).collect();
    world.update(&all, &[]);
    let tags = tags(&world.take_sent());
    world.serve(&format!("{} NO quota\r\n", tags[0]));
    world.expect_nothing();
    for tag in &tags[1..] {
        world.serve(&format!("{tag} OK\r\n"));
    }
    world.expect_reply("Failed Temporary");
    world.expect("LOGOUT");
}

#[test]
fn g23_a_read_only_folder_takes_no_marks() {
    let mut config = config();
    config.mark_seen = true;
    for marks in [&[0_u32][..], &[]] {
        let mut world = World::new(config.clone());
        let open = Open {
            access: Access::ReadOnly,
            ..common::password_open()
        };
        world.open(open);
        world.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
        let tags = tags(&world.take_sent());
        world.serve(&format!(
            "{} OK\r\n* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n",
            tags[0]
        ));
        world.serve(&format!("{} OK [READ-ONLY] x\r\n", tags[1]));
        world.serve(&format!(
            "* 1 FETCH (UID 2 RFC822.SIZE 1)\r\n{} OK\r\n",
            tags[2]
        ));
        world.take_replies_said();
        world.update(marks, &[0]);
        let expected = if marks.is_empty() {
            "Updated"
        } else {
            "Failed Permanent"
        };
        world.expect_reply(expected);
        assert!(changes_nothing(&world));
    }
}

#[test]
fn an_index_out_of_range_deletes_nothing() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 99], &[]);
    world.expect_reply("Failed Permanent");
    assert!(changes_nothing(&world));
}

#[test]
fn update_without_a_maildrop_fails() {
    let mut world = World::new(config());
    world.update(&[], &[]);
    world.take_replies_said();
    let mut world = World::new(config());
    world.open(common::password_open());
    world.update(&[0], &[]);
    world.expect_reply("Failed");
    assert!(changes_nothing(&world));
}

// without UIDPLUS

#[test]
fn i014_without_uidplus_expunge_only_when_every_flag_is_ours() {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    tell_flags(&mut world, &[]);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_replies(&[]);
    tell_flags(&mut world, &[2, 7]);
    world.expect_replies(&[]);
    world.expect_ok("EXPUNGE");
    world.expect_replies(&["Updated"]);
}

#[test]
fn p039_i014_a_foreign_flag_stops_the_expunge_before_anything_is_touched() {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    tell_flags(&mut world, &[4]);
    world.expect_reply("Failed Permanent");
    world.expect("LOGOUT");
    assert!(changes_nothing(&world), "{}", world.everything_sent());
}

#[test]
fn p039_a_foreign_flag_that_comes_meanwhile_stops_it_too_and_ours_are_taken_back() {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    // 2 is marked and was flagged by somebody before: that flag is not ours to take back
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    tell_flags(&mut world, &[2]);
    world.expect_ok("UID STORE 7 +FLAGS.SILENT (\\Deleted)");
    tell_flags(&mut world, &[2, 7, 20]);
    world.expect_replies(&[]);
    world.expect_ok("UID STORE 7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Permanent");
    assert!(!world.everything_sent().contains(" EXPUNGE"));
}

#[test]
fn p039_flags_that_are_not_all_told_stop_it_too() {
    // one message is missing, or comes without flags, or twice
    let tellings = [
        "* 1 FETCH (UID 2 FLAGS ())\r\n",
        "* 1 FETCH (UID 2 FLAGS ())\r\n* 1 FETCH (UID 2 FLAGS ())\r\n* 1 FETCH (UID 2 FLAGS ())\r\n\
         * 1 FETCH (UID 2 FLAGS ())\r\n* 1 FETCH (UID 2 FLAGS ())\r\n* 1 FETCH (UID 2 FLAGS ())\r\n",
        "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 4)\r\n* 4 FETCH (UID 7)\r\n\
         * 5 FETCH (UID 8)\r\n* 6 FETCH (UID 20)\r\n",
        "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\n\
         * 4 FETCH (FLAGS ())\r\n* 5 FETCH (FLAGS ())\r\n* 6 FETCH (FLAGS ())\r\n",
        "",
    ];
    for telling in tellings {
        let mut world = opened(DeletePolicy::Expunge, POOR);
        world.update(&[0, 3], &[]);
        world.expect_ok("CAPABILITY");
        let tag = world.expect("UID FETCH 1:* (UID FLAGS)");
        world.serve(&format!("{telling}{tag} OK\r\n"));
        world.expect_reply("Failed Temporary");
        assert!(changes_nothing(&world));
    }
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    tell_flags(&mut world, &[]);
    // a new message has come, and the look does not show it
    let tag = world.expect("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.serve(&format!("* 7 EXISTS\r\n{tag} OK\r\n"));
    tell_flags(&mut world, &[2, 7]);
    world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Temporary");
    assert!(!world.everything_sent().contains(" EXPUNGE"));
}

#[test]
fn without_uidplus_a_refused_flag_is_taken_back_and_nothing_expunged() {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    tell_flags(&mut world, &[]);
    world.expect_no("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Temporary");
    assert!(!world.everything_sent().contains(" EXPUNGE"));
}

// other places

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
            "{seen} {answer} x\r\n{store} OK\r\n{expunge} OK\r\n"
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

// losses

#[test]
fn g08_a_connection_lost_during_the_update_is_replaced_once() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 3], &[]);
    world.take_sent();
    world.hang_up();
    world.answer_reopen(7);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2,7");
    world.expect_replies(&["Updated"]);

    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 3], &[]);
    world.hang_up();
    world.take_sent();
    world.answer_reopen(7);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.hang_up();
    world.expect_reply("Failed Temporary");
}

#[test]
fn g08_what_was_confirmed_before_the_loss_counts() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0], &[]);
    let tags = tags(&world.take_sent());
    world.serve(&format!("{} OK\r\n* BYE\r\n{} OK\r\n", tags[0], tags[1]));
    world.expect_replies(&["Updated"]);
}

#[test]
fn g04_other_uidvalidity_means_that_nothing_is_deleted() {
    for lost_before in [true, false] {
        let mut world = opened(DeletePolicy::Expunge, FULL);
        if lost_before {
            world.hang_up();
            world.update(&[0], &[]);
        } else {
            world.update(&[0], &[]);
            world.hang_up();
        }
        world.take_sent();
        world.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
        let tags = tags(&world.take_sent());
        world.serve(&format!(
            "{} OK\r\n* OK [UIDVALIDITY 8]\r\n{} OK\r\n",
            tags[0], tags[1]
        ));
        world.expect_reply("Failed Temporary");
        assert!(!world.take_sent().contains("STORE"));
    }
}

#[test]
fn g05_marks_are_applied_over_a_new_connection_if_the_old_one_is_gone() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.hang_up();
    world.update(&[0], &[]);
    world.answer_reopen(7);
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2");
    world.expect_replies(&["Updated"]);
}

#[test]
fn a_copy_is_not_made_twice() {
    let mut world = opened(DeletePolicy::Move("Done".into()), "IMAP4rev1 UIDPLUS");
    world.update(&[0], &[]);
    world.expect_ok("CAPABILITY");
    world.expect_ok("UID COPY 2 \"Done\"");
    world.take_sent();
    world.hang_up();
    world.serve("* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n");
    let tags = tags(&world.take_sent());
    world.serve(&format!(
        "{} OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n",
        tags[0]
    ));
    world.serve(&format!("* OK [UIDVALIDITY 7]\r\n{} OK\r\n", tags[1]));
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2");
    world.expect_replies(&["Updated"]);
}

#[test]
fn flags_that_only_mark_as_read_are_not_worth_a_failure() {
    let mut config = config();
    config.mark_seen = true;
    let mut world = World::opened(config, FULL, &MAIL);
    world.update(&[], &[0]);
    world.hang_up();
    world.connects = false;
    world.pass(Duration::from_secs(60));
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
