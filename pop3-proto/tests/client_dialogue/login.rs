//! Logins of every kind.

use pop3_proto::backend::Mechanism;
use pop3_proto::client::{Client, Config, Event, Method, SendError};
use pop3_proto::command::Command;
use pop3_proto::secret::Secret;

use crate::script::{NOW, Script, credentials, fault};

#[test]
fn no_login_in_clear_text() {
    let mut script = Script::with(Config::default(), "+OK\r\n");
    assert_eq!(
        script.0.log_in(NOW, &credentials(Method::Plain)),
        Err(SendError::ClearText)
    );
    assert_eq!(
        script.0.send(NOW, &Command::User("a".into())),
        Err(SendError::ClearText)
    );
    let plain = Mechanism::new("PLAIN").unwrap();
    let auth = Command::Auth {
        mechanism: plain,
        initial: None,
    };
    assert_eq!(script.0.send(NOW, &auth), Err(SendError::ClearText));
    let mut client = Client::new(Config::default(), NOW);
    client.handle_tls(NOW);
    client.handle_input(NOW, b"+OK\r\n");
    assert!(client.log_in(NOW, &credentials(Method::Plain)).is_ok());
}

/// Asking which mechanisms there are tells nobody's secret.
#[test]
fn auth_alone_may_be_said_in_the_clear() {
    let mut script = Script::with(Config::default(), "+OK\r\n");
    assert_eq!(script.send(&Command::AuthList).1, "AUTH\r\n");
    let plain = Command::Auth {
        mechanism: Mechanism::new("PLAIN").unwrap(),
        initial: None,
    };
    assert_eq!(script.0.send(NOW, &plain), Err(SendError::ClearText));
}

#[test]
fn user_and_pass() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(script.log_in(Method::UserPass), "USER mrose\r\n");
    assert_eq!(script.reply(b"+OK\r\n"), "PASS tanstaaf\r\n");
    assert_eq!(
        script.hear(b"+OK in\r\n"),
        ["Done { tag: Tag(0), text: \"in\" }"]
    );
    assert_eq!(script.log_in(Method::UserPass), "USER mrose\r\n");
    assert_eq!(script.hear(b"-ERR\r\n").len(), 1);
    assert_eq!(script.said(), "");
}

#[test]
fn p059_apop() {
    let mut script = Script::new("+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n");
    assert_eq!(
        script.log_in(Method::Apop),
        "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"
    );
    assert_eq!(script.hear(b"+OK maildrop has 1 message\r\n").len(), 1);
    let mut script = Script::new("+OK ready\r\n");
    assert_eq!(
        script.0.log_in(NOW, &credentials(Method::Apop)),
        Err(SendError::NoTimestamp)
    );
}

#[test]
fn plain_with_and_without_initial_response() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(
        script.log_in(Method::Plain),
        "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n"
    );
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
    let two_lines = credentials(Method::Plain).initial_response(false);
    script.0.log_in(NOW, &two_lines).unwrap();
    assert_eq!(script.said(), "AUTH PLAIN\r\n");
    assert_eq!(script.reply(b"+ \r\n"), "AG1yb3NlAHRhbnN0YWFm\r\n");
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
    // RFC 5034 section 4: not in a line of more than 255 octets
    let long = credentials(Method::Plain).secret(Secret::new(vec![b'x'; 200]));
    script.0.log_in(NOW, &long).unwrap();
    assert_eq!(script.said(), "AUTH PLAIN\r\n");
}

#[test]
fn initial_response_is_taken_back_where_it_was_the_trouble() {
    let mut script = Script::pipelined();
    assert_eq!(
        script.log_in(Method::Plain),
        "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n"
    );
    assert_eq!(script.reply(b"-ERR syntax\r\n"), "AUTH PLAIN\r\n");
    assert_eq!(script.reply(b"+\r\n"), "AG1yb3NlAHRhbnN0YWFm\r\n");
    assert_eq!(script.hear(b"-ERR again\r\n").len(), 1);
    assert_eq!(
        script.log_in(Method::Plain),
        "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n"
    );
    assert_eq!(
        script.hear(b"-ERR [AUTH] wrong\r\n").len(),
        1,
        "the credentials were"
    );
    script.log_in(Method::XOauth2);
    script.reply(b"+ e30=\r\n");
    assert_eq!(script.hear(b"-ERR\r\n").len(), 1, "it was taken");
    script.log_in(Method::Plain);
    assert_eq!(
        script.reply(b"+ \r\n"),
        "AG1yb3NlAHRhbnN0YWFm\r\n",
        "it was stepped over"
    );
    assert_eq!(script.reply(b"+ \r\n"), "*\r\n", "but not twice");
    assert_eq!(script.hear(b"-ERR\r\n").len(), 1);
    let mut script = Script::new("+OK\r\n");
    script.log_in(Method::Plain);
    assert_eq!(
        script.hear(b"-ERR wrong\r\n").len(),
        1,
        "who knows: never twice"
    );
}

