//! What is shown of a client: its transcript and its `Debug`.

use pop3_proto::client::{Client, Config, Method};
use pop3_proto::command::Command;

use crate::script::{NOW, Script, credentials, number};

/// V33, V34, O006
#[test]
fn v33_o006_v34_the_transcript_names_secrets_and_does_not_show_them() {
    let mut script = Script(Client::new(Config::default().clear_login(true), NOW));
    script.0.record();
    script.hear(b"+OK hi <1@b>\r\n");
    for (method, replies) in [
        (Method::UserPass, &[&b"+OK\r\n"[..], b"+OK\r\n"][..]),
        (Method::Apop, &[b"+OK\r\n"]),
        (Method::Plain, &[b"+OK\r\n"]),
        (Method::Login, &[b"+ \r\n", b"+ \r\n", b"-ERR\r\n"]),
        (Method::XOauth2, &[b"-ERR\r\n"]),
    ] {
        script.log_in(method);
        for reply in replies {
            script.hear(reply);
        }
    }
    script.0.send_raw(NOW, "XPASS tanstaaf", false).unwrap();
    script.hear(b"+OK\r\n");
    script.send(&Command::Retr(number(1)));
    script.hear(b"+OK\r\nsecret letter\r\n.\r\n");
    script.send(&Command::Capa);
    script.hear(b"+OK\r\nTOP\r\n.\r\n");
    let mut lines = Vec::new();
    while let Some(trace) = script.0.poll_trace() {
        lines.push(format!("{:?} {}", trace.direction, trace.text));
    }
    assert_eq!(
        lines,
        [
            "Received +OK hi <1@b>",
            "Sent USER mrose",
            "Received +OK",
            "Sent PASS <password>",
            "Received +OK",
            "Sent APOP mrose <digest>",
            "Received +OK",
            "Sent AUTH PLAIN <initial response>",
            "Received +OK",
            "Sent AUTH LOGIN",
            "Received +",
            "Sent <response>",
            "Received +",
            "Sent <response>",
            "Received -ERR",
            "Sent AUTH XOAUTH2 <initial response>",
            "Received -ERR",
            "Sent XPASS <raw>",
            "Received +OK",
            "Sent RETR 1",
            "Received +OK",
            "Received <15 octets>",
            "Sent CAPA",
            "Received +OK",
            "Received TOP",
            "Received .",
        ]
    );
    assert!(!format!("{:?} {:?}", script.0, credentials(Method::Plain)).contains("tanstaaf"));
}

/// V33: what is shown of a client has none of what it will say.
#[test]
fn v33_a_client_shows_no_secret() {
    let mut script = Script::new("+OK\r\n");
    for method in [Method::UserPass, Method::Plain, Method::CramMd5] {
        script.0.log_in(NOW, &credentials(method)).unwrap();
    }
    let shown = format!("{:?} {:?}", script.0, credentials(Method::Plain));
    assert!(
        shown.contains("reading") && shown.contains("queued: 2"),
        "{shown}"
    );
    assert!(!shown.contains("tanstaaf"), "{shown}");
    assert!(!shown.contains("AG1yb3NlAHRhbnN0YWFm"), "{shown}");
}
