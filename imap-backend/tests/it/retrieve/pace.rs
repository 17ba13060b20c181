//! Slow clients, small buffers, and what does not count as progress.

use std::time::Duration;

use pop3_proto::backend::Backend;

use super::{asked, opened};
use crate::common::body;

#[test]
fn g14_a_slow_client_is_not_the_fault_of_the_upstream() {
    let mut world = opened(&[(4, 200_000)]);
    asked(&mut world);
    world.room = 0;
    world.serve("* 1 FETCH (UID 4 BODY[] {200000}\r\n");
    world.serve(&"x".repeat(200_000));
    assert!(
        world.socket.len() >= 200_000 - 64 * 1024,
        "the rest stays in the socket"
    );
    world.pass(Duration::from_secs(3600));
    world.room = 10_000;
    world.run();
    assert!(world.socket.is_empty());
    // now it is the upstream's turn
    world.pass(Duration::from_secs(59));
    world.expect_replies(&["BodyStart 1 Some(200000)"]);
    world.pass(Duration::from_secs(2));
    world.expect_reply("BodyFailed 1 Temporary");
}

#[test]
fn a_large_body_passes_through_a_small_buffer_in_large_reads() {
    let size = 10_000_000_u64;
    let mut world = opened(&[(4, size)]);
    asked(&mut world);
    world.serve(&format!("* 1 FETCH (UID 4 BODY[] {{{size}}}\r\n"));
    world.room = 80 * 1024;
    let block = vec![b'x'; 1_000_000];
    for _ in 0..10 {
        world.serve_bytes(&block);
    }
    world.serve(")\r\n");
    world.expect_replies(&["BodyStart 1 Some(10000000)", "BodyEnd 1"]);
    assert_eq!(world.bodies[&1].len() as u64, size);
    assert_eq!(world.largest_room, 64 * 1024);
    assert!(world.reads < 200, "{} reads", world.reads);
}

#[test]
fn while_nothing_happens_next_to_nothing_is_held() {
    let mut world = opened(&[(4, 5)]);
    let tag = asked(&mut world);
    world.serve(&format!("{}{tag} OK\r\n", body(1, 4, "hello")));
    assert!(world.backend.recv_buf().len() <= 1024);
    assert!(
        !world.backend.recv_buf().is_empty(),
        "BYE would not be noticed"
    );
    let itself = size_of_val(&world.backend);
    assert!(itself <= 1536, "{itself} octets without what it points to");
}

/// Nothing is handed out where there is no room, not even nothing.
#[test]
fn without_room_there_is_no_piece_of_a_body() {
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    world.room = 0;
    world.serve("* 1 FETCH (UID 4 BODY[] {5}\r\nhello)\r\n");
    world.expect_replies(&["BodyStart 1 Some(5)"]);
    assert!(world.backend.poll_reply(world.now, 0).is_none());
    // the same for one that stood in its line
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    world.room = 0;
    world.serve("* 1 FETCH (UID 4 BODY[] \"hello\")\r\n");
    world.expect_replies(&["BodyStart 1 Some(5)"]);
    assert!(world.backend.poll_reply(world.now, 0).is_none());
    world.room = 2;
    world.run();
    world.expect_replies(&["BodyEnd 1"]);
    assert_eq!(world.bodies[&1], b"hello");
}

/// Reads and writes of nothing are not a sign of life.
#[test]
fn nothing_is_no_progress() {
    let mut world = opened(&[(4, 5)]);
    asked(&mut world);
    let due = world.backend.poll_timeout();
    let later = world.now + std::time::Duration::from_secs(30);
    world.backend.received(later, 0);
    world.backend.transmitted(later, 0);
    assert_eq!(world.backend.poll_timeout(), due);
}
