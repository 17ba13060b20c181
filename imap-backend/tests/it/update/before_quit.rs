//! Before QUIT nothing changes.

use std::time::Duration;

use imap_backend::DeletePolicy;
use pop3_proto::backend::Request;

use super::{MAIL, changes_nothing, opened, with};
use crate::common::{FULL, World, body};

#[test]
fn p033_p037_f23_qb3_nothing_changes_before_quit() {
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
    world.expect_replies(&["Kept"]);
    assert!(changes_nothing(&world));
}
