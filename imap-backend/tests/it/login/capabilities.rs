//! What the server can do, and what follows from it.

use super::{BARE, bearer, greeted, relay, with};
use crate::common::{World, config, password_open};

#[test]
fn qf06_capabilities_can_be_masked() {
    let config =
        with(|c| c.quirks.masked_capabilities = vec!["sasl-ir".into(), "AUTH=XOAUTH2".into()]);
    let offered = "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER";
    let mut world = greeted(config, bearer("XOAUTH2", "a"), offered);
    world.expect("AUTHENTICATE OAUTHBEARER");
}

/// RFC 9051 appendix E: what IMAP4rev2 has built in need not be named, and can be masked all the same.
#[test]
fn i005_rev2_implies_what_it_has_built_in() {
    for (offered, masked, expected) in [
        ("IMAP4rev2", "", "UID EXPUNGE 1"),
        ("IMAP4rev2", "uidplus", "UID FETCH 1:* (UID FLAGS)"),
        ("IMAP4rev2", "IMAP4rev1", "UID EXPUNGE 1"),
        ("IMAP4rev1 IMAP4rev2", "", "UID FETCH 1:* (UID FLAGS)"),
        ("IMAP4rev1", "", "UID FETCH 1:* (UID FLAGS)"),
    ] {
        let config = with(|c| c.quirks.masked_capabilities = vec![masked.into()]);
        let mut world = World::opened(config, offered, &[(1, 1)]);
        world.update(&[0], &[]);
        if world.sent.windows(10).any(|w| w == b"CAPABILITY") {
            let tag = world.expect("CAPABILITY");
            world.serve(&format!("* CAPABILITY {offered}\r\n{tag} OK\r\n"));
        }
        let sent = world.take_sent();
        assert!(sent.contains(expected), "{offered} {masked}: {sent}");
    }
}

#[test]
fn the_names_of_mechanisms_are_bounded() {
    let name = "X".repeat(18);
    let many: Vec<String> = (0..60).map(|n| format!("AUTH={name}{n}")).collect();
    let offered = format!("IMAP4rev1 {}", many.join(" "));
    let mut world = greeted(config(), relay(&format!("{name}0"), None), &offered);
    world.expect(&format!("AUTHENTICATE {name}0"));
    // what is beyond half a KiB is not taken in
    let mut world = greeted(config(), relay(&format!("{name}59"), None), &offered);
    world.expect_reply("Refused Refusal { kind: Policy");
}

#[test]
fn utf8_is_enabled_where_the_client_asked_and_the_server_offers() {
    let open = || password_open().utf8(true);
    let mut world = greeted(config(), open(), "IMAP4rev1 ENABLE UTF8=ACCEPT");
    world.expect("LOGIN \"alice\" \"secret\"");
    world.expect("ENABLE UTF8=ACCEPT");
    world.expect("SELECT \"INBOX\"");
    // i005: offered only after login
    let mut world = greeted(config(), open(), BARE);
    let tag = world.expect("LOGIN \"alice\" \"secret\"");
    world.expect_nothing();
    world.serve(&format!(
        "{tag} OK [CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT] in\r\n"
    ));
    world.expect("ENABLE UTF8=ACCEPT");
    // i005: and not said at login
    let mut world = greeted(config(), open(), BARE);
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    let tag = world.expect("CAPABILITY");
    world.serve(&format!(
        "* CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT\r\n{tag} OK\r\n"
    ));
    world.expect("ENABLE UTF8=ACCEPT");
    // not offered at all: mail is read as it is
    let mut world = greeted(config(), open(), BARE);
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    world.expect_ok("CAPABILITY");
    world.expect("SELECT \"INBOX\"");
    // not asked for
    let mut world = greeted(config(), password_open(), "IMAP4rev1 ENABLE UTF8=ACCEPT");
    assert!(!world.take_sent().contains("ENABLE"));
}

#[test]
fn folders_are_named_as_the_connection_names_them() {
    let config = with(|c| c.folder = "Gel\u{f6}scht & \u{1f4e7}".into());
    let mut world = greeted(config.clone(), password_open(), BARE);
    world.expect("LOGIN \"alice\" \"secret\"");
    world.expect("SELECT \"Gel&APY-scht &- &2D3c5w-\"");
    let mut world = greeted(
        config,
        password_open().utf8(true),
        "IMAP4rev1 ENABLE UTF8=ACCEPT",
    );
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    world.expect_ok("ENABLE UTF8=ACCEPT");
    world.expect("SELECT \"Gel\u{f6}scht & \u{1f4e7}\"");
}
