//! With UIDPLUS: what is marked is expunged by its UID.

use std::time::Duration;

use imap_backend::DeletePolicy;
use pop3_proto::backend::Access;

use super::{POOR, changes_nothing, opened};
use crate::common::{FULL, World, config, tags, uids};

#[test]
fn p036_i013_marks_are_expunged_by_uid_in_one_flight() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 1, 2, 4, 5], &[]);
    // 7 lies between 4 and 8 and is not marked
    let store = world.expect("UID STORE 2:4,8,20 +FLAGS.SILENT (\\Deleted)");
    let expunge = world.expect("UID EXPUNGE 2:4,8,20");
    world.expect_nothing();
    let first = world.expunged("2");
    world.serve(&format!("{store} OK\r\n{first}"));
    world.expect_replies(&[]);
    let gone = world.expunged("3:4,8,20");
    world.serve(&format!("{gone}{expunge} OK\r\n"));
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
    for (store, expunge) in [("NO", "OK"), ("BAD", "BAD"), ("NO [NOPERM]", "OK")] {
        let mut world = opened(DeletePolicy::Expunge, FULL);
        world.update(&[0], &[]);
        let tags = tags(&world.take_sent());
        world.serve(&format!("{} {store} x\r\n", tags[0]));
        world.serve(&format!("{} {expunge} x\r\n", tags[1]));
        world.expect_ok("UID STORE 2 -FLAGS.SILENT (\\Deleted)");
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
fn p038_an_ok_that_removes_nothing_is_looked_into() {
    // neither the one that is reported gone nor a mail that came has to do with the marks
    let there = "* 1 FETCH (UID 4)\r\n* 3 FETCH (UID 21)\r\n";
    for (told, there, reply) in [
        ("", "", "Updated"),
        ("2", "* 9 FETCH (UID 21)\r\n", "Updated"),
        ("2", there, "Failed Temporary"),
        ("", there, "Failed Temporary"),
    ] {
        let mut world = opened(DeletePolicy::Expunge, FULL);
        world.update(&[0, 2], &[]);
        world.expect_ok("UID STORE 2,4 +FLAGS.SILENT (\\Deleted)");
        world.expect_ok_gone("UID EXPUNGE 2,4", told);
        world.expect_replies(&[]);
        let look = if told == "2" { "4" } else { "2,4" };
        let tag = world.expect(&format!("UID FETCH {look} (UID)"));
        world.serve(&format!("{there}{tag} OK\r\n"));
        if reply == "Updated" {
            world.expect_replies(&[reply]);
        } else {
            world.expect_ok("UID STORE 2,4 -FLAGS.SILENT (\\Deleted)");
            world.expect_reply(reply);
        }
    }
    // a look that is refused shows nothing
    let mut world = opened(DeletePolicy::Move("Done".into()), FULL);
    world.update(&[0], &[]);
    world.expect_ok_gone("UID MOVE 2 \"Done\"", "");
    world.expect_no("UID FETCH 2 (UID)");
    world.expect_reply("Failed Temporary");
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
    world.expect_ok("UID STORE 2:3 -FLAGS.SILENT (\\Deleted)");
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
                expunged.extend(uids(set));
                answers.push_str(&world.expunged(set));
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
    // what was flagged is not left like that
    loop {
        let sent = world.take_sent();
        if sent.contains("LOGOUT") {
            break;
        }
        assert!(!sent.is_empty());
        for (line, tag) in sent.lines().zip(crate::common::tags(&sent)) {
            assert!(line.contains("-FLAGS.SILENT (\\Deleted)"), "{line}");
            world.serve(&format!("{tag} OK\r\n"));
        }
    }
    world.expect_reply("Failed Temporary");
}

#[test]
fn g23_a_read_only_folder_takes_no_marks() {
    let mut config = config();
    config.mark_seen = true;
    for marks in [&[0_u32][..], &[]] {
        let mut world = World::new(config.clone());
        world.open(crate::common::password_open().access(Access::ReadOnly));
        let tags = world.greet();
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
    world.open(crate::common::password_open());
    world.update(&[0], &[]);
    world.expect_reply("Failed");
    assert!(changes_nothing(&world));
}
