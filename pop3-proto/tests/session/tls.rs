//! STLS, and what may be said before it.

use pop3_proto::server::{Policy, ReadOnly, Reason, TlsOffer};

use super::{MAIL, stls};
use testkit::talk::{Talk, clear};

#[test]
fn t002_t004_t015_stls_only_where_it_can_be() {
    assert!(Talk::new(clear(), &[]).say("STLS\r\n").starts_with("-ERR"));
    let implicit = Policy::default().tls(TlsOffer::Implicit);
    assert!(Talk::new(implicit, &[]).say("STLS\r\n").starts_with("-ERR"));
    let mut talk = Talk::new(stls(), &[]);
    assert!(talk.say("STLS now\r\n").starts_with("-ERR"));
    assert!(talk.say("STLS\r\n").starts_with("+OK"));
    talk.tls();
    assert!(talk.say("STLS\r\n").starts_with("-ERR"));
    assert!(!talk.say("CAPA\r\n").contains("STLS"));
}

#[test]
fn t003_tls_starts_only_when_the_ok_is_sent() {
    let mut talk = Talk::new(stls(), &[]);
    talk.window = Some(3);
    talk.feed(b"STLS\r\n");
    assert!(!talk.tls_wanted);
    assert_eq!(talk.session.input_room(), 0);
    talk.window = None;
    talk.settle();
    assert!(talk.tls_wanted);
}

#[test]
fn t005_v01_nothing_after_stls_is_executed() {
    let injections: [&[u8]; 4] = [
        b"STLS\r\nUSER u\r\n",
        b"STLS\r\nQ",
        b"STLS\nQUIT\r\n",
        b"USER u\r\nSTLS\r\n\r\n",
    ];
    for injection in injections {
        let mut talk = Talk::new(stls(), &[]);
        talk.feed(injection);
        assert_eq!(talk.closed, Some(Reason::PlaintextAfterStls));
        assert!(!talk.tls_wanted && !talk.heard().contains("begin TLS"));
    }
    // in the next segment, before the handshake
    let mut talk = Talk::new(stls(), &[]);
    talk.window = Some(0);
    talk.feed(b"STLS\r\n");
    talk.session.handle_input(talk.now, b"USER u\r\n");
    talk.settle();
    assert_eq!(talk.closed, Some(Reason::PlaintextAfterStls));
}

/// Input after STLS is never a command, not even where the greeting's `+OK` still waits.
#[test]
fn handing_in_nothing_is_nothing() {
    let mut talk = Talk::new(stls(), &[]);
    talk.feed(b"STLS\r\n");
    assert_eq!(talk.session.handle_input(talk.now, b""), 0);
    talk.settle();
    assert_eq!(talk.closed, None);
    let mut talk = Talk::logged_in(&[]);
    talk.say("QUIT\r\n");
    assert!(talk.closed.is_some());
    assert_eq!(talk.session.handle_input(talk.now, b"NOOP\r\n"), 6);
    assert_eq!(talk.heard(), "");
}

#[test]
fn t006_f18_what_was_said_before_tls_is_forgotten() {
    let policy = stls().read_only(ReadOnly::OnRequest).clear_login(true);
    let mut talk = Talk::new(policy, &[MAIL]);
    talk.say("XPRO\r\nUSER u\r\nSTLS\r\n");
    talk.tls();
    assert!(talk.say("PASS p w\r\n").starts_with("-ERR"));
    talk.say("USER u\r\nPASS p w\r\n");
    assert!(talk.say("DELE 1\r\n").starts_with("+OK"));
}

#[test]
fn t007_t017_x010_no_secret_in_the_clear_unless_allowed() {
    let mut talk = Talk::new(stls(), &[]);
    let capa = talk.say("CAPA\r\n");
    assert!(!capa.contains("\r\nUSER\r\n") && !capa.contains("SASL") && capa.contains("STLS\r\n"));
    assert!(talk.say("USER u\r\n").starts_with("-ERR TLS first"));
    assert!(talk.say("AUTH PLAIN AHUAcCB3\r\n").starts_with("-ERR"));
    assert!(talk.store.requests.is_empty());
    talk.say("STLS\r\n");
    talk.tls();
    let capa = talk.say("CAPA\r\n");
    assert!(capa.contains("\r\nUSER\r\n") && capa.contains("SASL PLAIN LOGIN\r\n"));
    assert!(
        talk.say("AUTH PLAIN AHUAcCB3\r\n")
            .starts_with("+OK 0 messages")
    );
}
