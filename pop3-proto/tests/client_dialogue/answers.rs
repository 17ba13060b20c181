//! Answers of one line and of many, and messages.

use pop3_proto::client::Event;
use pop3_proto::command::Command;

use crate::script::{NOW, Script, fault, number};

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
fn malformed_answers_are_reported_and_do_not_end_it() {
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

/// A CR after a dot is reported late, and not forgotten.
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
