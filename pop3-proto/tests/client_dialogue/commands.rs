//! What is sent: one command or several at a time, and nothing that could become another.

use pop3_proto::backend::Mechanism;
use pop3_proto::client::{Config, Method, SendError};
use pop3_proto::command::Command;
use pop3_proto::secret::Secret;

use crate::script::{NOW, Script, credentials, number};

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
    let config = Config::default().clear_login(true).window(3);
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
            let wrong_user = credentials(method).user(bad.into());
            assert_eq!(
                script.0.log_in(NOW, &wrong_user),
                Err(SendError::Character),
                "{method:?}"
            );
            let wrong_secret = credentials(method).secret(secret.clone());
            assert_eq!(
                script.0.log_in(NOW, &wrong_secret),
                Err(SendError::Character),
                "{method:?}"
            );
            let none = credentials(method).secret(Secret::default());
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

/// Octets that were sent are not sent again, however many the driver takes, and what comes after them
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
