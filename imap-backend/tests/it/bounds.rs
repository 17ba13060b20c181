//! How much is asked for at a time, and how much room there is for it.

use crate::common::{FULL, World, body, config, password_open, tags};
use imap_backend::Config;
use pop3_proto::backend::{Backend, Request, Ticket};

/// The room for a line, for a short literal, and for more.
const TINY: usize = 24;
const SMALL: usize = 512;
const MEDIUM: usize = 16 * 1024;
const LARGE: usize = 64 * 1024;

fn reading_ahead(octets: u64) -> Config {
    let mut config = config();
    config.read_ahead = octets;
    config
}

fn opened(octets: u64, sizes: &[u64]) -> World {
    let messages: Vec<_> = (1..).zip(sizes.iter().copied()).collect();
    World::opened(reading_ahead(octets), FULL, &messages)
}

/// The first message was fetched and the second is wanted: `guess` are the UIDs that are asked for.
fn guessing(octets: u64, sizes: &[u64], guess: &str) -> World {
    let mut world = opened(octets, sizes);
    world.retrieve(0, 0);
    world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&body(1, 1, "x"));
    world.retrieve(1, 1);
    world.expect(&format!("UID FETCH {guess} (UID BODY.PEEK[])"));
    world
}

fn room(world: &mut World) -> usize {
    world.backend.recv_buf().len()
}

#[test]
fn there_is_much_room_only_while_much_is_expected() {
    let mut world = World::new(config());
    world.open(password_open());
    assert_eq!(room(&mut world), SMALL, "for the greeting");
    world.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
    assert_eq!(room(&mut world), SMALL, "for the answer to LOGIN");
    let sent = tags(&world.take_sent());
    world.serve(&format!("{} OK\r\n* 2 EXISTS\r\n", sent[0]));
    assert_eq!(room(&mut world), MEDIUM, "for a short listing");
    world.serve(&format!(
        "* OK [UIDVALIDITY 7]\r\n{} OK\r\n* 1 FETCH (UID 1 RFC822.SIZE 12288 FLAGS ())\r\n\
         * 2 FETCH (UID 2 RFC822.SIZE 12289 FLAGS ())\r\n{} OK\r\n",
        sent[1], sent[2]
    ));
    assert_eq!(room(&mut world), TINY, "between commands");
    world.retrieve(1, 0);
    assert_eq!(room(&mut world), MEDIUM, "for a short message");
    let sent = tags(&world.take_sent());
    world.serve(&format!(
        "{}{} OK\r\n",
        body(1, 1, &"x".repeat(12288)),
        sent[0]
    ));
    world.retrieve(2, 1);
    assert_eq!(room(&mut world), LARGE, "for a message");
    let sent = tags(&world.take_sent());
    world.request(Request::Cancel(Ticket(2)));
    assert_eq!(
        room(&mut world),
        LARGE,
        "for one that is not wanted any more"
    );
    world.serve(&format!("{}{} OK\r\n", body(2, 2, "x"), sent[0]));
    assert_eq!(room(&mut world), TINY, "when it is over");
    world.update(&[0], &[]);
    assert_eq!(room(&mut world), LARGE, "for the answers to an update");
}

/// Also where the octets that are there end within a line.
#[test]
fn there_is_much_room_for_a_long_listing() {
    let line = |n| format!("* {n} FETCH (UID {n} RFC822.SIZE 12288 FLAGS ())\r\n");
    let begun: String = (1..=200).map(line).collect::<String>() + "* 201 FETCH (";
    for (count, begun, expected) in [
        (256, "", MEDIUM),
        (257, "", LARGE),
        (257, begun.as_str(), LARGE - 13),
    ] {
        let mut world = World::new(config());
        world.open(password_open());
        world.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
        let sent = tags(&world.take_sent());
        world.serve(&format!("{} OK\r\n", sent[0]));
        assert_eq!(room(&mut world), MEDIUM, "before its length is known");
        world.serve(&format!("* {count} EXISTS\r\n{begun}"));
        assert_eq!(
            room(&mut world),
            expected,
            "{count}, {} octets",
            begun.len()
        );
    }
}

/// A reconnect lists nothing: what is known stays known.
#[test]
fn a_reconnect_needs_little_room() {
    let mut world = World::opened(config(), FULL, &[(1, 1)]);
    world.hang_up();
    world.retrieve(1, 0);
    world.request(Request::Cancel(Ticket(1)));
    let sent = world.greet();
    world.serve(&format!("{} OK\r\n", sent[0]));
    assert_eq!(room(&mut world), SMALL);
}

