//! What holds for every session, whatever comes in and however it is cut.
#![allow(clippy::unwrap_used, reason = "tests")]

use pop3_proto::backend::{Failure, Request};
use pop3_proto::server::{Policy, ReadOnly, TlsOffer};
use proptest::prelude::*;
use testkit::talk::{Talk, clear};

const MAILS: [&[u8]; 4] = [
    b"Subject: a\r\n\r\n.one\r\ntwo",
    b"",
    b"no blank line\n.\nx\r",
    b"\r\n\r\n.\r\n.\r\n",
];

/// The most octets of output that may wait: see `Session::body_room`.
const OUTPUT_BOUND: usize = 2 * 64 * 1024 + 4096;

fn line() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "USER u",
        "PASS p w",
        "PASS no",
        "STAT",
        "LIST",
        "LIST 2",
        "UIDL",
        "UIDL 1",
        "RETR 1",
        "RETR 2",
        "RETR 3",
        "RETR 4",
        "RETR 5",
        "TOP 1 0",
        "TOP 1 1",
        "TOP 3 9",
        "DELE 1",
        "DELE 3",
        "RSET",
        "NOOP",
        "CAPA",
        "LANG",
        "UTF8",
        "XPRO",
        "STLS",
        "AUTH",
        "AUTH PLAIN",
        "AUTH PLAIN AHUAcCB3",
        "AHUAcCB3",
        "AUTH LOGIN",
        "dQ==",
        "cCB3",
        "*",
        "AUTH X-RELAY",
        "APOP u 0",
        "QUIT",
        "",
        "\u{0}",
        "list 9999999999",
    ];
    let known = proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let junk = proptest::collection::vec(any::<u8>(), 0..40);
    let line = prop_oneof![9 => known, 1 => junk];
    (line, any::<bool>()).prop_map(|(mut line, crlf)| {
        line.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        line
    })
}

fn script() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), proptest::collection::vec(line(), 0..25)).prop_map(|(login, lines)| {
        let start: &[u8] = if login {
            b"USER u\r\nPASS p w\r\n"
        } else {
            b""
        };
        [start, &lines.concat()].concat()
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(stls, clear_login, read_only)| {
        clear()
            .tls(if stls { TlsOffer::Stls } else { TlsOffer::None })
            .read_only(if read_only {
                ReadOnly::OnRequest
            } else {
                ReadOnly::Refused
            })
            .mechanisms(
                ["PLAIN", "LOGIN", "X-RELAY"]
                    .into_iter()
                    .filter_map(pop3_proto::backend::Mechanism::new)
                    .collect(),
            )
            .clear_login(clear_login)
    })
}

