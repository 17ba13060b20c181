//! What messages are known by, and what is never said to an upstream.

use crate::common::{World, config, password_open, tags};
use imap_backend::DeletePolicy;
use pop3_proto::backend::Request;

/// The entries of a maildrop, as its scan is answered.
fn entries(uid_validity: u32, scan: &[(u32, u64)]) -> Vec<String> {
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1] ready\r\n");
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!("{} OK in\r\n", tags[0]));
    world.serve(&format!("* {} EXISTS\r\n", scan.len()));
    world.serve(&format!(
        "* OK [UIDVALIDITY {uid_validity}] ok\r\n{} OK done\r\n",
        tags[1]
    ));
    for (number, (uid, size)) in (1..).zip(scan) {
        world.serve(&format!(
            "* {number} FETCH (UID {uid} RFC822.SIZE {size})\r\n"
        ));
    }
    world.serve(&format!("{} OK done\r\n", tags[2]));
    let replies = world.take_replies_said();
    let entries = replies
        .iter()
        .filter_map(|reply| reply.strip_prefix("Entry "));
    entries
        .map(|entry| entry.split(' ').next().unwrap().to_owned())
        .collect()
}

/// F09, F16, qA4: an id tells UIDVALIDITY and UID apart, and another UIDVALIDITY is another id.
#[test]
fn f09_f16_qa4_ids_are_uidvalidity_and_uid() {
    assert_eq!(entries(12, &[(3, 1)]), ["12.3"]);
    assert_eq!(entries(1, &[(23, 1)]), ["1.23"]);
    assert_eq!(entries(123, &[]), [""; 0]);
    assert_ne!(entries(7, &[(1, 1)]), entries(8, &[(1, 1)]));
}

/// qA3: an id belongs to its UID, never to a place: what follows a message that was removed does
/// not inherit its id.
#[test]
fn qa3_ids_are_not_those_of_places() {
    let before = entries(7, &[(1, 10), (2, 20), (3, 30)]);
    let after = entries(7, &[(1, 10), (2, 20), (4, 30)]);
    assert_eq!(before[..2], after[..2]);
    assert!(!before.contains(&after[2]));
    let without_the_first = entries(7, &[(2, 20), (4, 30)]);
    assert_eq!(without_the_first, after[1..]);
}

/// qA6: the oldest first, in whatever order the upstream tells them.
#[test]
fn qa6_messages_stand_in_the_order_of_their_uids() {
    assert_eq!(entries(1, &[(9, 1), (2, 1), (5, 1)]), ["1.2", "1.5", "1.9"]);
}

/// qE7: spaces too many, and lines that only keep the connection, as DavMail sends them.
#[test]
fn qe7_padding_and_keepalives() {
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1]  ready\r\n");
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!("{} OK\r\n", tags[0]));
    world.serve("*   2   EXISTS  \r\n* OK\r\n* OK still here\r\n\r\n");
    world.serve(&format!(
        "* OK [UIDVALIDITY 7]\r\n{} OK [READ-WRITE]\r\n",
        tags[1]
    ));
    world.serve("* 1 FETCH  ( UID  4   RFC822.SIZE 10 )\r\n* OK keep\r\n*  2  FETCH (UID 6 RFC822.SIZE 1)\r\n");
    world.serve(&format!("{}  OK  done\r\n", tags[2]));
    world.expect_replies(&[
        "Authenticated",
        "Entry 7.4 10",
        "Entry 7.6 1",
        "Opened ReadWrite",
    ]);
}

/// I030: a server of IMAP4rev2 alone says neither UIDPLUS nor MOVE, and has them.
#[test]
fn i030_imap4rev2_alone() {
    let mut world = World::opened(config(), "IMAP4rev2 AUTH=PLAIN", &[(4, 5)]);
    world.update(&[0], &[]);
    let store = world.expect("UID STORE 4 +FLAGS.SILENT (\\Deleted)");
    let expunge = world.expect("UID EXPUNGE 4");
    world.serve(&format!("{store} OK\r\n* VANISHED 4\r\n{expunge} OK\r\n"));
    world.expect_ok("UID FETCH 4 (UID)");
    world.expect_replies(&["Updated"]);
}

fn policies() -> Vec<DeletePolicy> {
    vec![
        DeletePolicy::Expunge,
        DeletePolicy::Trash {
            fallback: "Trash".into(),
        },
        DeletePolicy::Move("Old".into()),
        DeletePolicy::Seen,
        DeletePolicy::Keyword("gone".into()),
        DeletePolicy::Keep,
    ]
}

/// Says OK to whatever comes, until nothing more comes.
fn agree(world: &mut World) {
    loop {
        let sent = world.take_sent();
        if sent.is_empty() {
            return;
        }
        for tag in tags(&sent) {
            world.serve(&format!("{tag} OK done\r\n"));
        }
    }
}

/// I010, I012, F07, P046: whatever is read and whatever becomes of deleted messages, nothing is read without
/// PEEK, and CLOSE, which expunges what others have marked, is never said.
#[test]
fn i012_f07_i010_p046_no_close_and_no_fetch_without_peek() {
    for delete in policies() {
        let mut config = config();
        config.delete = delete;
        config.mark_seen = true;
        let mut world = World::opened(config, crate::common::FULL, &[(4, 5), (6, 7), (9, 9)]);
        for (ticket, index) in [(1, 0), (2, 1), (3, 2)] {
            world.retrieve(ticket, index);
            agree(&mut world);
        }
        world.top(4, 1, 3);
        agree(&mut world);
        assert!(!world.everything_sent().contains("STORE"), "before QUIT");
        world.update(&[0, 2], &[0, 1, 2]);
        agree(&mut world);
        world.request(Request::Abandon);
        let sent = world.everything_sent().to_ascii_uppercase();
        for line in sent.lines() {
            assert!(
                !line.ends_with(" CLOSE") && !line.ends_with(" EXPUNGE"),
                "{line}"
            );
            assert!(!line.contains("BODY["), "{line}");
            let fetched = line.replace("RFC822.SIZE", "");
            assert!(!fetched.contains("RFC822"), "{line}");
        }
        assert!(sent.contains("BODY.PEEK["));
    }
}
