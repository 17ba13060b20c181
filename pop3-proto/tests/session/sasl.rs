//! AUTH: mechanisms, answers of any length, tokens and what is relayed.

use pop3_proto::backend::{Login, Request};
use pop3_proto::server::{Policy, TlsOffer};

use super::mechanisms;
use testkit::talk::{Talk, clear};

#[test]
fn s003_s006_s007_s008_s011_s013_sasl_on_the_wire() {
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(talk.say("AUTH PLAIN\r\n"), "+ \r\n");
    assert!(talk.say("*\r\n").starts_with("-ERR"));
    for bad in ["=", "=AAA", "AAA=BBB", "A", "AAA", "A A="] {
        assert!(
            talk.say(&format!("AUTH PLAIN {bad}\r\n"))
                .starts_with("-ERR"),
            "{bad}"
        );
        let mut fresh = Talk::new(clear(), &[]);
        fresh.say("AUTH PLAIN\r\n");
        assert!(
            fresh.say(&format!("{bad}\r\n")).starts_with("-ERR"),
            "{bad}"
        );
    }
    let mut talk = Talk::new(clear(), &[]);
    talk.say("AUTH PLAIN\r\n");
    // S013: as if AUTH was not sent
    talk.say("AAAA\r\n");
    assert!(
        talk.say("USER u\r\nPASS p w\r\n")
            .contains("+OK 0 messages")
    );
}

#[test]
fn auth_login_asks_twice() {
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(talk.say("AUTH LOGIN\r\n"), "+ VXNlcm5hbWU6\r\n");
    assert_eq!(talk.say("dQ==\r\n"), "+ UGFzc3dvcmQ6\r\n");
    assert!(talk.say("cCB3\r\n").starts_with("+OK 0 messages"));
}

#[test]
fn s005_s020_qd1_bare_auth_lists_and_unknown_is_refused() {
    let mut talk = Talk::new(clear(), &[]);
    assert!(talk.say("AUTH\r\n").ends_with("PLAIN\r\nLOGIN\r\n.\r\n"));
    assert!(talk.say("AUTH \r\n").ends_with("PLAIN\r\nLOGIN\r\n.\r\n"));
    assert!(talk.say("AUTH FOO\r\n").starts_with("-ERR"));
}

#[test]
fn s010_qd8_long_initial_responses_and_answers() {
    let policy = Policy::default()
        .mechanisms(mechanisms(&["XOAUTH2", "OAUTHBEARER", "PLAIN"]))
        .tls(TlsOffer::Implicit);
    let token = "dA".repeat(4000);
    let mut talk = Talk::new(policy, &[]);
    assert!(
        talk.say(&format!("AUTH PLAIN {token}\r\n"))
            .starts_with("-ERR malformed answer")
    );
    assert_eq!(talk.say("AUTH PLAIN\r\n"), "+ \r\n");
    assert!(
        talk.say(&format!("{token}\r\n"))
            .starts_with("-ERR malformed answer")
    );
}

/// S010: an answer of the very length that is allowed has room with its line end.
#[test]
fn s010_the_longest_answer_is_read() {
    let policy = Policy::default()
        .sasl_line(4000)
        .command_line(300)
        .tls(TlsOffer::Implicit);
    for (length, read) in [(4000, true), (4001, false)] {
        for end in ["\r\n", "\n"] {
            let mut talk = Talk::new(policy.clone(), &[]);
            assert_eq!(talk.say("AUTH PLAIN\r\n"), "+ \r\n");
            let said = talk.say(&format!("{}{end}", "A".repeat(length)));
            let expected = if read {
                "-ERR malformed answer"
            } else {
                "-ERR line too long"
            };
            assert!(said.starts_with(expected), "{length}: {said}");
            assert!(talk.say("CAPA\r\n").starts_with("+OK"));
        }
    }
}

