//! The client machine in scripted dialogues.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use pop3_proto::backend::Mechanism;
use pop3_proto::client::{
    Client, Close, Config, Credentials, Event, Method, SendError, ServerFault, Tag,
};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::response::ResponseCode;
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

const NOW: Time = Time::ZERO;

/// A client for scripts: events as text, in the order they come.
struct Script(Client);

impl Script {
    fn new(greeting: &str) -> Self {
        Self::with(
            Config {
                clear_login: true,
                ..Config::default()
            },
            greeting,
        )
    }

    fn with(config: Config, greeting: &str) -> Self {
        let mut script = Self(Client::new(config, NOW));
        script.hear(greeting.as_bytes());
        script
    }

    /// Ready, with PIPELINING and AUTH-RESP-CODE announced.
    fn pipelined() -> Self {
        let mut script = Self::new("+OK\r\n");
        script.send(&Command::Capa);
        script.hear(b"+OK\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n.\r\n");
        script
    }

    fn send(&mut self, command: &Command) -> (Tag, String) {
        let tag = self.0.send(NOW, command).unwrap();
        (tag, self.said())
    }

    fn log_in(&mut self, method: Method) -> String {
        self.0.log_in(NOW, &credentials(method)).unwrap();
        self.said()
    }

    fn said(&mut self) -> String {
        let said = String::from_utf8(self.0.transmit().to_vec()).unwrap();
        self.0.transmitted(NOW, said.len());
        said
    }

    fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.0.poll_event() {
            events.push(format!("{event:?}"));
        }
        events
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<String> {
        assert_eq!(self.0.handle_input(NOW, bytes), bytes.len());
        self.events()
    }

    /// What the client says to this.
    fn reply(&mut self, bytes: &[u8]) -> String {
        let events = self.hear(bytes);
        assert!(events.is_empty(), "{events:?}");
        self.said()
    }
}

fn credentials(method: Method) -> Credentials {
    let secret = Secret::from(&b"tanstaaf"[..]);
    Credentials {
        user: "mrose".into(),
        secret,
        method,
        initial_response: true,
    }
}

fn number(n: u32) -> MessageNumber {
    MessageNumber(n)
}

fn fault(events: &[String]) -> &str {
    events
        .last()
        .and_then(|event| event.strip_prefix("Closed(Server("))
        .unwrap_or_default()
}

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
    let config = Config {
        line_limit: 100,
        input_limit: 10,
        ..Config::default()
    };
    let mut script = Script(Client::new(config, NOW));
    assert_eq!(script.0.input_room(), 102, "a whole line fits");
    assert_eq!(fault(&script.hear(&[b'x'; 102])), "LineTooLong))");
    let mut script = Script(Client::new(Config::default(), NOW));
    assert_eq!(
        fault(&script.hear(&[&b"+OK "[..], &[b'x'; 8189], b"\r\n"].concat())),
        "LineTooLong))"
    );
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

#[test]
fn stat_and_single_listings() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stat);
    assert_eq!(
        script.hear(b"+OK  2   18446744073709551615 octets\r\n")[0],
        "Stat { tag: Tag(0), messages: 2, octets: 18446744073709551615 }"
    );
    let (tag, said) = script.send(&Command::List(Some(number(2))));
    assert_eq!(said, "LIST 2\r\n");
    script.0.handle_input(NOW, b"+OK 2 200\r\n");
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Size {
            tag,
            number: number(2),
            octets: 200
        })
    );
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Done {
            tag,
            text: "2 200".into()
        })
    );
    let (tag, said) = script.send(&Command::Uidl(Some(number(2))));
    assert_eq!(said, "UIDL 2\r\n");
    script
        .0
        .handle_input(NOW, b"+OK 2  QhdPYR:00WBw1Ph7x7 \r\n");
    let id = &b"QhdPYR:00WBw1Ph7x7"[..];
    assert_eq!(
        script.0.poll_event(),
        Some(Event::UniqueId {
            tag,
            number: number(2),
            id
        })
    );
}

