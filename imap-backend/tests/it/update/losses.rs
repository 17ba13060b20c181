//! The connection is lost during the update.

use std::time::Duration;

use imap_backend::DeletePolicy;

use super::{MAIL, opened};
use crate::common::{FULL, World, config, tags};

#[test]
fn g08_a_connection_lost_during_the_update_is_replaced_once() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 3], &[]);
    world.take_sent();
    world.hang_up();
    world.answer_reopen(7);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2,7");
    // what a number means on the new connection is not known
    world.expect_ok("UID FETCH 2,7 (UID)");
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
    world.serve(&format!(
        "{} OK\r\n* 1 EXPUNGE\r\n* BYE\r\n{} OK\r\n",
        tags[0], tags[1]
    ));
    world.expect_replies(&["Updated"]);
}

#[test]
fn p038_w005_what_was_told_before_the_loss_counts_once() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0, 3], &[]);
    let tags = tags(&world.take_sent());
    world.serve(&format!("{} OK\r\n* 1 EXPUNGE\r\n", tags[0]));
    world.hang_up();
    world.answer_reopen(7);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    // what was reported on the old connection counts, and a number on the new one means nothing
    let tag = world.expect("UID EXPUNGE 2,7");
    world.serve(&format!("* 1 EXPUNGE\r\n{tag} OK\r\n"));
    world.expect_replies(&[]);
    let tag = world.expect("UID FETCH 7 (UID)");
    world.serve(&format!("* 1 FETCH (UID 7)\r\n{tag} OK\r\n"));
    world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Temporary");
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
        let tags = world.greet();
        world.serve(&format!(
            "{} OK\r\n* OK [UIDVALIDITY 8]\r\n{} OK\r\n",
            tags[0], tags[1]
        ));
        world.expect_reply("Failed Temporary");
        assert!(!world.take_sent().contains("STORE"));
    }
}

/// Some servers keep the session when a folder is made anew below it, and say so.
#[test]
fn g04_i008_another_uidvalidity_in_the_session_means_that_nothing_is_deleted() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.serve("* OK [UIDVALIDITY 8] made anew\r\n");
    world.retrieve(1, 0);
    world.expect_reply("BodyFailed 1 Temporary UIDVALIDITY");
    world.update(&[0], &[]);
    world.expect_reply("Failed Temporary UIDVALIDITY");
    assert!(!world.take_sent().contains("STORE"));

    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.update(&[0], &[]);
    world.serve("* OK [UIDVALIDITY 8] made anew\r\n");
    world.expect_reply("Failed Temporary UIDVALIDITY");

    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.serve("* OK [UIDVALIDITY 7] as before\r\n");
    world.update(&[0], &[]);
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2");
    world.expect_replies(&["Updated"]);
}

#[test]
fn g05_marks_are_applied_over_a_new_connection_if_the_old_one_is_gone() {
    let mut world = opened(DeletePolicy::Expunge, FULL);
    world.hang_up();
    world.update(&[0], &[]);
    world.answer_reopen(7);
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID EXPUNGE 2");
    world.expect_ok("UID FETCH 2 (UID)");
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
    world.expect_ok("UID FETCH 2 (UID)");
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
