//! What holds for every reply, and what no dialogue can show: lengths, bounds, clocks.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use pop3_proto::backend::{FailureKind, Index, Mechanism, RefusalKind, Request};
use pop3_proto::server::{Expire, Policy, ReadOnly, TlsOffer};
use proptest::prelude::*;
use testkit::talk::{Talk, Trouble, clear, seconds};

const WORDS: [&str; 34] = [
    "USER u",
    "USER nobody",
    "PASS p w",
    "PASS wrong",
    "APOP u 00000000000000000000000000000000",
    "AUTH",
    "AUTH PLAIN",
    "AUTH PLAIN AHUAcCB3",
    "AUTH PLAIN AHUAbm8=",
    "AUTH LOGIN",
    "dQ==",
    "*",
    "STLS",
    "CAPA",
    "UTF8",
    "LANG",
    "LANG en",
    "LANG xx",
    "XPRO",
    "STAT",
    "LIST",
    "LIST 2",
    "UIDL",
    "UIDL 9",
    "RETR 1",
    "RETR 2",
    "RETR 3",
    "TOP 1 0",
    "DELE 1",
    "RSET",
    "NOOP",
    "QUIT",
    "FOO",
    "LIST x",
];

/// What may stand in square brackets after `-ERR`; RFC 6856's `[UTF8]` is not among it, for no message
/// needs it here.
const CODES: [&str; 6] = [
    "AUTH",
    "IN-USE",
    "LOGIN-DELAY",
    "SYS/TEMP",
    "SYS/PERM",
    "X-POP3SF-READ-ONLY",
];

fn refusal() -> impl Strategy<Value = Option<RefusalKind>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(RefusalKind::Credentials)),
        1 => Just(Some(RefusalKind::InUse)),
        1 => Just(Some(RefusalKind::LoginDelay)),
        1 => Just(Some(RefusalKind::Policy)),
    ]
}

fn mechanisms(names: &[&str]) -> Vec<Mechanism> {
    names
        .iter()
        .filter_map(|name| Mechanism::new(name))
        .collect()
}

/// Checks a reply as a client sees it: the first line, and how it ends.
fn check(reply: &str) -> Result<(), TestCaseError> {
    let (first, rest) = reply
        .split_once("\r\n")
        .ok_or_else(|| TestCaseError::fail(format!("no line: {reply:?}")))?;
    prop_assert!(first.len() + 2 <= 512, "{first}");
    prop_assert!(
        first.chars().all(|c| c == ' ' || c.is_ascii_graphic()),
        "{first}"
    );
    if first.starts_with("+ ") {
        prop_assert_eq!(rest, "");
        return Ok(());
    }
    let indicator = first.split(' ').next();
    prop_assert!(matches!(indicator, Some("+OK" | "-ERR")), "{}", first);
    let text = first.split_once(' ').map_or("", |(_, text)| text);
    if let Some(code) = text.strip_prefix('[') {
        let code = code.split(']').next().unwrap_or_default();
        prop_assert!(
            indicator == Some("-ERR") && CODES.contains(&code),
            "{}",
            first
        );
    }
    prop_assert!(
        rest.is_empty() || rest.ends_with(".\r\n") && indicator == Some("+OK"),
        "{}",
        reply
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// P005, P006, X003, X011, U011: whatever is said, every reply is `+OK` or `-ERR` in upper case, in
    /// one line of 512 octets at most, with a code that is registered or none; and X021, X026: no code
    /// answers USER, and LOGIN-DELAY none but a login.
    #[test]
    fn p005_p006_u011_x003_x011_x021_x026_every_reply_is_well_formed(
        words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..30),
        logged_in in any::<bool>(),
        refuse in refusal(),
        fail_update in any::<bool>(),
        read_only in any::<bool>(),
        name in "\\PC{0,1000}",
    ) {
        let policy = clear().read_only(if read_only { ReadOnly::OnRequest } else { ReadOnly::Refused });
        let mut talk = Talk::new(policy, &[b"A: 1\r\n\r\n.\r\n", b"x", b"y"]);
        talk.store.troubles = vec![(Index(1), Trouble::Fails(FailureKind::Missing)), (Index(2), Trouble::Fails(FailureKind::Temporary))];
        talk.store.fail_update = fail_update;
        let start: &[&str] = if logged_in { &["USER u", "PASS p w"] } else { &[] };
        let long = format!("USER {name}");
        for (n, word) in start.iter().copied().chain(words).chain([long.as_str()]).enumerate() {
            if n == start.len() {
                talk.store.refuse = refuse;
            }
            let reply = talk.say(&format!("{word}\r\n"));
            if talk.closed.is_some() && reply.is_empty() {
                break;
            }
            check(&reply)?;
            prop_assert!(!word.starts_with("USER") || !reply.starts_with("-ERR ["), "{}: {}", word, reply);
            let login = ["PASS", "APOP", "AUTH", "dQ==", "*"].iter().any(|verb| word.starts_with(verb));
            prop_assert!(login || !reply.contains("[LOGIN-DELAY]"), "{}: {}", word, reply);
            if std::mem::take(&mut talk.tls_wanted) {
                break;
            }
        }
    }
}

