//! How a session ends, and when its deadlines are.

use std::time::Duration;

use pop3_proto::client::{Client, Close, Config, Event, Method, SendError, ServerFault};
use pop3_proto::command::Command;
use pop3_proto::time::Time;

use crate::script::{NOW, Script, fault, number};

#[test]
fn p038_eof_while_idle_and_after_quit() {
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
    let config = Config::default().patience(Duration::from_secs(60));
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

/// A client that reads slowly must not blame the server.
#[test]
fn back_pressure_stops_the_clock() {
    let at = |seconds| Time::from_start(Duration::from_secs(seconds));
    let config = Config::default()
        .patience(Duration::from_secs(60))
        .input_limit(16)
        .line_limit(10);
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
    // nor is a command after one that is not answered
    client.send(at(10), &Command::Noop).unwrap();
    assert_eq!(client.poll_timeout(), due);
}

#[test]
fn faults_are_words() {
    assert_eq!(
        ServerFault::Unasked("x".into()).to_string(),
        "a response that nothing asked for: \"x\""
    );
}
