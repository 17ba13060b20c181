//! A look at an upstream, before anybody's name is said.

use std::sync::Arc;

use imap_backend::{AuthPreference, Config, ImapBackend, Security};

use super::with;
use crate::common::{World, password_open};

fn look(config: Config, dialogue: &[&str]) -> (Vec<String>, Vec<String>, String) {
    let mut world = World::new(config.clone());
    world.backend = ImapBackend::new(Arc::new(config)).only_looking();
    world.open(password_open());
    for line in dialogue {
        world.serve(line);
    }
    let (replies, notes) = (world.take_replies_said(), world.notes());
    (replies, notes, world.everything_sent())
}

#[test]
fn w026_w047_a_look_tells_what_a_login_would_meet() {
    let (replies, notes, sent) = look(
        with(|c| c.own = true),
        &["* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN AUTH=LOGIN XYZZY] Dovecot ready.\r\n"],
    );
    assert_eq!(
        replies,
        ["Refused Refusal { kind: Policy, detail: \"only looked\" }"]
    );
    for part in [
        "it greets with OK [CAPABILITY",
        "it offers ID IMAP4REV1 AUTH=PLAIN AUTH=LOGIN",
        "login_trusted_networks",
        "logged in by LOGIN",
    ] {
        assert!(
            notes.iter().any(|note| note.contains(part)),
            "{part}: {notes:?}"
        );
    }
    assert!(!sent.contains("alice") && sent.contains("LOGOUT"), "{sent}");
}

/// What would refuse every login is reported without one.
#[test]
fn w047_a_look_fails_where_a_login_would() {
    for (config, dialogue, part) in [
        (
            with(|c| c.auth = AuthPreference::Plain),
            vec!["* OK [CAPABILITY IMAP4rev1] hi\r\n"],
            "upstream does not offer AUTH=PLAIN",
        ),
        (
            with(|_| ()),
            vec!["* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n"],
            "upstream offers no login by password",
        ),
        (
            with(|c| c.security = Security::StartTls),
            vec!["* OK hi\r\n", "A1 NO not here\r\n"],
            "refuses STARTTLS: NO not here",
        ),
    ] {
        let (replies, _, sent) = look(config, &dialogue);
        assert!(replies[0].starts_with("Failed Permanent"), "{replies:?}");
        assert!(replies[0].contains(part), "{replies:?}");
        assert!(!sent.contains("alice"), "{sent}");
    }
}