/// P005, X004: an operator's greeting cannot be too long, nor hold another line.
#[test]
fn p005_x004_the_greeting_is_one_short_line() {
    use pop3_proto::{server::Session, time::Time};
    for greeting in [
        "ä".repeat(400),
        "x\r\n+OK\r\n".repeat(100),
        "[<[<\u{10ffff}".repeat(99),
    ] {
        let policy = clear().greeting(greeting).apop(true);
        let session = Session::new(policy.into(), "<1.2@host>", Time::ZERO);
        let line = session.transmit();
        assert!(
            line.len() <= 512 && line.ends_with(b"<1.2@host>\r\n"),
            "{}",
            line.len()
        );
        assert_eq!(line.iter().filter(|octet| **octet == b'\n').count(), 1);
        assert!(line.starts_with(b"+OK ") && line[4] != b'[');
    }
}

/// X007: each line of CAPA has 512 octets at most, however many mechanisms there are.
#[test]
fn x007_lines_of_capa_are_short() {
    let names: Vec<String> = (0..60)
        .map(|n| format!("X-MECHANISM-NUMBER{n:02}"))
        .collect();
    let policy = clear()
        .mechanisms(
            names
                .iter()
                .filter_map(|name| Mechanism::new(name))
                .collect(),
        )
        .implementation(Some("x\r\n".repeat(2000)));
    let mut talk = Talk::new(policy, &[]);
    let capa = talk.say("CAPA\r\n");
    for line in capa.split_inclusive("\r\n") {
        assert!(line.len() <= 512, "{} octets: {line}", line.len());
    }
    assert!(capa.ends_with("\r\n.\r\n"));
}

/// X023: what is not registered begins with X.
#[test]
fn x008_x023_tags_are_registered_or_private() {
    let policy = clear()
        .tls(TlsOffer::Stls)
        .read_only(ReadOnly::OnRequest)
        .expire(Expire::Days(1));
    let capa = Talk::new(policy, &[]).say("CAPA\r\n");
    let registered = [
        "TOP",
        "USER",
        "SASL",
        "RESP-CODES",
        "LOGIN-DELAY",
        "PIPELINING",
        "EXPIRE",
        "UIDL",
        "IMPLEMENTATION",
        "AUTH-RESP-CODE",
        "STLS",
        "UTF8",
        "LANG",
    ];
    for line in capa.lines().skip(1).filter(|line| *line != ".") {
        let tag = line.split(' ').next().unwrap();
        assert!(registered.contains(&tag) || tag.starts_with('X'), "{line}");
    }
}

/// X002, S010: an answer or an initial response of 16 KiB is read; one octet more is refused, and the
/// next line is a command again.
#[test]
fn x002_s010_lines_of_an_exchange_are_long() {
    let policy = Policy::default()
        .mechanisms(mechanisms(&["XOAUTH2"]))
        .tls(TlsOffer::Implicit);
    let message = |octets: usize| {
        use base64::Engine;
        let token = "t".repeat(octets / 4 * 3 - 22);
        let message = format!("user=u\x01auth=Bearer {token}\x01\x01");
        base64::engine::general_purpose::STANDARD.encode(&message)[..].to_owned()
    };
    let longest = message(16 * 1024);
    assert!(
        (16 * 1024 - 8..=16 * 1024).contains(&longest.len()),
        "{}",
        longest.len()
    );
    let mut talk = Talk::new(policy, &[]);
    assert_eq!(talk.say("AUTH XOAUTH2\r\n"), "+ \r\n");
    assert!(talk.say(&format!("{longest}\r\n")).starts_with("+ eyJ"));
    assert_eq!(talk.say("\r\n"), "-ERR [AUTH] login failed\r\n");
    let start = "AUTH XOAUTH2 ";
    let fits = message(16 * 1024 - 20);
    assert!(talk.say(&format!("{start}{fits}\r\n")).starts_with("+ eyJ"));
    talk.say("\r\n");
    let reply = talk.say(&format!("{start}{}\r\nUSER u\r\n", "A".repeat(16 * 1024)));
    assert_eq!(reply, "-ERR line too long\r\n+OK send the password\r\n");
}