#[test]
fn c002_login_and_cram_md5() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(script.log_in(Method::Login), "AUTH LOGIN\r\n");
    assert_eq!(script.reply(b"+ VXNlcm5hbWU6\r\n"), "bXJvc2U=\r\n");
    assert_eq!(script.reply(b"+ UGFzc3dvcmQ6\r\n"), "dGFuc3RhYWY=\r\n");
    assert_eq!(
        script.reply(b"+ bW9yZQ==\r\n"),
        "*\r\n",
        "there is nothing more to say"
    );
    assert_eq!(script.hear(b"-ERR\r\n").len(), 1);
    // C002: the example of RFC 2195
    let tim = credentials(Method::CramMd5)
        .user("tim".into())
        .secret(Secret::from(&b"tanstaaftanstaaf"[..]));
    script.0.log_in(NOW, &tim).unwrap();
    assert_eq!(script.said(), "AUTH CRAM-MD5\r\n");
    assert_eq!(
        script.reply(b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"),
        "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
    );
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
}

/// CRAM-MD5 has one challenge.
#[test]
fn c001_a_second_challenge_gets_no_digest() {
    let mut script = Script::new("+OK\r\n");
    script.log_in(Method::CramMd5);
    script.reply(b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n");
    assert_eq!(script.reply(b"+ PDFAYT4=\r\n"), "*\r\n");
}

/// O004, O005
#[test]
fn o004_o005_bearer_tokens_and_their_errors() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(
        script.log_in(Method::XOauth2),
        "AUTH XOAUTH2 dXNlcj1tcm9zZQFhdXRoPUJlYXJlciB0YW5zdGFhZgEB\r\n"
    );
    assert_eq!(script.reply(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), "\r\n");
    assert_eq!(script.hear(b"-ERR [AUTH]\r\n").len(), 1);
    let comma = credentials(Method::OauthBearer).user("a=b,c".into());
    script.0.log_in(NOW, &comma).unwrap();
    // n,a=a=3Db=2Cc,^Aauth=Bearer tanstaaf^A^A
    assert_eq!(
        script.said(),
        "AUTH OAUTHBEARER bixhPWE9M0RiPTJDYywBYXV0aD1CZWFyZXIgdGFuc3RhYWYBAQ==\r\n"
    );
    assert_eq!(script.reply(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), "AQ==\r\n");
    assert_eq!(script.hear(b"-ERR [AUTH]\r\n").len(), 1);
    let nameless = credentials(Method::OauthBearer).user(String::new());
    script.0.log_in(NOW, &nameless).unwrap();
    // n,,^Aauth=Bearer tanstaaf^A^A
    assert_eq!(
        script.said(),
        "AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHRhbnN0YWFmAQE=\r\n"
    );
}

#[test]
fn s011_qd5_any_mechanism_by_hand() {
    let mut script = Script::new("+OK\r\n");
    let mechanism = Mechanism::new("SCRAM-SHA-256").unwrap();
    let auth = Command::Auth {
        mechanism,
        initial: None,
    };
    let (tag, said) = script.send(&auth);
    assert_eq!(said, "AUTH SCRAM-SHA-256\r\n");
    assert_eq!(
        script.0.answer(NOW, &Secret::default()),
        Err(SendError::NotAsked)
    );
    script.0.handle_input(NOW, b"+ AGE=\r\n");
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Challenge {
            tag,
            data: b"\0a".to_vec()
        })
    );
    assert_eq!(script.0.poll_timeout(), None, "it is our turn");
    script.0.answer(NOW, &Secret::from(&b"\0\r\n"[..])).unwrap();
    assert_eq!(script.said(), "AA0K\r\n");
    script.hear(b"+\r\n");
    script.0.cancel(NOW).unwrap();
    assert_eq!(script.said(), "*\r\n");
    assert_eq!(script.hear(b"-ERR cancelled\r\n").len(), 1);
    // S011: no base64
    script.send(&auth);
    assert_eq!(script.reply(b"+ ???\r\n"), "*\r\n");
    // qD5, the other way round: a challenge that nothing asked for
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Noop);
    assert!(fault(&script.hear(b"+ AGE=\r\n")).starts_with("NoStatus("));
}