/// Runs a script and returns what the client saw, what the store was asked, and how it ended.
fn run(
    policy: &Policy,
    script: &[u8],
    cuts: &[usize],
    piece: usize,
) -> (Vec<u8>, Vec<Request>, String) {
    let mut talk = Talk::new(policy.clone(), &MAILS);
    talk.store.piece = piece;
    let mut rest = script;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() && talk.closed.is_none() && !talk.tls_wanted {
        let n = cuts
            .next()
            .map_or(rest.len(), |n| (*n).clamp(1, rest.len()));
        talk.feed(&rest[..n]);
        rest = &rest[n..];
        assert!(talk.session.transmit().len() <= OUTPUT_BOUND);
    }
    let requests = std::mem::take(&mut talk.store.requests);
    let ended = talk.closed;
    let out = std::mem::take(&mut talk.out);
    (out, requests, format!("{ended:?} {}", talk.tls_wanted))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn f06_chunking_is_invisible(
        policy in policy(),
        script in script(),
        cuts in proptest::collection::vec(1usize..30, 1..6),
        piece in 1usize..9,
    ) {
        // after STLS the cuts do matter: what comes in the same piece is an injection
        let stls = script.to_ascii_uppercase().windows(4).any(|w| w == b"STLS");
        prop_assume!(policy.tls == TlsOffer::None || !stls);
        prop_assert_eq!(run(&policy, &script, &cuts, piece), run(&policy, &script, &[usize::MAX], 1000));
    }

    /// When every octet is delivered and nothing is outstanding, the session is idle or closed; and
    /// time always moves on until it is closed.
    #[test]
    fn liveness_and_time(policy in policy(), script in script(), window in 0usize..300) {
        let mut talk = Talk::new(policy, &MAILS);
        talk.window = Some(window);
        talk.feed(&script);
        prop_assert!(talk.closed.is_some() || talk.session.poll_timeout().is_some());
        talk.wait(std::time::Duration::from_secs(7200));
        prop_assert!(talk.closed.is_some());
        prop_assert!(talk.session.poll_timeout().is_none());
    }

    /// P037: whatever was said, without QUIT in TRANSACTION nothing is deleted; and what is deleted
    /// was marked.
    #[test]
    fn p037_p039_no_update_without_quit(script in script(), end in 0usize..3) {
        let mut talk = Talk::new(clear(), &MAILS);
        talk.feed(&script);
        match end {
            0 => talk.session.handle_eof(talk.now),
            1 => talk.session.handle_reset(talk.now),
            _ => talk.session.shut_down(talk.now),
        }
        talk.settle();
        talk.wait(std::time::Duration::from_secs(7200));
        let said = script.to_ascii_uppercase();
        let said = |word: &[u8]| said.windows(word.len()).any(|w| w == word);
        if !said(b"QUIT") {
            prop_assert_eq!(talk.deletions_asked(), 0);
        }
        for index in &talk.store.removed {
            let dele = format!("DELE {}", index + 1);
            prop_assert!(said(dele.as_bytes()));
        }
        let opens = talk.store.requests.iter().filter(|r| matches!(r, Request::Open(_))).count();
        let ends = talk.store.requests.iter();
        let ends = ends.filter(|r| matches!(r, Request::Abandon | Request::Update { .. })).count();
        prop_assert!(ends <= opens);
    }

    /// V11, V12: a hostile client never makes the session panic or grow.
    #[test]
    fn v12_x001_v11_any_octets(chunks in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..2000), 0..20,
    )) {
        let mut talk = Talk::new(clear(), &MAILS);
        talk.window = Some(1000);
        for chunk in chunks {
            talk.feed(&chunk);
            prop_assert!(talk.session.transmit().len() <= OUTPUT_BOUND);
            prop_assert!(talk.session.input_room() <= 16 * 1024 + 2);
        }
    }

    /// A backend that answers out of turn cannot make the session panic or send half a response twice.
    #[test]
    fn a_hostile_backend(script in script(), replies in proptest::collection::vec(0u8..11, 0..60)) {
        use pop3_proto::backend::{Access, FailureKind, RefusalKind, Refusal, Reply, Ticket};
        let mut talk = Talk::new(clear(), &MAILS);
        talk.store.silent = replies.len() % 2 == 0;
        talk.feed(&script);
        for (n, kind) in replies.into_iter().enumerate() {
            let ticket = Ticket(n as u32 % 3);
            let reply = match kind {
                0 => Reply::Challenge(b"x"),
                1 => Reply::Authenticated,
                2 => Reply::Entry { size: u64::MAX, unique_id: b"\xff" },
                3 => Reply::Opened { access: Access::ReadOnly },
                4 => Reply::Refused(Refusal::new(RefusalKind::Credentials, "")),
                5 => Reply::BodyStart { ticket, size: None },
                6 => Reply::Body { ticket, bytes: b".\n." },
                7 => Reply::BodyEnd { ticket },
                8 => Reply::BodyFailed { ticket, failure: Failure::new(FailureKind::Missing, "") },
                9 => Reply::Updated,
                _ => Reply::Failed(Failure::permanent("")),
            };
            talk.session.handle_reply(talk.now, reply);
            talk.settle();
        }
    }
}
