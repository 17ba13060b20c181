//! The greeting, status lines and their codes.

use pop3_proto::client::{Client, Close, Config, Event, SendError};
use pop3_proto::command::Command;
use pop3_proto::response::ResponseCode;

use crate::script::{NOW, Script, fault};

#[test]
fn greeting_and_timestamp() {
    let mut client = Client::new(Config::default(), NOW);
    client.handle_input(
        NOW,
        b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n",
    );
    let timestamp = Some("<1896.697170952@dbc.mtview.ca.us>".to_string());
    let text = "POP3 server ready <1896.697170952@dbc.mtview.ca.us>".to_string();
    assert_eq!(
        client.poll_event(),
        Some(Event::Greeting { text, timestamp })
    );
    assert_eq!(client.poll_event(), None);
}

#[test]
fn rejected_by_the_greeting() {
    let mut client = Client::new(Config::default(), NOW);
    let tag = client.send(NOW, &Command::Capa).unwrap();
    client.handle_input(NOW, b"-ERR [SYS/TEMP] come back later\r\n");
    assert_eq!(client.poll_event(), Some(Event::Lost { tag }));
    let (code, text) = (Some(ResponseCode::SysTemp), "come back later".to_string());
    assert_eq!(
        client.poll_event(),
        Some(Event::Closed(Close::Rejected { code, text }))
    );
    assert_eq!(client.poll_event(), None);
    assert_eq!(client.send(NOW, &Command::Noop), Err(SendError::Over));
}

#[test]
fn what_is_not_pop3_ends_it() {
    for greeting in [
        "* OK IMAP4rev1\r\n",
        "220 smtp\r\n",
        "\r\n",
        "+ \r\n",
        "SSH-2.0\n",
    ] {
        let mut script = Script(Client::new(Config::default(), NOW));
        let events = script.hear(greeting.as_bytes());
        assert!(fault(&events).starts_with("NoStatus("), "{events:?}");
    }
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Noop);
    let events = script.hear(b"HTTP/1.1 200 OK\r\n");
    assert!(fault(&events).starts_with("NoStatus("), "{events:?}");
    assert_eq!(events[0], "Lost { tag: Tag(0) }");
}

#[test]
fn lines_are_bounded() {
    let config = Config::default().line_limit(100).input_limit(10);
    let mut script = Script(Client::new(config, NOW));
    assert_eq!(script.0.input_room(), 102, "a whole line fits");
    assert_eq!(fault(&script.hear(&[b'x'; 102])), "LineTooLong))");
    assert_eq!(script.0.input_room(), 102, "and nothing of it is kept");
    let mut script = Script(Client::new(Config::default(), NOW));
    assert_eq!(
        fault(&script.hear(&[&b"+OK "[..], &[b'x'; 8189], b"\r\n"].concat())),
        "LineTooLong))"
    );
}

/// A line of the very length that is allowed is read, whatever the pieces it comes in.
#[test]
fn the_longest_line_is_read_in_any_pieces() {
    let longest = [&b"+OK "[..], &[b'x'; 96], b"\r\n"].concat();
    for piece in 1..=longest.len() {
        let config = Config::default().line_limit(100);
        let mut script = Script(Client::new(config, NOW));
        let events: Vec<_> = longest.chunks(piece).flat_map(|p| script.hear(p)).collect();
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].contains(&"x".repeat(96)), "{events:?}");
    }
}

#[test]
fn indicators_in_any_case_and_without_text() {
    let mut script = Script::new("+OK\r\n");
    for (reply, event) in [
        (&b"+OK\r\n"[..], "Done"),
        (b"+ok\n", "Done"),
        (b"+OK  two  spaces \r\n", "Done"),
        (b"-ERR\r\n", "Refused"),
        (b"-err no\r\n", "Refused"),
    ] {
        script.send(&Command::Noop);
        assert!(script.hear(reply)[0].starts_with(event));
    }
}

/// X020
#[test]
fn x020_codes_are_read() {
    for (reply, code, text) in [
        ("-ERR [AUTH] no\r\n", Some(ResponseCode::Auth), "no"),
        ("-ERR [in-use] busy\r\n", Some(ResponseCode::InUse), "busy"),
        (
            "-ERR [SYS/PERM/DISK]broken\r\n",
            Some(ResponseCode::SysPerm),
            "broken",
        ),
        ("-ERR [X-OTHER] what\r\n", None, "[X-OTHER] what"),
        ("-ERR [AUTH no\r\n", None, "[AUTH no"),
        ("-ERR \x1b[31mred\t!\r\n", None, "\u{FFFD}[31mred !"),
    ] {
        let mut script = Script::new("+OK\r\n");
        let (tag, _) = script.send(&Command::Noop);
        script.0.handle_input(NOW, reply.as_bytes());
        assert_eq!(
            script.0.poll_event(),
            Some(Event::Refused {
                tag,
                code,
                text: text.into()
            })
        );
    }
}
