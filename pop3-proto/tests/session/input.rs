//! What comes in: commands in flocks, lines without end, other protocols.

use pop3_proto::server::Reason;

use super::MAIL;
use testkit::talk::{Talk, clear};

#[test]
fn f28_bad_commands_are_counted_in_a_row() {
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(talk.say(&"FOO\r\n".repeat(50)).matches("-ERR").count(), 10);
    assert_eq!(talk.closed, Some(Reason::BadCommands));
    let mut talk = Talk::logged_in(&[]);
    for _ in 0..4 {
        talk.say(&"RETR 9\r\n".repeat(49));
        talk.say("NOOP\r\n");
    }
    assert_eq!(talk.closed, None);
    talk.say(&"RETR 9\r\n".repeat(50));
    assert_eq!(talk.closed, Some(Reason::BadCommands));
}

/// P067: wherever it stands in a command, before and after login: one refusal that repeats nothing of it,
/// nothing is carried out, and the next line is a command again.
#[test]
fn p067_no_control_or_8_bit_octet_is_taken_or_repeated() {
    let strange = (0_u8..=0xff).filter(|b| !matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    let commands: [&[u8]; 9] = [
        b"NOOP", b"DELE 1", b"RETR 1", b"LIST 1", b"UIDL 1", b"TOP 1 0", b"CAPA", b"USER u",
        b"QUIT",
    ];
    for octet in strange {
        for command in commands {
            // 0x16 in front is a handshake on the wrong port, which ends the session
            for place in usize::from(octet == 0x16)..=command.len() {
                let mut line = command.to_vec();
                line.insert(place, octet);
                let mut talks = [Talk::new(clear(), &[MAIL]), Talk::logged_in(&[MAIL])];
                for talk in &mut talks {
                    talk.feed(&line);
                    talk.feed(b"\r\nQUIT\r\n");
                    let heard = talk.heard();
                    let told = heard.split_inclusive("\r\n").collect::<Vec<_>>();
                    assert_eq!(told.len(), 2, "{line:?}: {heard:?}");
                    assert!(told[0].starts_with("-ERR "), "{line:?}: {heard:?}");
                    assert!(told[1].starts_with("+OK"), "{line:?}: {heard:?}");
                    let printable = |c: char| c.is_ascii_graphic() || " \r\n".contains(c);
                    assert!(heard.chars().all(printable), "{line:?}: {heard:?}");
                    assert!(!heard.contains("1 deleted"), "{line:?}: {heard:?}");
                }
            }
        }
    }
}

#[test]
fn x001_255_octets_are_fine() {
    let mut talk = Talk::new(clear(), &[]);
    assert!(
        talk.say(&format!("USER {}\r\n", "u".repeat(248)))
            .starts_with("+OK")
    );
    assert!(
        talk.say(&format!("USER {}\r\n", "u".repeat(1019)))
            .starts_with("+OK")
    );
    assert!(
        talk.say(&format!("USER {}\r\n", "u".repeat(1020)))
            .starts_with("-ERR line too long")
    );
}

#[test]
fn x001_v30_long_lines_are_refused_once_and_cut_in_the_end() {
    let mut talk = Talk::logged_in(&[]);
    let long = format!("LIST {}\r\nNOOP\r\n", "1".repeat(2000));
    assert_eq!(
        talk.say(&long),
        "-ERR line too long\r\n+OK nothing done\r\n"
    );
    assert_eq!(talk.say(&"x".repeat(1 << 20)), "-ERR line too long\r\n");
    assert_eq!(talk.closed, Some(Reason::BadCommands));
}

/// X001: a client that goes on with a line that is too long is cut after four times the longest line.
#[test]
fn x001_a_line_without_end_is_cut_at_four_times_the_limit() {
    let policy = clear().sasl_line(1000).command_line(300);
    let mut talk = Talk::new(policy, &[]);
    let mut fed = 0;
    while talk.closed.is_none() {
        talk.feed(b"x");
        fed += 1;
        assert!(fed < 10_000);
    }
    assert_eq!(fed, 4001);
    assert_eq!(talk.closed, Some(Reason::BadCommands));
}

#[test]
fn g28_v32_other_protocols_get_one_error() {
    let mut talk = Talk::new(clear(), &[]);
    let heard = talk.say("POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER u\r\nPASS p w\r\n");
    assert_eq!(heard, "-ERR this is POP3\r\n");
    assert_eq!(talk.closed, Some(Reason::WrongProtocol));
    let mut talk = Talk::new(clear(), &[]);
    talk.feed(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(talk.closed, Some(Reason::WrongProtocol));
}

#[test]
fn x014_x016_ten_thousand_pipelined_commands_in_order() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    let mut input = String::from("USER u\r\nPASS p w\r\n");
    let mut expected = String::new();
    for n in 0..10_000 {
        let (command, reply) = match n % 3 {
            0 => ("NOOP\r\n", "+OK nothing done\r\n"),
            1 => ("STAT\r\n", "+OK 1 32\r\n"),
            _ => ("LIST 1\r\n", "+OK 1 32\r\n"),
        };
        input.push_str(command);
        expected.push_str(reply);
    }
    assert!(talk.say(&input).ends_with(&expected));
}

#[test]
fn x015_no_deadlock_when_the_client_writes_without_reading() {
    let mut talk = Talk::logged_in(&[&[b'x'; 100_000]]);
    talk.window = Some(0);
    let input = format!("RETR {}1\r\n", " ".repeat(500)).repeat(100);
    let input = input.into_bytes();
    let mut rest = input.as_slice();
    let mut taken = usize::MAX;
    while taken > 0 {
        let room = talk.session.input_room().min(rest.len());
        taken = talk.session.handle_input(talk.now, &rest[..room]);
        rest = &rest[taken..];
        talk.settle();
    }
    assert!(!rest.is_empty() && talk.session.transmit().len() <= 2 * 64 * 1024);
    talk.window = None;
    talk.settle();
    talk.feed(rest);
    let bodies = talk.out.windows(5).filter(|w| w == b"\r\n.\r\n").count();
    assert_eq!(bodies, 100);
}

#[test]
fn g16_a_long_listing_is_bounded_and_complete() {
    let mail: &[u8] = b"x";
    let mut talk = Talk::new(clear(), &vec![mail; 50_000]);
    talk.say("USER u\r\nPASS p w\r\n");
    talk.window = Some(0);
    talk.feed(b"UIDL\r\n");
    assert!(talk.session.transmit().len() < 65 * 1024);
    talk.window = None;
    talk.settle();
    let heard = talk.heard();
    assert!(heard.ends_with("50000 id49999\r\n.\r\n") && heard.lines().count() == 50_002);
}

/// Small answers to commands that came together go out together, a listing's too.
#[test]
fn x014_what_follows_a_listing_is_answered_with_it() {
    let mut talk = Talk::logged_in(&[]);
    talk.session
        .handle_input(talk.now, b"UIDL\r\nNOOP\r\nLIST\r\nSTAT\r\n");
    let waiting = String::from_utf8_lossy(talk.session.transmit());
    assert_eq!(waiting.matches("+OK").count(), 4, "{waiting}");
}