#[test]
fn malformed_answers_are_told_and_do_not_end_it() {
    for (command, reply) in [
        (Command::Stat, &b"+OK\r\n"[..]),
        (Command::Stat, b"+OK 1\r\n"),
        (Command::Stat, b"+OK +1 -1\r\n"),
        (Command::Stat, b"+OK 1 18446744073709551616\r\n"),
        (Command::List(Some(number(1))), b"+OK 1\r\n"),
        (Command::List(Some(number(1))), b"+OK 0 1\r\n"),
        (Command::Uidl(Some(number(1))), b"+OK 4294967296 x\r\n"),
        (Command::Uidl(Some(number(1))), b"+OK 1 \r\n"),
    ] {
        let mut script = Script::new("+OK\r\n");
        script.send(&command);
        let events = script.hear(reply);
        assert!(events[0].starts_with("Malformed"), "{events:?}");
        assert!(events[1].starts_with("Done"), "{events:?}");
    }
}

/// qC15
#[test]
fn qc15_listings_with_odd_spaces_and_odd_lines() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::List(None));
    let events = script.hear(b"+OK\r\n1 100\r\n 2    200 more\r\nx\r\n..\r\n3\t300\n.\r\n");
    let size =
        |n: u32| format!("Size {{ tag: Tag(0), number: MessageNumber({n}), octets: {n}00 }}");
    let expected = [size(1), size(2)];
    assert_eq!(events[..2], expected);
    assert!(events[2].starts_with("Malformed { tag: Tag(0), bytes: [120] }"));
    assert!(events[3].starts_with("Malformed { tag: Tag(0), bytes: [46] }"));
    assert_eq!(events[4], size(3));
    assert!(events[5].starts_with("Done"));
    let (tag, _) = script.send(&Command::Uidl(None));
    script.0.handle_input(NOW, b"+OK\r\n1   abc\r\n.\r\n");
    assert_eq!(
        script.0.poll_event(),
        Some(Event::UniqueId {
            tag,
            number: number(1),
            id: b"abc"
        })
    );
}

#[test]
fn x008_capabilities() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Capa);
    let events = script.hear(b"+OK list\r\ntop\r\nSASL PLAIN xoauth2\r\nX-NEW a b\r\n.\r\n");
    assert_eq!(events.len(), 2);
    assert!(events[0].starts_with("Capabilities"));
    let words: Vec<String> = script
        .0
        .capabilities()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(words, ["TOP", "SASL PLAIN XOAUTH2", "X-NEW a b"]);
    script.send(&Command::Capa);
    let endless = [&b"+OK\r\n"[..], &b"X\r\n".repeat(300)].concat();
    assert_eq!(fault(&script.hear(&endless)), "TooManyCapabilities))");
}

#[test]
fn text_listings_come_as_lines() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(script.send(&Command::AuthList).1, "AUTH\r\n");
    let events = script.hear(b"+OK\r\nPLAIN\r\n.\r\n");
    assert_eq!(
        events[0],
        "Line { tag: Tag(0), bytes: [80, 76, 65, 73, 78] }"
    );
    assert_eq!(script.send(&Command::Lang(None)).1, "LANG\r\n");
    assert_eq!(script.hear(b"+OK\r\nen English\r\n.\r\n").len(), 2);
    assert_eq!(
        script.send(&Command::Lang(Some("en".into()))).1,
        "LANG en\r\n"
    );
    assert_eq!(script.hear(b"+OK en done\r\n").len(), 1);
}