/// What comes after a body that stood in its line waits until the client has taken it.
#[test]
fn nothing_is_read_while_a_body_of_a_line_is_served() {
    let mut world = World::opened(config(), FULL, &[(1, 5), (2, 5)]);
    world.retrieve(1, 0);
    world.retrieve(2, 1);
    world.room = 0;
    world.serve("* 1 FETCH (UID 1 BODY[] \"hello\")\r\n");
    assert_eq!(room(&mut world), 0);
    world.room = 2;
    world.serve("* 2 FETCH (UID 2 BODY[] \"there\")\r\n");
    assert_eq!(world.bodies[&1], b"hello");
    assert_eq!(world.bodies[&2], b"there");
    assert_eq!(room(&mut world), LARGE);
}

/// A guess is made for as long as no more than half of what may be is on its way.
#[test]
fn half_of_the_read_ahead_may_be_on_its_way() {
    let mut world = guessing(1000, &[250; 20], "2:6");
    for uid in 2..=6 {
        world.serve(&body(uid, uid, "x"));
    }
    world.retrieve(2, 2);
    world.expect_nothing();
    world.retrieve(3, 3);
    world.expect("UID FETCH 7:8 (UID BODY.PEEK[])");
}

/// However small the messages are: a guess is of 256 of them.
#[test]
fn a_guess_names_a_bounded_count() {
    guessing(1 << 20, &[1; 2000], "2:258");
}

/// Three FETCH commands await their answer at most, but for what is needed now.
#[test]
fn guesses_await_few_answers() {
    let mut world = guessing(1000, &[300; 20], "2:5");
    for uid in 2..=5 {
        world.serve(&body(uid, uid, "x"));
    }
    world.retrieve(2, 2);
    world.retrieve(3, 3);
    world.expect("UID FETCH 6:7 (UID BODY.PEEK[])");
    world.serve(&body(6, 6, "x"));
    world.serve(&body(7, 7, "x"));
    world.retrieve(4, 4);
    world.retrieve(5, 5);
    world.expect_nothing();
    world.retrieve(6, 6);
    world.retrieve(7, 7);
    world.expect("UID FETCH 8:11 (UID BODY.PEEK[])");
}

/// The message after the one that is served counts among them.
#[test]
fn the_second_message_waits_for_answers() {
    let mut world = opened(0, &[300; 20]);
    for ticket in 0..2 {
        world.retrieve(ticket, ticket);
        world.request(Request::Cancel(Ticket(ticket)));
    }
    let spent = tags(&world.take_sent());
    assert_eq!(spent.len(), 2);
    world.retrieve(2, 2);
    world.expect("UID FETCH 3 (UID BODY.PEEK[])");
    world.retrieve(3, 3);
    world.expect_nothing();
    world.serve(&format!("{} OK\r\n", spent[0]));
    world.expect("UID FETCH 4 (UID BODY.PEEK[])");
}

/// A mebibyte that is not wanted any more is read; for an octet more the connection is given up.
#[test]
fn what_is_read_to_throw_it_away_is_bounded() {
    for (left, gives_up) in [(1 << 20, false), ((1 << 20) + 1, true)] {
        let mut world = World::opened(config(), FULL, &[(1, left)]);
        world.retrieve(1, 0);
        world.serve(&format!("* 1 FETCH (UID 1 BODY[] {{{left}}}\r\n"));
        world.effects.clear();
        world.request(Request::Cancel(Ticket(1)));
        assert_eq!(!world.effects.is_empty(), gives_up, "{:?}", world.effects);
    }
}

/// A connection that ends after a whole response has said all there is to say.
#[test]
fn what_came_whole_before_the_end_is_passed_on() {
    let mut world = World::opened(config(), FULL, &[(1, 5)]);
    world.room = 0;
    world.retrieve(1, 0);
    let before = world.effects.len();
    let text = body(1, 1, "hello");
    let (head, rest) = text.split_at(text.find('}').unwrap());
    world.serve(head);
    let rest = rest.as_bytes();
    world.backend.recv_buf()[..rest.len()].copy_from_slice(rest);
    world.backend.received(world.now, rest.len());
    world.hang_up();
    world.room = 100;
    world.run();
    assert_eq!(world.bodies[&1], b"hello");
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    let effects = &world.effects[before..];
    assert!(
        !effects.iter().any(|e| e.contains("Connect(")),
        "{effects:?}"
    );
}

/// Sixteen commands of an update await their answer at most, and as many that mark what was read; none
/// comes after a refusal or a good-bye.
#[test]
fn i031_updates_come_in_small_flights_and_stop_when_they_must() {
    let mail: Vec<_> = (0..10_000).map(|n| (1_000_000 + 2 * n, 1)).collect();
    let (some, rest): (Vec<u32>, Vec<u32>) = (0..10_000).partition(|n| n % 2 == 0);
    let mut config = config();
    config.mark_seen = true;
    for ending in ["NO", "BYE"] {
        let mut world = World::opened(config.clone(), FULL, &mail);
        world.update(&some, &rest);
        let sent = world.take_sent();
        let (seen, deletes): (Vec<&str>, Vec<&str>) =
            sent.lines().partition(|line| line.contains("\\Seen"));
        assert_eq!((seen.len(), deletes.len()), (16, 16), "{sent}");
        let (seen, deletes) = (tags(&seen.join("\n")), tags(&deletes.join("\n")));
        // one answered, one sent
        world.serve(&format!("{} OK\r\n", seen[0]));
        assert_eq!(world.take_sent().lines().count(), 1);
        match ending {
            "NO" => world.serve(&format!("{} NO quota\r\n", deletes[0])),
            _ => world.serve("* BYE going down\r\n"),
        }
        world.serve(&format!("{} OK\r\n", seen[1]));
        world.serve(&format!("{} OK\r\n{} OK\r\n", deletes[2], deletes[3]));
        world.expect_nothing();
    }
}