/// qC3, qC10: lines of any length pass as they are, in the header too.
#[test]
fn qc3_qc10_long_lines_are_not_folded() {
    let mail = format!(
        "Subject: {}\r\n\r\n{}\r\n",
        "s".repeat(5000),
        "b".repeat(1 << 20)
    );
    let mut talk = Talk::logged_in(&[mail.as_bytes()]);
    talk.store.piece = 4000;
    assert_eq!(
        talk.say("RETR 1\r\n"),
        format!("+OK {} octets\r\n{mail}.\r\n", mail.len())
    );
}

/// V21: what a message consists of is no matter to the way it is sent.
#[test]
fn v21_a_message_is_octets() {
    let mut mail = String::from("Content-Type: multipart/mixed; boundary=b0\r\n\r\n");
    for depth in 1..2000 {
        mail.push_str(&format!(
            "--b{}\r\nContent-Type: multipart/mixed; boundary=b{depth}\r\n\r\n",
            depth - 1
        ));
    }
    let mut talk = Talk::logged_in(&[mail.as_bytes()]);
    talk.store.piece = 1000;
    assert!(talk.say("RETR 1\r\n").ends_with(&format!("{mail}.\r\n")));
    assert!(
        talk.say("TOP 1 1\r\n")
            .ends_with("boundary=b0\r\n\r\n--b0\r\n.\r\n")
    );
}

/// qD9: a short listing is complete before its first octet is sent.
#[test]
fn qd9_short_listings_are_one_write() {
    let mut talk = Talk::logged_in(&[b"x", b"y"]);
    for (command, end) in [
        ("UIDL\r\n", "2 id1\r\n.\r\n"),
        ("LIST\r\n", "2 1\r\n.\r\n"),
        ("CAPA\r\n", "\r\n.\r\n"),
    ] {
        talk.window = Some(0);
        talk.feed(command.as_bytes());
        let waiting = String::from_utf8_lossy(talk.session.transmit()).into_owned();
        assert!(
            waiting.starts_with("+OK") && waiting.ends_with(end),
            "{waiting}"
        );
        talk.window = None;
        talk.settle();
    }
}

/// F11: only RETR and TOP ask the store for a message.
#[test]
fn f11_sizes_and_ids_read_no_message() {
    let mut talk = Talk::logged_in(&[b"x", b"y"]);
    talk.say("STAT\r\nLIST\r\nLIST 1\r\nUIDL\r\nUIDL 2\r\nDELE 1\r\nRSET\r\nNOOP\r\nCAPA\r\n");
    assert!(matches!(talk.store.requests.as_slice(), [Request::Open(_)]));
}

/// V09: exchanges that are given up, or are of no mechanism, leave nothing behind in store or session.
#[test]
fn v09_logins_that_are_given_up() {
    let policy = clear()
        .mechanisms(mechanisms(&["PLAIN", "LOGIN", "X-RELAY"]))
        .bad_commands_before_login(u32::MAX)
        .failed_logins(u32::MAX)
        .login_grace(Duration::from_secs(1 << 30));
    let mut talk = Talk::new(policy, &[]);
    for _ in 0..20_000 {
        talk.say("AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\ndQ==\r\n*\r\nAUTH X-RELAY\r\n*\r\nAUTH X-NONE\r\nAUTH PLAIN AAA\r\n");
        assert!(
            talk.closed.is_none()
                && talk.session.transmit().is_empty()
                && talk.session.poll_event().is_none()
        );
    }
    let count =
        |wanted: fn(&Request) -> bool| talk.store.requests.iter().filter(|r| wanted(r)).count();
    let opened = count(|request| matches!(request, Request::Open(_)));
    let left = count(|request| matches!(request, Request::Abandon));
    assert_eq!((opened, left), (20_000, 20_000));
    assert!(
        talk.say("USER u\r\nPASS p w\r\n")
            .contains("+OK 0 messages")
    );
}

/// G26: a clock that stands still or goes back ends nothing and moves no deadline into the past.
#[test]
fn g26_a_clock_that_goes_back() {
    let mut talk = Talk::logged_in(&[b"x"]);
    talk.wait(seconds(500));
    let later = talk.now;
    talk.say("NOOP\r\n");
    let (deadline, _) = talk.session.poll_timeout().unwrap();
    talk.now = pop3_proto::time::Time::ZERO;
    talk.session.handle_timeout(talk.now);
    talk.settle();
    assert!(talk.say("NOOP\r\n").starts_with("+OK"));
    assert!(talk.session.poll_timeout().unwrap().0 >= deadline);
    talk.now = later;
    talk.wait(seconds(599));
    assert!(talk.closed.is_none());
    talk.wait(seconds(1));
    assert!(talk.closed.is_some());
}