#[test]
fn a_message_is_streamed_and_unstuffed() {
    let mut script = Script::new("+OK\r\n");
    let (tag, said) = script.send(&Command::Retr(number(1)));
    assert_eq!(said, "RETR 1\r\n");
    script
        .0
        .handle_input(NOW, b"+OK 120 octets\r\nA: 1\r\n\r\n..dot\r\n");
    assert_eq!(
        script.0.poll_event(),
        Some(Event::BodyStart {
            tag,
            size: Some(120)
        })
    );
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Body {
            tag,
            bytes: b"A: 1\r\n\r\n"
        })
    );
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Body {
            tag,
            bytes: b".dot\r\n"
        })
    );
    assert_eq!(script.0.poll_event(), None);
    script.0.handle_input(NOW, b".\r");
    assert_eq!(script.0.poll_event(), None);
    script.0.handle_input(NOW, b"\n");
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Done {
            tag,
            text: "120 octets".into()
        })
    );
    assert_eq!(
        script.send(&Command::Top(number(1), u64::MAX)).1,
        "TOP 1 18446744073709551615\r\n"
    );
    assert_eq!(
        script.hear(b"+OK\r\n.\r\n").len(),
        2,
        "an empty message has no octets"
    );
    script.send(&Command::Retr(number(2)));
    assert_eq!(script.hear(b"-ERR no such message\r\n").len(), 1);
}

/// G06: a mail that was cut never looks whole.
#[test]
fn g06_a_cut_body_is_lost() {
    for cut in [
        &b"+OK\r\n"[..],
        b"+OK\r\nA: 1\r\n",
        b"+OK\r\nA: 1\r\n.",
        b"+OK\r\nA: 1\r\n.\r",
        b"+OK\r\nA\n.\n",
    ] {
        let mut script = Script::new("+OK\r\n");
        script.send(&Command::Retr(number(1)));
        let mut events = script.hear(cut);
        script.0.handle_eof(NOW);
        events.extend(script.events());
        assert!(!events.iter().any(|event| event.starts_with("Done")));
        assert_eq!(
            events[events.len() - 2..],
            ["Lost { tag: Tag(0) }", "Closed(Eof)"]
        );
    }
}

#[test]
fn eof_while_idle_and_after_quit() {
    let mut script = Script::new("+OK\r\n");
    script.0.handle_eof(NOW);
    assert_eq!(script.events(), ["Closed(Eof)"]);
    let mut script = Script::new("+OK\r\n");
    let (tag, said) = script.send(&Command::Quit);
    assert_eq!(said, "QUIT\r\n");
    assert_eq!(script.0.send(NOW, &Command::Noop), Err(SendError::Over));
    script.0.handle_input(NOW, b"+OK bye\r\n");
    assert_eq!(
        script.0.poll_event(),
        Some(Event::Done {
            tag,
            text: "bye".into()
        })
    );
    assert_eq!(script.0.poll_event(), Some(Event::Closed(Close::Quit)));
    // P038
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Quit);
    let events = script.hear(b"-ERR some deleted messages not removed\r\n");
    assert!(events[0].starts_with("Refused"));
    assert_eq!(events[1], "Closed(Quit)");
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Quit);
    script.0.handle_eof(NOW);
    assert_eq!(script.events(), ["Lost { tag: Tag(0) }", "Closed(Eof)"]);
}

#[test]
fn one_command_at_a_time_without_pipelining() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(script.send(&Command::Noop).1, "NOOP\r\n");
    assert_eq!(script.send(&Command::Rset).1, "");
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
    assert_eq!(script.said(), "RSET\r\n");
}

#[test]
fn x014_pipelining_only_where_announced_and_within_the_window() {
    let config = Config {
        clear_login: true,
        window: 3,
        ..Config::default()
    };
    let mut script = Script::with(config, "+OK\r\n");
    script.send(&Command::Capa);
    script.hear(b"+OK\r\npipelining\r\n.\r\n");
    for n in 1..=5 {
        script.0.send(NOW, &Command::Dele(number(n))).unwrap();
    }
    assert_eq!(script.said(), "DELE 1\r\nDELE 2\r\nDELE 3\r\n");
    let events = script.hear(b"+OK\r\n-ERR\r\n");
    assert!(events[0].starts_with("Done { tag: Tag(1)"));
    assert!(events[1].starts_with("Refused { tag: Tag(2)"));
    assert_eq!(script.said(), "DELE 4\r\nDELE 5\r\n");
    assert_eq!(script.hear(b"+OK\r\n+OK\r\n+OK\r\n").len(), 3);
}

