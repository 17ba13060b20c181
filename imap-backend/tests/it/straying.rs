//! Answers that stray a little: what belongs together is put together, what is missing is asked for once
//! more, what is not ours is passed over.

use crate::common::{FULL, World, body, config, password_open};
use imap_backend::DeletePolicy;

/// A session whose folder is open but not listed yet, and the tag of the listing.
fn listing(exists: u32, validity: &str, delete: DeletePolicy) -> (World, String) {
    let mut config = config();
    config.delete = delete;
    let mut world = World::new(config);
    world.open(password_open());
    let tags = world.greet();
    world.serve(&format!(
        "{} OK\r\n* {exists} EXISTS\r\n* OK [UIDVALIDITY {validity}] x\r\n{} OK [READ-WRITE] x\r\n",
        tags[0], tags[1]
    ));
    world.take_replies_said();
    (world, tags[2].clone())
}

const LISTED: [&str; 3] = ["Entry 7.2 10", "Entry 7.3 20", "Opened ReadWrite"];

/// However the items of two messages are spread over responses, and whatever comes between them.
#[test]
fn w048_the_items_of_one_message_are_put_together() {
    for said in [
        "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 3)\r\n* 1 FETCH (RFC822.SIZE 10)\r\n* 2 FETCH (RFC822.SIZE 20)\r\n",
        "* 1 FETCH (UID 2)\r\n* 1 FETCH (RFC822.SIZE 10)\r\n* 2 FETCH (RFC822.SIZE 20 UID 3)\r\n",
        "* 2 FETCH (RFC822.SIZE 20)\r\n* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n* 2 FETCH (UID 3)\r\n",
        // not asked for
        "* 1 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n* 2 FETCH (UID 3 RFC822.SIZE 20)\r\n* 1 FETCH (UID 2 FLAGS ())\r\n",
        "* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS () UID 3)\r\n* 2 FETCH (UID 3 RFC822.SIZE 20)\r\n",
    ] {
        let (mut world, tag) = listing(2, "7", DeletePolicy::Expunge);
        world.serve(&format!("{said}{tag} OK\r\n"));
        world.expect_replies(&LISTED);
        world.expect_nothing();
    }
}

/// The flag that hides may come apart from the rest.
#[test]
fn w048_flags_that_come_apart_hide_all_the_same() {
    let (mut world, tag) = listing(2, "7", DeletePolicy::Seen);
    world.serve("* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n* 2 FETCH (UID 3 RFC822.SIZE 20)\r\n");
    world.serve("* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS ())\r\n");
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_replies(&["Entry 7.3 20", "Opened ReadWrite"]);
}

/// What is missing is asked for once more, and then taken as it is.
#[test]
fn w048_a_size_that_is_missing_is_asked_for_once_more() {
    for (again, expected) in [
        (
            "* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n* 2 FETCH (UID 3 RFC822.SIZE 20)\r\n",
            LISTED,
        ),
        ("* 2 FETCH (RFC822.SIZE 20)\r\n", LISTED),
        ("", ["Entry 7.2 10", "Entry 7.3 0", "Opened ReadWrite"]),
    ] {
        let (mut world, tag) = listing(2, "7", DeletePolicy::Expunge);
        world.serve("* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n* 2 FETCH (UID 3)\r\n");
        world.serve(&format!("{tag} OK\r\n"));
        world.expect_replies(&[]);
        let noop = world.expect("NOOP");
        let tag = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
        world.serve(&format!("{noop} OK\r\n{again}{tag} OK\r\n"));
        world.expect_replies(&expected);
    }
}

/// The answer to a command that was answered already, or that was said on another connection.
#[test]
fn w048_a_tag_that_was_answered_is_passed_over() {
    let mut world = World::opened(config(), FULL, &[(4, 5)]);
    let old = world.last_tag();
    world.retrieve(1, 0);
    let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[])");
    world.serve(&format!(
        "{old} OK again\r\n{}{tag} OK\r\n{tag} OK again\r\n",
        body(1, 4, "hello")
    ));
    world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
    world.serve("A1 NO late\r\n");
    assert!(
        !world
            .effects
            .iter()
            .any(|effect| effect.starts_with("Disconnect"))
    );
    // one that was never sent is not an answer at all
    world.serve("A99 OK\r\n");
    assert!(
        world
            .effects
            .iter()
            .any(|effect| effect.starts_with("Disconnect"))
    );
}

