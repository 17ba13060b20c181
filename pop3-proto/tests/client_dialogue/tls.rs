//! STLS and the handshake.

use pop3_proto::client::SendError;
use pop3_proto::command::Command;

use crate::script::{NOW, Script, fault};

#[test]
fn stls() {
    let mut script = Script::pipelined();
    let (tag, said) = script.send(&Command::Stls);
    assert_eq!(said, "STLS\r\n");
    assert_eq!(script.send(&Command::Capa).1, "");
    assert_eq!(
        script.hear(b"+OK begin\r\n"),
        [format!("StartTls {{ tag: {tag:?} }}")]
    );
    assert_eq!(script.said(), "");
    script.0.handle_tls(NOW);
    assert!(script.0.capabilities().is_empty(), "cT022");
    assert_eq!(
        script.events(),
        [format!("Done {{ tag: {tag:?}, text: \"begin\" }}")]
    );
    assert_eq!(script.said(), "CAPA\r\n");
    assert_eq!(
        script.0.send(NOW, &Command::Stls),
        Err(SendError::AlreadyTls)
    );
}

/// qD3
#[test]
fn qd3_stls_refused_leaves_it_usable() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    assert_eq!(script.hear(b"-ERR\r\n").len(), 1);
    assert_eq!(script.send(&Command::Noop).1, "NOOP\r\n");
}

/// V05, V06
#[test]
fn ct024_v05_v06_clear_text_after_stls_ends_it() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    assert_eq!(
        fault(&script.hear(b"+OK\r\n+OK injected\r\n")),
        "ClearTextAfterStls))"
    );
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    script.hear(b"+OK\r\n");
    assert_eq!(fault(&script.hear(b"+")), "ClearTextAfterStls))");
    script.0.handle_tls(NOW);
    assert_eq!(script.events(), [""; 0], "and stays ended");
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    script.0.handle_input(NOW, b"+OK\r\n");
    script.0.handle_input(NOW, b"+OK injected\r\n");
    assert_eq!(fault(&script.events()), "ClearTextAfterStls))");
}

/// A handshake is due: nothing may come before it, and nothing is not something.
#[test]
fn ct024_nothing_after_stls_is_nothing() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    script.hear(b"+OK\r\n");
    assert_eq!(script.0.handle_input(NOW, b""), 0);
    script.0.handle_tls(NOW);
    assert!(!script.events().iter().any(|event| event.contains("Closed")));
    script.send(&Command::Capa);
    let events = script.hear(b"+OK\r\nUIDL\r\n.\r\n");
    assert!(
        events.iter().any(|event| event.starts_with("Done")),
        "{events:?}"
    );
}

#[test]
fn a_failed_handshake() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    script.hear(b"+OK\r\n");
    assert_eq!(
        script.0.poll_timeout().map(|(_, reason)| reason),
        Some("TLS handshake")
    );
    script.0.handle_eof(NOW);
    assert_eq!(script.events(), ["Lost { tag: Tag(0) }", "Closed(Eof)"]);
}