/// If no maildrop is open, nothing can be updated, and no answer says that it was.
#[test]
fn an_update_needs_a_maildrop() {
    let mut world = World::new(config());
    world.open(password_open());
    world.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
    world.update(&[], &[]);
    world.expect_reply("Failed Temporary no maildrop is open");
    let mut world = World::opened(config(), FULL, &[(1, 1)]);
    world.request(Request::Abandon);
    world.update(&[], &[]);
    world.expect_reply("Failed Temporary no maildrop is open");
}

/// Flags that the server reports unasked count only while we look.
#[test]
fn g23_flags_told_between_two_looks_are_not_counted() {
    let mut config = config();
    config.max_messages = 2;
    let mut world = World::opened(config, "IMAP4rev1", &[(1, 1), (2, 1)]);
    world.update(&[0], &[]);
    let flags = "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n";
    for _ in 0..8 {
        let sent = world.take_sent();
        if sent.is_empty() || sent.contains("LOGOUT") {
            break;
        }
        // unasked, while the answer to this command is still to come
        if sent.contains("STORE") {
            world.serve(&flags.repeat(2));
        }
        if sent.contains("FETCH 1:*") {
            world.serve(flags);
        }
        for tag in tags(&sent) {
            world.serve(&format!("{tag} OK\r\n"));
        }
    }
    world.expect_reply("Updated");
}

/// Answers in another order than their commands open no maildrop: the one to LOGIN comes first.
#[test]
fn answers_out_of_their_turn_open_nothing() {
    for order in [[1, 0, 2], [2, 0, 1], [0, 2, 1]] {
        let mut world = World::new(config());
        world.open(password_open());
        let sent = world.greet();
        world.serve("* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n");
        for place in order {
            world.serve(&format!("{} OK done\r\n", sent[place]));
        }
        let replies = world.take_replies_said();
        let opened = replies.iter().any(|reply| reply.starts_with("Opened"));
        assert!(!opened, "{order:?}: {replies:?}");
    }
    // a refusal before its turn is not SELECT's
    let mut world = World::new(config());
    world.open(password_open());
    let sent = world.greet();
    world.serve(&format!("{} NO what?\r\n", sent[1]));
    world.expect_replies(&[]);
}

/// A message that was passed over is not on its way any more: it is asked for as soon as it is wanted.
#[test]
fn what_was_passed_over_is_asked_for_anew() {
    let mut world = guessing(1000, &[250; 20], "2:6");
    world.serve(&body(2, 2, "x"));
    world.retrieve(2, 3);
    world.serve(&body(3, 3, "x"));
    world.expect_nothing();
    world.retrieve(3, 2);
    world.expect("UID FETCH 3 (UID BODY.PEEK[])");
    world.expect_nothing();
}

/// TOP of a message whose size is not known is no sign that the client walks through all of them.
#[test]
fn a_top_of_unknown_size_is_no_download() {
    let mut world = opened(1000, &[300, 0, 300, 300, 300, 300]);
    world.retrieve(0, 0);
    world.expect("UID FETCH 1 (UID BODY.PEEK[])");
    world.serve(&body(1, 1, "x"));
    world.top(1, 1, 0);
    world.take_sent();
    world.serve("* 2 FETCH (UID 2 BODY[]<0> {1}\r\nx)\r\n");
    world.retrieve(2, 2);
    world.expect("UID FETCH 3 (UID BODY.PEEK[])");
}

/// A window without its label that is shorter than what was asked for is the whole message; one as long
/// may be the beginning of more, and is passed on while the rest is asked for.
#[test]
fn windows_without_a_label_are_taken_for_what_they_may_be() {
    for (length, whole) in [(100, true), (8692, false)] {
        let mut world = World::opened(config(), FULL, &[(1, 100_000)]);
        world.top(1, 0, 5);
        world.expect("UID FETCH 1 (UID BODY.PEEK[]<0.8692>)");
        world.serve(&body(1, 1, &"x".repeat(length)));
        assert_eq!(world.bodies[&1].len(), length);
        if !whole {
            world.expect("UID FETCH 1 (UID BODY.PEEK[])");
        }
        world.expect_nothing();
        assert_eq!(world.ended.is_empty(), !whole);
    }
}
