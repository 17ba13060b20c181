//! TOP in ascending order: the following headers and lines come with the one that is asked for.

use crate::common::{FULL, World, body, config};
use imap_backend::Config;
use pop3_proto::backend::Backend;

fn opened(octets: u64, sizes: &[u64]) -> World {
    let mut config: Config = config();
    config.read_ahead = octets;
    let messages: Vec<_> = (1..).zip(sizes.iter().copied()).collect();
    let mut world = World::opened(config, FULL, &messages);
    world.enough = |body| body.windows(4).any(|octets| octets == b"\r\n\r\n");
    world
}

fn header(uid: u32) -> String {
    let header = format!("Subject: {uid}\r\n\r\n");
    format!(
        "* {uid} FETCH (UID {uid} BODY[HEADER] {{{}}}\r\n{header})\r\n",
        header.len()
    )
}

/// The first octets of a message, as a server sends them that was asked for more than there are.
fn beginning(uid: u32, octets: usize) -> String {
    let text = format!("Subject: {uid}\r\n\r\n{}", "line\r\n".repeat(octets));
    format!(
        "* {uid} FETCH (UID {uid} BODY[]<0> {{{octets}}}\r\n{})\r\n",
        &text[..octets]
    )
}

/// Three TOPs of large messages; the headers of the second to the seventh come at once.
fn headers_ahead() -> World {
    let mut world = opened(24 * 1024, &[100_000; 10]);
    world.top(0, 0, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[HEADER])");
    world.serve(&format!("{}{tag} OK\r\n", header(1)));
    world.top(1, 1, 0);
    let tag = world.expect("UID FETCH 2:8 (UID BODY.PEEK[HEADER])");
    for uid in 2..=8 {
        world.serve(&header(uid));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world
}

#[test]
fn i011_the_second_top_in_order_brings_the_following_headers() {
    let mut world = headers_ahead();
    assert_eq!(world.bodies[&1], b"Subject: 2\r\n\r\n");
    assert!(
        world.backend.recv_buf().is_empty(),
        "what was not asked for stays in the socket"
    );
    for ticket in 2..4 {
        world.top(ticket, ticket, 0);
        assert_eq!(
            world.bodies[&ticket],
            format!("Subject: {}\r\n\r\n", ticket + 1).as_bytes()
        );
    }
    // three headers are on their way, half of what may be: the last ones are asked for before they are needed
    world.top(4, 4, 0);
    world.expect("UID FETCH 9:10 (UID BODY.PEEK[HEADER])");
}

/// The bodies after them are read ahead as always, and headers that nobody wants cost nothing but octets.
#[test]
fn i011_whole_messages_after_headers_are_read_ahead_too() {
    let mut world = opened(24 * 1024, &[1000; 10]);
    world.top(0, 0, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "A: b\r\n\r\none")));
    world.top(1, 1, 0);
    let tag = world.expect("UID FETCH 2:10 (UID BODY.PEEK[HEADER])");
    for uid in 2..=10 {
        world.serve(&header(uid));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world.retrieve(2, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&format!("{}{tag} OK\r\n", body(1, 1, "one")));
    assert_eq!(world.bodies[&2], b"one");
    world.retrieve(3, 1);
    let tag = world.expect("UID FETCH 2:10 (UID BODY.PEEK[])");
    for uid in 2..=10 {
        world.serve(&body(uid, uid, "whole"));
    }
    world.serve(&format!("{tag} OK\r\n"));
    assert_eq!(world.bodies[&3], b"whole");
}

/// Lines are read ahead once the server has shown that it knows windows.
#[test]
fn i011_the_following_lines_come_where_windows_are_known() {
    let mut world = opened(100_000, &[100_000; 10]);
    world.top(0, 0, 20);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[]<0.10192>)");
    world.serve(&format!("{}{tag} OK\r\n", beginning(1, 10_192)));
    world.top(1, 1, 20);
    let tag = world.expect("UID FETCH 2:10 (UID BODY.PEEK[]<0.10192>)");
    for uid in 2..=10 {
        world.serve(&beginning(uid, 10_192));
    }
    world.serve(&format!("{tag} OK\r\n"));
    world.top(2, 2, 20);
    assert!(world.bodies[&2].starts_with(b"Subject: 3\r\n"));
}

#[test]
fn i011_no_lines_are_read_ahead_where_whole_messages_come_instead() {
    let mut world = opened(1_000_000, &[20_000; 10]);
    for index in 0..4 {
        world.top(index, index, 20);
        let uid = index + 1;
        let tag = world.expect(&format!("UID FETCH {uid} (UID BODY.PEEK[]<0.10192>)"));
        world.serve(&format!(
            "{}{tag} OK\r\n",
            body(uid, uid, &format!("A: b\r\n\r\n{}", "x".repeat(20_000)))
        ));
    }
}

/// What comes late for a beginning never passes for the whole of a message, nor for a longer beginning.
#[test]
fn i011_a_beginning_that_was_guessed_is_never_taken_for_more() {
    for wants_lines in [None, Some(60)] {
        let mut world = opened(100_000, &[100_000; 5]);
        world.top(0, 0, 20);
        let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[]<0.10192>)");
        world.serve(&format!("{}{tag} OK\r\n", beginning(1, 10_192)));
        world.top(1, 1, 20);
        let guess = world.expect("UID FETCH 2:5 (UID BODY.PEEK[]<0.10192>)");
        world.serve(&beginning(2, 10_192));
        match wants_lines {
            None => world.retrieve(2, 2),
            Some(lines) => world.top(2, 2, lines),
        }
        let wanted = world.expect(match wants_lines {
            None => "UID FETCH 3 (UID BODY.PEEK[])",
            Some(_) => "UID FETCH 3 (UID BODY.PEEK[]<0.14192>)",
        });
        for uid in 3..=5 {
            world.serve(&beginning(uid, 10_192));
        }
        world.serve(&format!("{guess} OK\r\n"));
        assert!(world.bodies.get(&2).is_none_or(Vec::is_empty));
        match wants_lines {
            None => world.serve(&body(3, 3, "all of it")),
            Some(_) => world.serve("* 3 FETCH (UID 3 BODY[]<0> {9}\r\nall of it)\r\n"),
        }
        world.serve(&format!("{wanted} OK\r\n"));
        assert_eq!(world.bodies[&2], b"all of it");
    }
}

/// A message that changes its mind: the header is empty, so windows are asked for.
#[test]
fn i011_an_empty_header_among_those_read_ahead_is_asked_for_in_windows() {
    let mut world = opened(24 * 1024, &[100_000; 3]);
    world.top(0, 0, 0);
    let tag = world.expect("UID FETCH 1 (UID BODY.PEEK[HEADER])");
    world.serve(&format!("{}{tag} OK\r\n", header(1)));
    world.top(1, 1, 0);
    world.expect("UID FETCH 2:3 (UID BODY.PEEK[HEADER])");
    world.serve("* 2 FETCH (UID 2 BODY[HEADER] {0}\r\n)\r\n");
    world.expect("UID FETCH 2 (UID BODY.PEEK[]<0.8192>)");
}