/// S010: an answer that is too long ends the exchange, as its `-ERR` says: what comes next is a command
/// again, and never an answer.
#[test]
fn s010_an_answer_that_is_too_long_ends_the_exchange() {
    let policy = Policy::default()
        .sasl_line(4000)
        .mechanisms(mechanisms(&["LOGIN", "PLAIN", "XOAUTH2", "X-RELAY"]))
        .tls(TlsOffer::Implicit);
    let long = "A".repeat(4001);
    for mechanism in ["LOGIN", "PLAIN", "X-RELAY"] {
        let mut talk = Talk::new(policy.clone(), &[]);
        assert!(talk.say(&format!("AUTH {mechanism}\r\n")).starts_with("+ "));
        assert_eq!(talk.say(&format!("{long}\r\n")), "-ERR line too long\r\n");
        let abandoned = talk.store.requests.last() == Some(&Request::Abandon);
        assert_eq!(abandoned, mechanism == "X-RELAY");
        assert_eq!(talk.say("QUIT\r\n"), "+OK bye\r\n");
    }
    // one `-ERR` for a token that was refused, whatever the client says to the explanation
    let mut talk = Talk::new(policy, &[]);
    let token = "dXNlcj1hAWF1dGg9QmVhcmVyIGJhZAEB";
    assert!(
        talk.say(&format!("AUTH XOAUTH2 {token}\r\n"))
            .starts_with("+ ")
    );
    let said = talk.say(&format!("{long}\r\n"));
    assert!(
        said.starts_with("-ERR [AUTH]") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(talk.say("QUIT\r\n"), "+OK bye\r\n");
}

#[test]
fn o001_o004_o005_bearer_tokens() {
    let policy = clear().mechanisms(mechanisms(&["XOAUTH2"]));
    assert!(
        !Talk::new(policy.clone(), &[])
            .say("CAPA\r\n")
            .contains("XOAUTH2")
    );
    let policy = policy.tls(TlsOffer::Implicit);
    let mut talk = Talk::new(policy, &[]);
    // user=u^Aauth=Bearer bad^A^A, then ... good
    let bad = "dXNlcj11AWF1dGg9QmVhcmVyIGJhZAEB";
    let good = "dXNlcj11AWF1dGg9QmVhcmVyIGdvb2QBAQ==";
    assert!(
        talk.say(&format!("AUTH XOAUTH2 {bad}\r\n"))
            .starts_with("+ eyJ")
    );
    assert_eq!(talk.say("\r\n"), "-ERR [AUTH] login failed\r\n");
    // in two lines, as some clients do
    assert_eq!(talk.say("AUTH XOAUTH2\r\n"), "+ \r\n");
    assert!(
        talk.say(&format!("{good}\r\n"))
            .starts_with("+OK 0 messages")
    );
}

#[test]
fn relayed_mechanisms_pass_through() {
    let policy = Policy::default().mechanisms(mechanisms(&["SCRAM-SHA-256"]));
    let mut talk = Talk::new(policy, &[]);
    assert_eq!(talk.say("AUTH SCRAM-SHA-256 bg==\r\n"), "+ d2hhdD8=\r\n");
    assert!(talk.say("*\r\n").starts_with("-ERR"));
    assert_eq!(talk.store.requests.last(), Some(&Request::Abandon));
    // SCRAM begins with the client (RFC 5802 section 5), so its message is asked for here
    assert_eq!(talk.say("AUTH SCRAM-SHA-256\r\n"), "+ \r\n");
    assert_eq!(talk.say("bg==\r\n"), "+ d2hhdD8=\r\n");
    assert!(talk.say("dGhpcw==\r\n").starts_with("+OK 0 messages"));
}

/// W012: whose login it is, however client-first comes.
#[test]
fn w012_a_relayed_login_says_whose_it_is() {
    for said in [
        "AUTH SCRAM-SHA-256 bixhPWJvc3Msbj10aW0scj14\r\n",
        "AUTH SCRAM-SHA-256\r\nbixhPWJvc3Msbj10aW0scj14\r\n",
    ] {
        let policy = Policy::default().mechanisms(mechanisms(&["SCRAM-SHA-256"]));
        let mut talk = Talk::new(policy, &[]);
        talk.say(said);
        let Some(Request::Open(open)) = talk.store.requests.last() else {
            panic!("no login: {:?}", talk.store.requests)
        };
        assert_eq!(open.login.identity(), Some("tim"));
        assert_eq!(open.login.user(), Some("boss"));
        assert_eq!(talk.session.summary().user.as_deref(), Some("boss"));
        assert!(matches!(
            &open.login,
            Login::Relay { initial: Some(initial), .. } if initial.expose() == b"n,a=boss,n=tim,r=x"
        ));
    }
}

#[test]
fn c001_s009_cram_md5() {
    let policy = Policy::default().mechanisms(mechanisms(&["CRAM-MD5"]));
    let mut talk = Talk::new(policy, &[]);
    assert!(talk.say("AUTH CRAM-MD5 dQ==\r\n").starts_with("-ERR"));
    let first = talk.say("AUTH CRAM-MD5\r\n");
    talk.say("*\r\n");
    assert_ne!(talk.say("AUTH CRAM-MD5\r\n"), first);
    // u 00000000000000000000000000000000
    let answer = "dSAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA==";
    assert!(talk.say(&format!("{answer}\r\n")).starts_with("+OK"));
}