/// Some servers repeat the length of a window after its origin.
#[test]
fn w048_an_origin_with_its_length_is_read() {
    for label in ["BODY[]<0.8192>", "BODY[]<0>", "body[]<0.8192>"] {
        let mut world = World::opened(config(), FULL, &[(4, 60_000)]);
        world.top(1, 0, 0);
        let tag = world.expect("UID FETCH 4 (UID BODY.PEEK[]<0.8192>)");
        world.serve(&format!(
            "* 1 FETCH (UID 4 {label} {{5}}\r\nhello)\r\n{tag} OK\r\n"
        ));
        world.expect_replies(&["BodyStart 1 None", "BodyEnd 1"]);
        assert_eq!(world.bodies[&1], b"hello");
    }
}

/// UIDVALIDITY may be a time in milliseconds.
#[test]
fn w048_a_uidvalidity_beyond_32_bits_is_taken() {
    for validity in [
        "4294967295",
        "4294967296",
        "1764482401123",
        "18446744073709551615",
    ] {
        let (mut world, tag) = listing(1, validity, DeletePolicy::Expunge);
        world.serve(&format!("* 1 FETCH (UID 2 RFC822.SIZE 10)\r\n{tag} OK\r\n"));
        world.expect_replies(&[&format!("Entry {validity}.2 10"), "Opened ReadWrite"]);
    }
}

/// UIDs are of 32 bits (RFC 9051 section 9), and some servers count in more. No message is lost from sight
/// for it: it is listed, comes, and is deleted under its own number.
#[test]
fn w048_a_uid_beyond_32_bits_is_a_uid_like_any_other() {
    for uid in [
        2_147_483_648,
        4_294_967_295,
        4_294_967_296,
        1_764_482_401_123,
        u64::MAX,
    ] {
        let (mut world, tag) = listing(3, "7", DeletePolicy::Expunge);
        // one that is the same in its lower half, and whatever the order is
        let low = (uid & 0xffff_ffff).min(uid - 1).max(1);
        world.serve(&format!(
            "* 2 FETCH (UID {uid} RFC822.SIZE 5)\r\n* 1 FETCH (UID {low} RFC822.SIZE 5000000000)\r\n\
             * 3 FETCH (UID {uid} RFC822.SIZE 5)\r\n{tag} OK\r\n"
        ));
        world.expect_replies(&[]);
        let noop = world.expect("NOOP");
        let tag = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
        world.serve(&format!("* 3 EXPUNGE\r\n{noop} OK\r\n{tag} OK\r\n"));
        let entries = [
            format!("Entry 7.{low} 5000000000"),
            format!("Entry 7.{uid} 5"),
        ];
        world.expect_replies(&[&entries[0], &entries[1], "Opened ReadWrite"]);
        world.retrieve(1, 1);
        let tag = world.expect(&format!("UID FETCH {uid} (UID BODY.PEEK[])"));
        world.serve(&format!(
            "* 2 FETCH (UID {uid} BODY[] {{5}}\r\nhello)\r\n{tag} OK\r\n"
        ));
        world.expect_replies(&["BodyStart 1 Some(5)", "BodyEnd 1"]);
        world.update(&[1], &[]);
        world.expect_ok(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"));
        let tag = world.expect(&format!("UID EXPUNGE {uid}"));
        world.serve(&format!("{tag} OK\r\n"));
        // not reported: looked at, and still there
        let tag = world.expect(&format!("UID FETCH {uid} (UID)"));
        world.serve(&format!("* 2 FETCH (UID {uid})\r\n{tag} OK\r\n"));
        world.take_replies_said();
    }
}