#[test]
fn logins_and_stls_are_barriers() {
    let mut script = Script::pipelined();
    script.0.send(NOW, &Command::Noop).unwrap();
    script
        .0
        .log_in(NOW, &credentials(Method::UserPass))
        .unwrap();
    script.0.send(NOW, &Command::Stat).unwrap();
    script.0.send(NOW, &Command::Stls).unwrap();
    script.0.send_raw(NOW, "XTND thing", false).unwrap();
    script.0.send(NOW, &Command::Noop).unwrap();
    script.0.send(NOW, &Command::Quit).unwrap();
    assert_eq!(script.said(), "NOOP\r\n");
    script.hear(b"+OK\r\n");
    assert_eq!(script.said(), "USER mrose\r\n");
    assert_eq!(script.reply(b"+OK\r\n"), "PASS tanstaaf\r\n");
    script.hear(b"+OK\r\n");
    assert_eq!(script.said(), "STAT\r\n");
    script.hear(b"+OK 0 0\r\n");
    assert_eq!(script.said(), "STLS\r\n");
    script.hear(b"-ERR\r\n");
    assert_eq!(script.said(), "XTND thing\r\n");
    script.hear(b"-ERR\r\n");
    assert_eq!(script.said(), "NOOP\r\nQUIT\r\n");
}

#[test]
fn raw_commands() {
    let mut script = Script::new("+OK\r\n");
    script.0.send_raw(NOW, "XLIST all", true).unwrap();
    assert_eq!(script.said(), "XLIST all\r\n");
    let events = script.hear(b"+OK 5\r\n..a\r\n.\r\n");
    assert_eq!(events[0], "BodyStart { tag: Tag(0), size: Some(5) }");
    for known in ["STLS", "pass x", "QUIT", "STAT 1", "retr x"] {
        assert_eq!(script.0.send_raw(NOW, known, false), Err(SendError::NotRaw));
    }
    assert_eq!(script.0.send_raw(NOW, "", false), Err(SendError::Empty));
    assert_eq!(
        script.0.send_raw(NOW, "X a\r\nDELE 1", false),
        Err(SendError::Character)
    );
}

