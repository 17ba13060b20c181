//! TLS before anything is believed.

use imap_backend::Security;

use super::{BARE, with};
use crate::common::{World, password_open};

#[test]
fn implicit_tls_comes_before_the_greeting() {
    let mut world = World::new(with(|c| c.security = Security::Implicit));
    world.open(password_open());
    assert_eq!(world.effects.len(), 2);
    assert!(world.effects[1].starts_with("StartTls"));
    world.serve(&format!("* OK [CAPABILITY {BARE}]\r\n"));
    world.expect("LOGIN \"alice\" \"secret\"");
}

#[test]
fn ct022_starttls_forgets_what_was_heard_in_the_clear() {
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] trust me\r\n");
    let tag = world.expect("STARTTLS");
    world.expect_nothing();
    world.serve(&format!("{tag} OK begin\r\n"));
    assert!(world.effects[1].starts_with("StartTls"));
    let tag = world.expect("CAPABILITY");
    world.serve(&format!(
        "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n"
    ));
    world.expect_reply("Refused Refusal { kind: Policy");
    assert!(!world.everything_sent().contains("secret"));
}

#[test]
fn ct022_what_was_heard_in_the_clear_stays_forgotten_where_nothing_is_said_under_tls() {
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR] trust me\r\n");
    let tag = world.expect("STARTTLS");
    world.serve(&format!("{tag} OK begin\r\n"));
    world.expect_ok("CAPABILITY");
    assert!(!world.everything_sent().contains("AUTHENTICATE"));
}

#[test]
fn ct024_v06_bytes_after_the_answer_to_starttls_end_it() {
    // V06
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK hi\r\n");
    let tag = world.expect("STARTTLS");
    world.serve(&format!("{tag} OK begin\r\n* CAPABILITY IMAP4rev1\r\n"));
    world.expect_reply("Failed Permanent");
    assert!(
        !world
            .effects
            .iter()
            .any(|effect| effect.starts_with("StartTls"))
    );
    world.expect_nothing();
}

#[test]
fn ct025_preauth_is_never_taken_for_a_login() {
    for security in [Security::StartTls, Security::Clear, Security::Implicit] {
        let mut world = World::new(with(|c| c.security = security));
        world.open(password_open());
        world.serve("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n");
        world.expect_reply("Failed Permanent");
        assert!(!world.everything_sent().contains("LOGIN"));
    }
}

#[test]
fn starttls_refused_means_no_login() {
    for answer in ["NO not now", "BAD what"] {
        let mut world = World::new(with(|c| c.security = Security::StartTls));
        world.open(password_open());
        world.serve("* OK hi\r\n");
        let tag = world.expect("STARTTLS");
        world.serve(&format!("{tag} {answer}\r\n"));
        world.expect_reply("Failed Permanent");
        assert!(!world.everything_sent().contains("secret"));
    }
}
