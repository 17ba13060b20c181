//! The greeting, the capabilities and the languages.

use pop3_proto::backend::Request;
use pop3_proto::server::{Expire, Policy, ReadOnly};

use super::{mechanisms, stls};
use testkit::talk::{Talk, clear};

#[test]
fn p014_x004_the_greeting_is_ok_and_free_of_brackets() {
    let policy = clear().greeting("[x] <a@b> hello\r\nthere".into());
    let session =
        pop3_proto::server::Session::new(policy.into(), "<1@h>", pop3_proto::time::Time::ZERO);
    assert_eq!(session.transmit(), b"+OK x] a@b hellothere\r\n");
}

#[test]
fn x005_x006_x009_s001_f26_capabilities_before_and_after_login() {
    let policy = clear()
        .expire(Expire::Days(0))
        .read_only(ReadOnly::OnRequest);
    let mut talk = Talk::new(policy, &[]);
    let before = talk.say("CAPA\r\n");
    let expected = [
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "USER",
        "SASL PLAIN LOGIN",
        "UTF8 USER",
        "LANG",
        "EXPIRE 0",
        "X-POP3SF-READ-ONLY",
        "IMPLEMENTATION pop3-proto",
    ];
    for line in expected {
        assert!(before.contains(&format!("\r\n{line}\r\n")), "{line}");
    }
    talk.say("USER u\r\nPASS p w\r\n");
    assert_eq!(talk.say("CAPA\r\n"), before);
    assert!(talk.say("CAPA x\r\n").starts_with("-ERR"));
}

/// A client in wide use sends UTF8 without its line end as soon as it reads of it, and waits for ever.
#[test]
fn w050_utf8_is_offered_only_where_it_is_switched_on() {
    let policy = Policy::default().clear_login(true);
    let mut talk = Talk::new(policy, &[]);
    for _ in 0..2 {
        let capabilities = talk.say("CAPA\r\n");
        assert!(
            !capabilities.contains("UTF8") && !capabilities.contains("LANG"),
            "{capabilities}"
        );
        assert!(talk.say("UTF8\r\n").starts_with("-ERR"));
        talk.say("USER u\r\nPASS p w\r\n");
    }
}

#[test]
fn u003_u006_u009_utf8_and_lang() {
    let mut talk = Talk::new(stls().clear_login(true).utf8(true), &[]);
    assert!(
        talk.say("LANG\r\n")
            .ends_with("en English\r\ni-default English\r\n.\r\n")
    );
    assert!(talk.say("LANG en\r\n").starts_with("+OK en "));
    assert!(talk.say("LANG *\r\n").starts_with("+OK i-default "));
    assert!(talk.say("LANG xx\r\n").starts_with("-ERR"));
    assert!(talk.say("UTF8 x\r\n").starts_with("-ERR"));
    assert!(talk.say("UTF8\r\n").starts_with("+OK"));
    assert!(talk.say("STLS\r\n").starts_with("-ERR"));
    talk.say("USER u\r\nPASS p w\r\n");
    assert!(matches!(&talk.store.requests[0], Request::Open(open) if open.utf8));
    assert!(talk.say("LANG en\r\n").starts_with("+OK"));
}

#[test]
fn what_is_not_offered_is_refused() {
    let policy = clear().utf8(false);
    let mut talk = Talk::new(policy, &[]);
    assert_eq!(talk.say("UTF8\r\n"), "-ERR UTF8 is not offered\r\n");
    let digest = "0".repeat(32);
    assert_eq!(
        talk.say(&format!("APOP u {digest}\r\n")),
        "-ERR APOP is not offered\r\n"
    );
}

/// X007: as many mechanisms are named as fit into a line of 512 octets; AUTH alone lists them all.
#[test]
fn x007_the_names_of_mechanisms_fit_into_a_line() {
    let policy = clear().mechanisms(mechanisms(&["X"; 300]));
    let mut talk = Talk::new(policy, &[]);
    let heard = talk.say("CAPA\r\n");
    let line = heard.lines().find(|line| line.starts_with("SASL"));
    assert_eq!(line.unwrap(), format!("SASL{}", " X".repeat(240)));
    assert_eq!(talk.say("AUTH\r\n").lines().count(), 302);
}

/// X007: texts of the configuration are cut where their line would be too long, between characters.
#[test]
fn x007_texts_are_cut_between_characters() {
    for text in ["x", "é", "€", "ß€", "ß€x"] {
        let policy = clear()
            .implementation(Some(text.repeat(500)))
            .greeting(text.repeat(500));
        let mut talk = Talk::with_greeting(policy, &[]);
        let whole = text.repeat(500);
        let cut = |octets| &whole[..whole.floor_char_boundary(octets)];
        assert_eq!(talk.heard(), format!("+OK {}\r\n", cut(200)));
        let heard = talk.say("CAPA\r\n");
        let expected = format!("\r\nIMPLEMENTATION {}\r\n", cut(480));
        assert!(heard.contains(&expected), "{heard}");
    }
}