/// I003 for our own commands: nothing that could end a line gets into one.
#[test]
fn i003_arguments_cannot_become_commands() {
    let mut script = Script::new("+OK <1@b>\r\n");
    for bad in ["a\r\nDELE 1", "a\n", "a\rb", "a\0b"] {
        let secret = Secret::from(bad.as_bytes());
        let commands = [
            Command::User(bad.into()),
            Command::Pass(secret.clone()),
            Command::Lang(Some(bad.into())),
        ];
        for command in commands {
            assert_eq!(script.0.send(NOW, &command), Err(SendError::Character));
        }
        let methods = [
            Method::UserPass,
            Method::Apop,
            Method::Plain,
            Method::Login,
            Method::CramMd5,
            Method::XOauth2,
            Method::OauthBearer,
        ];
        for method in methods {
            let wrong_user = Credentials {
                user: bad.into(),
                ..credentials(method)
            };
            assert_eq!(
                script.0.log_in(NOW, &wrong_user),
                Err(SendError::Character),
                "{method:?}"
            );
            let wrong_secret = Credentials {
                secret: secret.clone(),
                ..credentials(method)
            };
            assert_eq!(
                script.0.log_in(NOW, &wrong_secret),
                Err(SendError::Character),
                "{method:?}"
            );
            let none = Credentials {
                secret: Secret::default(),
                ..credentials(method)
            };
            assert_eq!(
                script.0.log_in(NOW, &none),
                Err(SendError::Empty),
                "{method:?}"
            );
        }
    }
    assert_eq!(
        script.0.send(NOW, &Command::User(String::new())),
        Err(SendError::Empty)
    );
    assert_eq!(
        script.0.send(NOW, &Command::User("x".repeat(70_000))),
        Err(SendError::TooLong)
    );
    assert_eq!(script.said(), "");
}

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
    let two_lines = Credentials {
        initial_response: false,
        ..credentials(Method::Plain)
    };
    script.0.log_in(NOW, &two_lines).unwrap();
    assert_eq!(script.said(), "AUTH PLAIN\r\n");
    assert_eq!(script.reply(b"+ \r\n"), "AG1yb3NlAHRhbnN0YWFm\r\n");
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
    // RFC 5034 section 4: not in a line of more than 255 octets
    let long = Credentials {
        secret: Secret::new(vec![b'x'; 200]),
        ..credentials(Method::Plain)
    };
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
fn login_and_cram_md5() {
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
    let tim = Credentials {
        user: "tim".into(),
        secret: Secret::from(&b"tanstaaftanstaaf"[..]),
        ..credentials(Method::CramMd5)
    };
    script.0.log_in(NOW, &tim).unwrap();
    assert_eq!(script.said(), "AUTH CRAM-MD5\r\n");
    assert_eq!(
        script.reply(b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"),
        "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
    );
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
}

/// O004, O005
#[test]
fn o004_bearer_tokens_and_their_errors() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(
        script.log_in(Method::XOauth2),
        "AUTH XOAUTH2 dXNlcj1tcm9zZQFhdXRoPUJlYXJlciB0YW5zdGFhZgEB\r\n"
    );
    assert_eq!(script.reply(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), "\r\n");
    assert_eq!(script.hear(b"-ERR [AUTH]\r\n").len(), 1);
    let comma = Credentials {
        user: "a=b,c".into(),
        ..credentials(Method::OauthBearer)
    };
    script.0.log_in(NOW, &comma).unwrap();
    // n,a=a=3Db=2Cc,^Aauth=Bearer tanstaaf^A^A
    assert_eq!(
        script.said(),
        "AUTH OAUTHBEARER bixhPWE9M0RiPTJDYywBYXV0aD1CZWFyZXIgdGFuc3RhYWYBAQ==\r\n"
    );
    assert_eq!(script.reply(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), "AQ==\r\n");
    assert_eq!(script.hear(b"-ERR [AUTH]\r\n").len(), 1);
    let nameless = Credentials {
        user: String::new(),
        ..credentials(Method::OauthBearer)
    };
    script.0.log_in(NOW, &nameless).unwrap();
    // n,,^Aauth=Bearer tanstaaf^A^A
    assert_eq!(
        script.said(),
        "AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHRhbnN0YWFmAQE=\r\n"
    );
}

#[test]
fn any_mechanism_by_hand() {
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
fn stls_refused_leaves_it_usable() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    assert_eq!(script.hear(b"-ERR\r\n").len(), 1);
    assert_eq!(script.send(&Command::Noop).1, "NOOP\r\n");
}

/// V05, V06
#[test]
fn ct024_clear_text_behind_stls_ends_it() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    assert_eq!(
        fault(&script.hear(b"+OK\r\n+OK injected\r\n")),
        "ClearTextBehindStls))"
    );
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    script.hear(b"+OK\r\n");
    assert_eq!(fault(&script.hear(b"+")), "ClearTextBehindStls))");
    script.0.handle_tls(NOW);
    assert_eq!(script.events(), [""; 0], "and stays ended");
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Stls);
    script.0.handle_input(NOW, b"+OK\r\n");
    script.0.handle_input(NOW, b"+OK injected\r\n");
    assert_eq!(fault(&script.events()), "ClearTextBehindStls))");
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

/// V28: what nothing asked for must not become the response to the next command.
#[test]
fn v28_unasked_responses_end_it() {
    let mut script = Script::new("+OK\r\n");
    assert_eq!(
        fault(&script.hear(b"-ERR autologout\r\n")),
        "Unasked(\"-ERR autologout\")))"
    );
    // before it was read
    let mut script = Script::new("+OK\r\n");
    script.0.handle_input(NOW, b"+OK 1 1\r\n");
    assert_eq!(script.send(&Command::Stat).1, "");
    assert!(fault(&script.events()).starts_with("Unasked("));
    // between two commands
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Noop);
    script.send(&Command::Stat);
    let events = script.hear(b"+OK\r\n+OK 9 9\r\n");
    assert!(
        events[0].starts_with("Done { tag: Tag(0)") && events[1].starts_with("Lost { tag: Tag(1)")
    );
    assert!(fault(&events).starts_with("Unasked("));
    // within a login
    let mut script = Script::new("+OK\r\n");
    script.log_in(Method::UserPass);
    assert!(fault(&script.hear(b"+OK\r\n+OK\r\n")).starts_with("Unasked("));
    assert_eq!(script.said(), "", "no password for such a server");
}

