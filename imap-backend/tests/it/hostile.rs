//! An upstream that says anything at any time: no panic, no endless loop, nothing awaited for ever,
//! bounded memory, and no change to what was not marked.

use std::time::Duration;

use crate::common::{FULL, World, config, tags};
use imap_backend::{DeletePolicy, Security};
use pop3_proto::backend::{Backend, Login, Mechanism, Names, Request, Ticket};
use pop3_proto::secret::Secret;
use proptest::prelude::*;

const UIDS: [u32; 4] = [4, 5, 9, 12];

#[derive(Clone, Debug)]
enum Act {
    /// Pieces of IMAP in no order.
    Say(Vec<Piece>),
    Noise(Vec<u8>),
    /// An answer to a command that was sent, counted from the last.
    Answer(usize, &'static str),
    Body(usize, usize, bool),
    Retrieve(u32),
    Top(u32, u64),
    Cancel(u32),
    Update(Vec<u32>),
    Reply(Vec<u8>),
    Abandon,
    HangUp,
    Pass(u64),
    Room(usize),
}

#[derive(Clone, Debug)]
enum Piece {
    Text(&'static str),
    Number(u64),
}

fn piece() -> impl Strategy<Value = Piece> {
    let texts = [
        "* ",
        "+ ",
        "A1 ",
        "A3 ",
        "OK ",
        "NO ",
        "BAD ",
        "BYE ",
        "PREAUTH ",
        "[CAPABILITY IMAP4rev1] ",
        "[READ-ONLY] ",
        "[UIDVALIDITY 7] ",
        "[UIDVALIDITY 8] ",
        "[TRYCREATE] ",
        "[MESSAGELIMIT 1 9] ",
        "FETCH ",
        "(",
        ")",
        "UID 4 ",
        "UID 5 ",
        "UID ",
        "RFC822.SIZE ",
        "FLAGS (\\Deleted) ",
        "FLAGS ",
        "BODY[] ",
        "BODY[]<0> ",
        "BODY[",
        "]",
        "RFC822 ",
        "NIL ",
        "\"",
        "\\",
        "{",
        "}",
        "{5}\r\n",
        "{0}\r\n",
        "{9000}\r\n",
        "{70000}\r\n",
        "{18446744073709551615}\r\n",
        "~{3}\r\n",
        "{3+}\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "EXISTS",
        "EXPUNGE",
        "LIST (\\Trash) \"/\" ",
        "CAPABILITY ",
        "x",
        " ",
        "AUTH=PLAIN ",
        "UIDPLUS ",
        "MOVE ",
        "LITERAL+ ",
        "ENABLE ",
        "((((((((((",
        "\0",
        "\u{fc}",
    ];
    prop_oneof![
        6 => proptest::sample::select(texts.to_vec()).prop_map(Piece::Text),
        1 => any::<u32>().prop_map(|n| Piece::Number(n.into())),
        1 => (0..20_u64).prop_map(Piece::Number),
        1 => any::<u64>().prop_map(Piece::Number),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let answers = [
        "OK",
        "OK done",
        "NO",
        "NO [TRYCREATE] x",
        "NO [UNAVAILABLE] later",
        "BAD what",
        "OK [READ-ONLY] x",
        "OK [CAPABILITY IMAP4rev1 UIDPLUS MOVE] x",
        "OK [MESSAGELIMIT 1 5] x",
    ];
    prop_oneof![
        6 => proptest::collection::vec(piece(), 1..12).prop_map(Act::Say),
        1 => proptest::collection::vec(any::<u8>(), 1..40).prop_map(Act::Noise),
        8 => (0..4_usize, proptest::sample::select(answers.to_vec())).prop_map(|(n, a)| Act::Answer(n, a)),
        5 => (0..5_usize, 0..3000_usize, any::<bool>()).prop_map(|(n, size, uid)| Act::Body(n, size, uid)),
        4 => (0..5_u32).prop_map(Act::Retrieve),
        2 => (0..5_u32, any::<u64>()).prop_map(|(n, lines)| Act::Top(n, lines)),
        1 => any::<u32>().prop_map(Act::Cancel),
        1 => proptest::collection::vec(0..5_u32, 0..4).prop_map(Act::Update),
        1 => proptest::collection::vec(any::<u8>(), 0..9).prop_map(Act::Reply),
        1 => Just(Act::Abandon),
        1 => Just(Act::HangUp),
        1 => (0..700_u64).prop_map(Act::Pass),
        1 => prop_oneof![Just(0_usize), 1..3000_usize].prop_map(Act::Room),
    ]
}

/// A world in one of many states.
fn world(state: u8, delete: DeletePolicy, starttls: bool) -> World {
    let mut config = config();
    config.delete = delete;
    config.mark_seen = state.is_multiple_of(2);
    if starttls {
        config.security = Security::StartTls;
    }
    let capabilities = if state.is_multiple_of(3) {
        "IMAP4rev1"
    } else {
        FULL
    };
    if state >= 8 {
        let mut world = World::new(config);
        let mut open = crate::common::password_open();
        open.utf8 = state.is_multiple_of(5);
        if state == 9 {
            let mechanism = Mechanism::new("PLAIN").unwrap();
            open = open.login(Login::Relay {
                mechanism,
                initial: None,
                names: Names::default(),
            });
        } else if state == 10 {
            let mechanism = Mechanism::new("XOAUTH2").unwrap();
            let token = Secret::from(&b"t"[..]);
            open = open.login(Login::Bearer {
                mechanism,
                user: "u".into(),
                token,
                renewal: None,
            });
        }
        world.open(open);
        if state > 11 {
            world.serve(&format!(
                "* OK [CAPABILITY {capabilities} AUTH=PLAIN AUTH=XOAUTH2]\r\n"
            ));
        }
        return world;
    }
    config.security = Security::Clear;
    let mail = UIDS.map(|uid| (uid, if state == 7 { 100_000 } else { 500 }));
    let mut world = World::opened(config, capabilities, &mail);
    match state {
        1 => world.retrieve(1001, 0),
        2 => {
            world.retrieve(1001, 0);
            world.serve("* 1 FETCH (UID 4 BODY[] {500}\r\nSubject");
        }
        3 | 4 => world.update(&[0, 2], &[1]),
        5 => world.hang_up(),
        6 => {
            world.hang_up();
            world.retrieve(1001, 1);
        }
        7 => world.top(1001, 0, 3),
        _ => {}
    }
    world
}

fn play(world: &mut World, act: Act, tickets: &mut u32) -> bool {
    *tickets += 1;
    match act {
        Act::Say(pieces) => {
            let text: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => (*text).to_owned(),
                    Piece::Number(number) => number.to_string(),
                })
                .collect();
            world.serve(&text);
        }
        Act::Noise(bytes) => world.serve_bytes(&bytes),
        Act::Answer(back, answer) => {
            let sent = world.everything_sent();
            let tags = tags(&sent);
            if let Some(tag) = tags.iter().rev().nth(back) {
                world.serve(&format!("{tag} {answer}\r\n"));
            }
        }
        Act::Body(n, size, names) => {
            let uid = UIDS.get(n).map_or(77, |uid| *uid);
            let uid = if names {
                format!("UID {uid} ")
            } else {
                String::new()
            };
            world.serve(&format!(
                "* 1 FETCH ({uid}BODY[] {{{size}}}\r\n{})\r\n",
                "y".repeat(size)
            ));
        }
        Act::Retrieve(n) => world.retrieve(*tickets, n),
        Act::Top(n, lines) => world.top(*tickets, n, lines),
        Act::Cancel(n) => {
            let ticket = 1 + n % *tickets;
            let is_open = !world.ended.contains(&ticket) && world.asked.contains(&ticket);
            if is_open {
                world.request(Request::Cancel(Ticket(ticket)));
            }
        }
        Act::Update(marks) => {
            world.update(&marks, &[]);
            return false;
        }
        Act::Reply(bytes) => world.request(Request::Answer(Secret::new(bytes))),
        Act::Abandon => {
            world.request(Request::Abandon);
            return false;
        }
        Act::HangUp => world.hang_up(),
        Act::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
        Act::Room(room) => {
            world.room = room;
            world.run();
        }
    }
    true
}

/// Every UID that a command which changes something names.
fn changed(sent: &str) -> Vec<u32> {
    let mut uids = Vec::new();
    for line in sent.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let verb = words
            .iter()
            .position(|w| ["STORE", "EXPUNGE", "MOVE", "COPY"].contains(w));
        let Some(set) = verb.and_then(|at| words.get(at + 1)) else {
            continue;
        };
        for range in set.split(',') {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            uids.extend(first.parse::<u32>().unwrap()..=last.parse::<u32>().unwrap());
        }
    }
    uids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn v12_v19_v22_an_upstream_may_say_anything(
        state in 0..16_u8,
        starttls in any::<bool>(),
        delete in prop_oneof![
            Just(DeletePolicy::Expunge),
            Just(DeletePolicy::Trash { fallback: "Trash".into() }),
            Just(DeletePolicy::Seen),
        ],
        acts in proptest::collection::vec(act(), 1..40),
        chunks in proptest::collection::vec(1..3000_usize, 1..4),
    ) {
        let mut world = world(state, delete, starttls);
        world.chunks = chunks;
        let mut marked: Vec<u32> = if state == 3 || state == 4 { vec![4, 9] } else { Vec::new() };
        let mut seen: Vec<u32> = if state == 4 { vec![5] } else { Vec::new() };
        let mut tickets = 0;
        let mut goes_on = !(3..=4).contains(&state);
        for act in acts {
            if !goes_on && !matches!(
                act,
                Act::Say(_) | Act::Noise(_) | Act::Answer(..) | Act::Body(..) | Act::HangUp | Act::Pass(_)
            ) {
                continue;
            }
            if let Act::Update(marks) = &act {
                marked = marks.iter().filter_map(|n| UIDS.get(*n as usize).copied()).collect();
                seen = Vec::new();
            }
            goes_on &= play(&mut world, act, &mut tickets);
            prop_assert!(world.backend.transmit().len() < 64 * 1024);
        }
        // whatever is still open comes to its end by the clock alone
        world.room = 1000;
        world.run();
        world.pass(Duration::from_secs(3600));
        if !world.challenged {
            prop_assert_eq!(world.open_requests, 0, "{:?} {:?}", world.backend, world.replies);
        }
        let sent = world.everything_sent();
        for uid in changed(&sent) {
            prop_assert!(marked.contains(&uid) || seen.contains(&uid), "{} in {}", uid, sent);
        }
        let trace = world.trace();
        for text in world.replies.iter().chain(&trace) {
            prop_assert!(text.chars().count() < 600, "{}", text);
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
        }
    }
}
