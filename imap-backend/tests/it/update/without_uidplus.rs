//! Without UIDPLUS: expunged only where every flag is ours.

use imap_backend::DeletePolicy;

use super::{POOR, changes_nothing, opened, tell_flags};
use crate::common::World;

/// 2 and 7 are marked, and the server said again that it has no UIDPLUS.
fn marked() -> World {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    world
}

#[test]
fn i014_without_uidplus_expunge_only_when_every_flag_is_ours() {
    let mut world = marked();
    tell_flags(&mut world, &[]);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_replies(&[]);
    tell_flags(&mut world, &[2, 7]);
    world.expect_replies(&[]);
    world.expect_ok_gone("EXPUNGE", "2,7");
    world.expect_replies(&["Updated"]);
}

#[test]
fn p038_without_uidplus_what_is_kept_loses_our_flags_again() {
    let mut world = marked();
    tell_flags(&mut world, &[]);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    tell_flags(&mut world, &[2, 7]);
    world.expect_ok_gone("EXPUNGE", "2");
    let tag = world.expect("UID FETCH 7 (UID)");
    world.serve(&format!("* 2 FETCH (UID 7)\r\n{tag} OK\r\n"));
    world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Temporary");
}

#[test]
fn p039_i014_a_foreign_flag_stops_the_expunge_before_anything_is_touched() {
    let mut world = marked();
    tell_flags(&mut world, &[4]);
    world.expect_reply("Failed Permanent");
    world.expect("LOGOUT");
    assert!(changes_nothing(&world), "{}", world.everything_sent());
}

#[test]
fn p039_who_is_gone_meanwhile_need_not_be_told() {
    let mut world = marked();
    // another client removes the last one
    world.serve("* 6 EXPUNGE\r\n");
    let tag = world.expect("UID FETCH 1:* (UID FLAGS)");
    for uid in [2, 3, 4, 7, 8] {
        world.serve(&format!("* 1 FETCH (UID {uid} FLAGS ())\r\n"));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world.expect("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_replies(&[]);
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
        let mut world = marked();
        let tag = world.expect("UID FETCH 1:* (UID FLAGS)");
        world.serve(&format!("{telling}{tag} OK\r\n"));
        world.expect_reply("Failed Temporary");
        assert!(changes_nothing(&world));
    }
    let mut world = marked();
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
    let mut world = marked();
    tell_flags(&mut world, &[]);
    world.expect_no("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Temporary");
    assert!(!world.everything_sent().contains(" EXPUNGE"));
}
