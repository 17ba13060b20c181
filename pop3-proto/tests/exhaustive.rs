//! Small scope, all of it: every sequence of acts of a client up to a length, in every state, in the clear
//! and within TLS, held against a reference that is written for being right by inspection.
//!
//! ```text
//! cargo test -p pop3-proto --test exhaustive -- --nocapture
//! cargo test --release -p pop3-proto --test exhaustive -- --nocapture --ignored     longer, a minute or two
//! ```
#![allow(clippy::unwrap_used, reason = "tests")]

mod reference;

use std::collections::BTreeSet;

use pop3_proto::backend::{FailureKind, Index, Mechanism, Request};
use pop3_proto::server::{Policy, ReadOnly, TlsOffer};
use reference::{Answer, Reference, Standing};
use testkit::talk::{Talk, Trouble, clear, seconds};

const LOGIN: [&str; 2] = ["USER u", "PASS p w"];
const PLAIN: [&str; 1] = ["PLAIN"];
const ALL: [&str; 4] = ["PLAIN", "LOGIN", "XOAUTH2", "X-RELAY"];
const MAILS: [&[u8]; 2] = [b"A: 1\r\n\r\n.1\r\n2\r\n", b"A: 2"];

/// What a client can do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Line(&'static str),
    /// Says nothing for longer than it may.
    Sleep,
    /// Ends its half of the connection.
    Leave,
}

use Act::{Leave, Line, Sleep};

/// AUTHORIZATION, and the way out of it.
const BEFORE: [Act; 15] = [
    Line("USER u"),
    Line("PASS p w"),
    Line("PASS wrong"),
    Line("AUTH PLAIN"),
    Line("AUTH PLAIN AHUAcCB3"),
    Line("AHUAcCB3"),
    Line("AUTH PLAIN AHUAbm8="),
    Line("*"),
    Line("STLS"),
    Line("CAPA"),
    Line("UTF8"),
    Line("DELE 1"),
    Line("QUIT"),
    Sleep,
    Leave,
];

/// The ways to log in, each with the words of the others.
const LOGINS: [Act; 16] = [
    Line("AUTH LOGIN"),
    Line("AUTH X-RELAY"),
    Line("AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIGdvb2QBAQ=="),
    Line("AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIGJhZAEB"),
    Line("AUTH PLAIN"),
    Line("AHUAcCB3"),
    Line("dQ=="),
    Line("cCB3"),
    Line("*"),
    Line(""),
    Line("USER u"),
    Line("PASS p w"),
    Line("CAPA"),
    Line("QUIT"),
    Sleep,
    Leave,
];

/// TRANSACTION.
const AFTER: [Act; 20] = [
    Line("STAT"),
    Line("LIST"),
    Line("LIST 1"),
    Line("UIDL"),
    Line("UIDL 2"),
    Line("RETR 1"),
    Line("RETR 2"),
    Line("RETR 3"),
    Line("TOP 1 0"),
    Line("TOP 1 1"),
    Line("TOP 2 9"),
    Line("DELE 1"),
    Line("DELE 2"),
    Line("RSET"),
    Line("NOOP"),
    Line("CAPA"),
    Line("USER u"),
    Line("QUIT"),
    Sleep,
    Leave,
];

fn policies(mechanisms: &[&str]) -> Vec<(&'static str, Policy)> {
    let policy = |tls, clear_login| {
        clear().tls(tls).clear_login(clear_login).mechanisms(
            mechanisms
                .iter()
                .filter_map(|name| Mechanism::new(name))
                .collect(),
        )
    };
    vec![
        ("in the clear", policy(TlsOffer::None, true)),
        ("STLS offered", policy(TlsOffer::Stls, true)),
        ("STLS needed", policy(TlsOffer::Stls, false)),
        ("TLS first", policy(TlsOffer::Implicit, false)),
    ]
}

/// A maildrop that is only read, whose first message is no longer there.
fn read_only() -> Vec<(&'static str, Policy)> {
    let policy = clear().mechanisms(Vec::new()).read_only(ReadOnly::Always);
    vec![("reading only", policy)]
}