#[test]
fn deadlines() {
    let at = |seconds| Time::from_start(Duration::from_secs(seconds));
    let config = Config {
        patience: Duration::from_secs(60),
        ..Config::default()
    };
    let mut client = Client::new(config, NOW);
    assert_eq!(client.poll_timeout(), Some((at(60), "greeting")));
    client.handle_timeout(at(59));
    client.handle_input(at(59), b"+OK\r\n");
    assert!(client.poll_event().is_some());
    assert_eq!(
        client.poll_timeout(),
        None,
        "nothing is expected of the server"
    );
    client.send(at(1000), &Command::Retr(number(1))).unwrap();
    assert_eq!(client.poll_timeout(), Some((at(1060), "response")));
    client.transmitted(at(1001), 8);
    assert_eq!(client.poll_timeout(), Some((at(1061), "response")));
    client.handle_input(at(1060), b"+OK\r\nabc");
    while client.poll_event().is_some() {}
    assert_eq!(
        client.poll_timeout(),
        Some((at(1120), "rest of a response"))
    );
    client.handle_timeout(at(1120));
    assert!(matches!(client.poll_event(), Some(Event::Lost { .. })));
    assert_eq!(
        client.poll_event(),
        Some(Event::Closed(Close::Timeout("rest of a response")))
    );
    assert_eq!(client.poll_timeout(), None);
}

/// Who reads slowly must not blame the server.
#[test]
fn back_pressure_stops_the_clock() {
    let at = |seconds| Time::from_start(Duration::from_secs(seconds));
    let config = Config {
        patience: Duration::from_secs(60),
        input_limit: 16,
        line_limit: 10,
        ..Config::default()
    };
    let mut client = Client::new(config, NOW);
    client.handle_input(NOW, b"+OK\r\n");
    assert!(client.poll_event().is_some());
    client.send(NOW, &Command::Retr(number(1))).unwrap();
    assert_eq!(client.handle_input(NOW, b"+OK\r\nxxxxxxxxxxxxxxxxxx"), 16);
    assert_eq!((client.input_room(), client.poll_timeout()), (0, None));
    while client.poll_event().is_some() {}
    assert_eq!(client.input_room(), 16);
    assert_eq!(client.poll_timeout(), Some((at(60), "rest of a response")));
    client.handle_timeout(at(500));
    assert_eq!(client.poll_event(), None);
    assert_eq!(client.poll_timeout(), Some((at(560), "rest of a response")));
    client.handle_timeout(at(560));
    assert!(client.poll_event().is_some());
}

