//! Other clients remove messages while ours are removed: what went is reported by its number.

use imap_backend::DeletePolicy;

use super::{MAIL, POOR, opened, tell_flags};
use crate::common::{FULL, World, config, tags};

/// Every message but the marked one may be the one that another client removes meanwhile; the server says
/// OK to all, and removes nothing of ours.
#[test]
fn w005_a_foreign_expunge_is_not_taken_for_one_of_ours() {
    for (place, (uid, _)) in MAIL.iter().enumerate() {
        for (other, _) in MAIL.iter().filter(|(other, _)| other != uid) {
            for told_late in [false, true] {
                let mut world = opened(DeletePolicy::Expunge, FULL);
                world.update(&[place as u32], &[]);
                let tags = tags(&world.take_sent());
                let foreign = world.expunged(&other.to_string());
                let (early, late) = if told_late {
                    ("", &*foreign)
                } else {
                    (&*foreign, "")
                };
                world.serve(&format!(
                    "{early}{} OK\r\n{late}{} OK\r\n",
                    tags[0], tags[1]
                ));
                world.expect_replies(&[]);
                let tag = world.expect(&format!("UID FETCH {uid} (UID)"));
                world.serve(&format!("* 1 FETCH (UID {uid})\r\n{tag} OK\r\n"));
                world.expect_ok(&format!("UID STORE {uid} -FLAGS.SILENT (\\Deleted)"));
                world.expect_reply("Failed Temporary");
            }
        }
    }
}

/// One of ours is removed by somebody else before we come to it: that is as good. No look is needed where
/// each one was reported, at whatever time.
#[test]
fn w005_what_was_told_message_by_message_costs_no_look() {
    for before in ["", "2", "7", "3,8", "2,7", "20,2"] {
        for policy in [DeletePolicy::Expunge, DeletePolicy::Move("Done".into())] {
            let mut world = opened(policy.clone(), FULL);
            let gone = world.expunged(before);
            world.serve(&gone);
            world.update(&[0, 3], &[]);
            let tags = tags(&world.take_sent());
            let ours: Vec<_> = ["2", "7"]
                .into_iter()
                .filter(|uid| !before.contains(uid))
                .collect();
            let foreign = world.expunged("4");
            let ours = world.expunged(&ours.join(","));
            let oks: String = tags.iter().map(|tag| format!("{tag} OK\r\n")).collect();
            world.serve(&format!("{foreign}{ours}{oks}"));
            world.expect_replies(&["Updated"]);
            world.expect("LOGOUT");
        }
    }
}

/// What goes without a number, or with one that may mean anything, confirms nothing.
#[test]
fn w005_numbers_that_are_not_sure_are_looked_up() {
    for unsure in [
        "* VANISHED 3\r\n",
        "* 2 EXISTS\r\n",
        "* VANISHED (EARLIER) 1:2\r\n",
    ] {
        let mut world = opened(DeletePolicy::Expunge, FULL);
        world.serve(unsure);
        world.update(&[0], &[]);
        world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
        world.expect_ok("UID EXPUNGE 2");
        world.expect_replies(&[]);
        world.expect_ok("UID FETCH 2 (UID)");
        world.expect_replies(&["Updated"]);
    }
    // a message went while the folder was listed
    let mut world = World::new(config());
    world.open(crate::common::password_open());
    let tags = world.greet();
    world.serve(&format!(
        "{} OK\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n{} OK\r\n",
        tags[0], tags[1]
    ));
    world.serve("* 1 FETCH (UID 2 RFC822.SIZE 5)\r\n* 2 FETCH (UID 3 RFC822.SIZE 5)\r\n");
    world.serve("* 1 EXPUNGE\r\n* 3 EXISTS\r\n");
    world.serve(&format!(
        "* 2 FETCH (UID 4 RFC822.SIZE 5)\r\n{} OK\r\n",
        tags[2]
    ));
    world.take_replies_said();
    world.update(&[0], &[]);
    world.expect_ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
    let tag = world.expect("UID EXPUNGE 2");
    world.serve(&format!("* 1 EXPUNGE\r\n{tag} OK\r\n"));
    world.expect_ok("UID FETCH 2 (UID)");
    world.expect_replies(&["Updated"]);
}

/// Without UIDPLUS, too.
#[test]
fn w005_without_uidplus_a_foreign_expunge_is_not_ours() {
    let mut world = opened(DeletePolicy::Expunge, POOR);
    world.update(&[0, 3], &[]);
    world.expect_ok("CAPABILITY");
    tell_flags(&mut world, &[]);
    world.expect_ok("UID STORE 2,7 +FLAGS.SILENT (\\Deleted)");
    tell_flags(&mut world, &[2, 7]);
    world.expect_ok_gone("EXPUNGE", "2,8");
    let tag = world.expect("UID FETCH 7 (UID)");
    world.serve(&format!("* 2 FETCH (UID 7)\r\n{tag} OK\r\n"));
    world.expect_ok("UID STORE 2,7 -FLAGS.SILENT (\\Deleted)");
    world.expect_reply("Failed Temporary");
}