/// What was gone through.
#[derive(Default)]
struct Visited {
    sequences: u64,
    acts: u64,
    standings: BTreeSet<(&'static str, Standing)>,
}

/// G01, G23, P010, P013, P032, P035, P036, P037, P055, P057, S007, S013, T002, T004, T006, X005, X006.
#[test]
fn g01_g23_p010_p013_p032_p035_to_p037_p055_p057_s007_s013_t002_t004_t006_x005_x006_every_sequence()
{
    visit("before login", &BEFORE, &policies(&PLAIN), &[], 4);
    visit("logins", &LOGINS, &policies(&ALL), &[], 3);
    visit("after login", &AFTER, &policies(&PLAIN), &LOGIN, 3);
    visit("reading only", &AFTER, &read_only(), &LOGIN, 3);
}

#[test]
#[ignore = "long"]
fn every_longer_sequence() {
    visit("before login", &BEFORE, &policies(&PLAIN), &[], 5);
    visit("logins", &LOGINS, &policies(&ALL), &[], 5);
    visit("after login", &AFTER, &policies(&PLAIN), &LOGIN, 4);
    visit("reading only", &AFTER, &read_only(), &LOGIN, 4);
}

/// Goes through all sequences of this length that begin with these lines; each holds all shorter ones.
fn visit(
    what: &str,
    acts: &[Act],
    policies: &[(&'static str, Policy)],
    start: &[&'static str],
    length: usize,
) {
    let mut visited = Visited::default();
    for (name, policy) in policies {
        let mut digits = vec![0; length];
        loop {
            let sequence: Vec<Act> = digits.iter().map(|&digit| acts[digit]).collect();
            let played = play(name, policy, start, &sequence, &mut visited);
            // what begins with an end goes no further
            digits[played..].fill(0);
            let Some(place) = digits[..played]
                .iter()
                .rposition(|&digit| digit + 1 < acts.len())
            else {
                break;
            };
            digits[place] += 1;
            digits[place + 1..].fill(0);
        }
    }
    println!(
        "{what}: {} sequences of up to {length} acts, {} acts, {} states",
        visited.sequences,
        visited.acts,
        visited.standings.len()
    );
}

/// Plays a sequence until it or the session ends; how many acts that took.
fn play(
    name: &'static str,
    policy: &Policy,
    start: &[&'static str],
    sequence: &[Act],
    visited: &mut Visited,
) -> usize {
    let mut talk = Talk::new(policy.clone(), &MAILS);
    let mut reference = Reference::new(policy, &MAILS);
    if policy.read_only == ReadOnly::Always {
        talk.store.troubles = vec![(Index(0), Trouble::Fails(FailureKind::Missing))];
        reference.vanish_message(1);
    }
    let stls: &[&str] = match policy.clear_login || policy.tls == TlsOffer::Implicit {
        true => &[],
        false => &["STLS"],
    };
    // what needs TLS has it before it logs in
    let stls = if start.is_empty() { &[] } else { stls };
    for line in stls.iter().chain(start) {
        say(&mut talk, &mut reference, line).unwrap();
    }
    visited.standings.insert((name, reference.standing()));
    for (n, act) in sequence.iter().enumerate() {
        visited.acts += 1;
        let outcome = match act {
            Line(line) => say(&mut talk, &mut reference, line),
            Sleep => {
                talk.wait(seconds(601));
                reference.vanish();
                silent(&mut talk)
            }
            Leave => {
                talk.session.handle_eof(talk.now);
                talk.settle();
                reference.vanish();
                silent(&mut talk)
            }
        };
        let outcome = outcome.and_then(|()| agree(&talk, &reference));
        assert_eq!(outcome, Ok(()), "{name}: {:?}", &sequence[..=n]);
        visited.standings.insert((name, reference.standing()));
        if reference.is_over() {
            visited.sequences += 1;
            return n + 1;
        }
    }
    visited.sequences += 1;
    sequence.len()
}

fn say(talk: &mut Talk, reference: &mut Reference, line: &str) -> Result<(), String> {
    let expected = reference.execute(line);
    let heard = talk.say(&format!("{line}\r\n"));
    if std::mem::take(&mut talk.tls_wanted) {
        talk.tls_wanted = true;
        talk.tls();
    }
    match expected {
        Answer::Challenge(start) if heard.starts_with(start) && heard.ends_with("\r\n") => Ok(()),
        Answer::Challenge(start) => Err(format!("expected {start}, got {heard}")),
        Answer::Reply(reply) => match reply.check(heard.as_bytes()) {
            Ok(Some(length)) if length == heard.len() => Ok(()),
            other => Err(format!("{other:?}: {heard}")),
        },
    }
}

fn silent(talk: &mut Talk) -> Result<(), String> {
    let heard = talk.heard();
    if heard.is_empty() { Ok(()) } else { Err(heard) }
}

/// What the store was asked, and whether the session is over, is what the reference says.
fn agree(talk: &Talk, reference: &Reference) -> Result<(), String> {
    let indexes = |numbers: &[usize]| -> Vec<Index> {
        numbers
            .iter()
            .map(|number| Index(*number as u32 - 1))
            .collect()
    };
    let mut updates = talk
        .store
        .requests
        .iter()
        .filter_map(|request| match request {
            Request::Update { deleted, retrieved } => Some((deleted.clone(), retrieved.clone())),
            Request::Open(_)
            | Request::Answer(_)
            | Request::Retrieve { .. }
            | Request::Cancel(_)
            | Request::Abandon => None,
        });
    let expected = reference
        .updated()
        .map(|(deleted, retrieved)| (indexes(deleted), indexes(retrieved)));
    if updates.next() != expected || updates.next().is_some() {
        return Err(format!("an update that should be {expected:?}"));
    }
    if talk.closed.is_some() != reference.is_over() {
        return Err(format!("closed: {:?}", talk.closed));
    }
    if talk.closed.is_none() && talk.session.poll_timeout().is_none() {
        return Err("no deadline".into());
    }
    Ok(())
}