/// V33, V34, O006
#[test]
fn v33_the_transcript_names_secrets_and_does_not_show_them() {
    let mut script = Script(Client::new(
        Config {
            clear_login: true,
            ..Config::default()
        },
        NOW,
    ));
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

#[test]
fn faults_are_words() {
    assert_eq!(
        ServerFault::Unasked("x".into()).to_string(),
        "a response that nothing asked for: \"x\""
    );
}

/// Reads and writes of nothing are no sign of life.
#[test]
fn nothing_is_no_progress() {
    let at = |seconds| Time::from_start(Duration::from_secs(seconds));
    let mut client = Client::new(Config::default(), NOW);
    client.handle_input(NOW, b"+OK\r\n");
    assert!(client.poll_event().is_some());
    client.send(NOW, &Command::Noop).unwrap();
    let due = client.poll_timeout();
    client.handle_input(at(10), b"");
    client.transmitted(at(10), 0);
    assert_eq!(client.poll_timeout(), due);
    // nor is a command behind one that is not answered
    client.send(at(10), &Command::Noop).unwrap();
    assert_eq!(client.poll_timeout(), due);
}

/// A handshake is due: nothing may come before it, and nothing is not something.
#[test]
fn ct024_nothing_behind_stls_is_nothing() {
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

/// What is sent by hand is checked like the rest.
#[test]
fn commands_by_hand_with_nothing_in_them() {
    let mut script = Script::new("+OK\r\n");
    let nobody = Command::Apop {
        user: String::new(),
        digest: [0; 16],
    };
    assert_eq!(script.0.send(NOW, &nobody), Err(SendError::Empty));
    let mechanism = Mechanism::new("PLAIN").unwrap();
    for (initial, expected) in [("", None), ("dGVzdA==", Some("AUTH PLAIN dGVzdA==\r\n"))] {
        let auth = Command::Auth {
            mechanism: mechanism.clone(),
            initial: Some(Secret::from(initial.as_bytes())),
        };
        match expected {
            None => assert_eq!(script.0.send(NOW, &auth), Err(SendError::Empty)),
            Some(line) => assert_eq!(script.send(&auth).1, line),
        }
    }
}

#[test]
fn the_longest_line_is_sent() {
    // USER, the space and the line end
    let longest = 64 * 1024 - 7;
    let mut script = Script::new("+OK\r\n");
    let (_, said) = script.send(&Command::User("x".repeat(longest)));
    assert_eq!(said.len(), 64 * 1024);
    let mut script = Script::new("+OK\r\n");
    let user = Command::User("x".repeat(longest + 1));
    assert_eq!(script.0.send(NOW, &user), Err(SendError::TooLong));
}

/// CRAM-MD5 has one challenge.
#[test]
fn c001_a_second_challenge_gets_no_digest() {
    let mut script = Script::new("+OK\r\n");
    script.log_in(Method::CramMd5);
    script.reply(b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n");
    assert_eq!(script.reply(b"+ PDFAYT4=\r\n"), "*\r\n");
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

/// Octets that were sent are not sent again, however many the driver takes, and what comes behind them
/// goes out as it is.
#[test]
fn output_of_any_length_in_any_pieces() {
    for step in [1, 7, 1000] {
        let mut script = Script::pipelined();
        let (mut expected, mut sent) = (String::new(), Vec::new());
        for n in 0..200 {
            let name = "n".repeat(n * 3 + 1);
            let (_, line) = (
                script
                    .0
                    .send(NOW, &Command::Lang(Some(name.clone())))
                    .unwrap(),
                format!("LANG {name}\r\n"),
            );
            expected.push_str(&line);
            let n = script.0.transmit().len().min(step);
            sent.extend_from_slice(&script.0.transmit()[..n]);
            script.0.transmitted(NOW, n);
            if n % 2 == 0 {
                script.hear(b"+OK\r\n");
            }
        }
        while sent.len() < expected.len() {
            let n = script.0.transmit().len();
            sent.extend_from_slice(script.0.transmit());
            script.0.transmitted(NOW, n);
            script.hear(b"+OK\r\n");
        }
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
    }
}

/// A CR behind a dot is told late, and not forgotten.
#[test]
fn a_cr_that_was_held_back_comes() {
    let mut script = Script::new("+OK\r\n");
    script.send(&Command::Retr(number(1)));
    let mut body = Vec::new();
    for piece in [
        &b"+OK\r\na\r\n."[..],
        b".\r\n",
        b".",
        b"\r",
        b"x\r\n.",
        b"\r\n",
    ] {
        script.0.handle_input(NOW, piece);
        while let Some(event) = script.0.poll_event() {
            if let Event::Body { bytes, .. } = event {
                body.extend_from_slice(bytes);
            }
        }
    }
    assert_eq!(body, b"a\r\n.\r\n\rx\r\n");
    script.send(&Command::Noop);
    assert_eq!(script.hear(b"+OK\r\n").len(), 1);
}
