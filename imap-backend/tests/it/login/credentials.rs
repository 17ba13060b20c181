//! Names and passwords on the wire: literals and quoting.

use pop3_proto::backend::{Login, Mechanism, Open};
use pop3_proto::secret::Secret;

use super::{BARE, greeted};
use crate::common::{World, config, open_with};

#[test]
fn i001_a_synchronising_literal_waits_and_may_be_refused() {
    let mut world = greeted(config(), open_with("jos\u{e9}", "p\u{e4}ss"), BARE);
    let tag = world.expect("LOGIN {5}");
    world.expect_nothing();
    world.serve("+ go on\r\n");
    assert_eq!(world.take_sent(), "jos\u{e9} {5}\r\n");
    world.serve("+\r\n");
    assert_eq!(world.take_sent(), "p\u{e4}ss\r\n");
    world.serve(&format!("{tag} OK in\r\n"));
    world.expect_replies(&["Authenticated"]);

    let mut world = greeted(config(), open_with("jos\u{e9}", "p\u{e4}ss"), BARE);
    let tag = world.expect("LOGIN {5}");
    world.serve(&format!("{tag} NO no literals today\r\n"));
    world.expect_reply("Refused");
    let said = world.take_sent();
    assert!(!said.contains("jos"), "{said}");
    // the command is over, and what was left of it is forgotten
    assert!(said.contains(" LOGOUT\r\n"), "{said}");
}

#[test]
fn i002_literal_plus_takes_any_and_literal_minus_short_ones() {
    let long = "\u{e9}".repeat(2500);
    for (capabilities, password, synchronises) in [
        ("IMAP4rev1 LITERAL+", "\u{e9}", false),
        ("IMAP4rev1 LITERAL+", long.as_str(), false),
        ("IMAP4rev1 LITERAL-", "\u{e9}", false),
        ("IMAP4rev1 LITERAL-", long.as_str(), true),
        ("IMAP4rev1", "\u{e9}", true),
    ] {
        let mut world = greeted(config(), open_with("alice", password), capabilities);
        let sent = world.take_sent();
        assert_eq!(sent.ends_with("}\r\n"), synchronises, "{capabilities}");
        assert_eq!(sent.contains("+}\r\n"), !synchronises, "{capabilities}");
    }
}

#[test]
fn i003_quotes_and_backslashes_are_escaped() {
    let mut world = greeted(config(), open_with("a\"b\\c", " \"\\ "), BARE);
    world.expect("LOGIN \"a\\\"b\\\\c\" \" \\\"\\\\ \"");
}

#[test]
fn i003_v27_nul_cr_and_lf_never_reach_the_wire() {
    // V27
    for bad in ["a\0b", "a\rb", "a\nb", "x\r\nA9 DELETE INBOX"] {
        for open in [open_with(bad, "p"), open_with("u", bad)] {
            let mut world = World::new(config());
            world.open(open);
            world.expect_reply("Refused Refusal { kind: Policy");
            assert!(world.effects.is_empty(), "connected for nothing");
            assert!(world.all_sent.is_empty());
        }
    }
}

#[test]
fn i003_the_refusal_says_what_is_wrong_with_the_credentials() {
    let token = |user: &str, token: &[u8]| {
        Open::new(Login::Bearer {
            mechanism: Mechanism::new("XOAUTH2").unwrap(),
            user: user.into(),
            token: Secret::from(token),
            renewal: None,
        })
    };
    for open in [
        open_with("u", "a\nb"),
        open_with("u\x7f", "p"),
        token("u", b"to\x01ken"),
        token("u", b"to\xe9ken"),
        token("u\x01auth=", b"token"),
    ] {
        let mut world = World::new(config());
        world.open(open);
        let replies = world.take_replies_said();
        assert!(
            replies[0].contains("control characters in credentials"),
            "{replies:?}"
        );
        assert!(world.effects.is_empty(), "connected for nothing");
    }
}
