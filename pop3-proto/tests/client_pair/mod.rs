//! A client and a server, and a wire between them that cuts where it likes.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::collections::BTreeMap;

use pop3_proto::client::{Client, Close, Event, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::time::Time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

pub const NOW: Time = Time::ZERO;

/// The other end.
pub trait Server {
    /// Takes octets from the client.
    fn hear(&mut self, bytes: &[u8]);
    /// Gives octets for the client.
    fn say(&mut self) -> Vec<u8>;
    /// The handshake is done.
    fn handle_tls(&mut self) {}
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub stat: Option<(u64, u64)>,
    pub sizes: Vec<(u32, u64)>,
    pub ids: Vec<(u32, String)>,
    pub body: Option<Vec<u8>>,
    pub done: Option<bool>,
}

/// A conversation as the client heard it.
#[derive(Default)]
pub struct Heard {
    pub outcomes: BTreeMap<Tag, Outcome>,
    pub others: Vec<String>,
    pub closed: Option<Close>,
}

impl Heard {
    /// Moves octets to and fro until nothing moves.
    pub fn converse(&mut self, client: &mut Client, server: &mut impl Server, cuts: &[usize]) {
        let mut cuts = cuts.iter().copied().chain([usize::MAX]).cycle();
        let mut wire = Vec::new();
        loop {
            let mut moved = self.drain(client, server);
            let n = cuts.next().unwrap().min(client.transmit().len());
            server.hear(&client.transmit()[..n]);
            client.transmitted(NOW, n);
            wire.extend(server.say());
            let offered = cuts.next().unwrap().min(wire.len());
            let taken = client.handle_input(NOW, &wire[..offered]);
            wire.drain(..taken);
            moved |= n > 0 || taken > 0;
            if !moved && wire.is_empty() && client.transmit().is_empty() {
                return;
            }
        }
    }

    fn drain(&mut self, client: &mut Client, server: &mut impl Server) -> bool {
        let mut moved = false;
        let mut tls = false;
        while let Some(event) = client.poll_event() {
            moved = true;
            tls |= matches!(event, Event::StartTls { .. });
            self.note(event);
        }
        if tls {
            server.handle_tls();
            client.handle_tls(NOW);
        }
        moved
    }

    pub fn note(&mut self, event: Event<'_>) {
        assert_eq!(self.closed, None, "nothing comes after the end");
        match event {
            Event::Stat {
                tag,
                messages,
                octets,
            } => self.open(tag).stat = Some((messages, octets)),
            Event::Size {
                tag,
                number,
                octets,
            } => self.open(tag).sizes.push((number.0, octets)),
            Event::UniqueId { tag, number, id } => {
                self.open(tag)
                    .ids
                    .push((number.0, String::from_utf8_lossy(id).into()));
            }
            Event::BodyStart { tag, .. } => self.open(tag).body = Some(Vec::new()),
            Event::Body { tag, bytes } => {
                assert!(!bytes.is_empty());
                self.open(tag)
                    .body
                    .as_mut()
                    .unwrap()
                    .extend_from_slice(bytes);
            }
            Event::Done { tag, .. } => self.open(tag).done = Some(true),
            Event::Refused { tag, .. } => self.open(tag).done = Some(false),
            Event::Lost { tag } => {
                let outcome = self.open(tag);
                outcome.done = Some(false);
                outcome.body = None;
            }
            Event::Closed(close) => self.closed = Some(close),
            event => self.others.push(format!("{event:?}")),
        }
    }

    fn open(&mut self, tag: Tag) -> &mut Outcome {
        let outcome = self.outcomes.entry(tag).or_default();
        assert_eq!(outcome.done, None, "a tag ends once");
        outcome
    }

    /// What came of the last commands.
    pub fn last(&self, n: usize) -> Vec<Outcome> {
        self.outcomes
            .values()
            .skip(self.outcomes.len() - n)
            .cloned()
            .collect()
    }
}

/// What should come of commands, as plainly as it can be said. Ids are `id0`, `id1`, …
pub fn expected(messages: &[Vec<u8>], commands: &[Command]) -> (Vec<Outcome>, Vec<u32>) {
    let mut deleted = vec![false; messages.len()];
    let mut outcomes = Vec::new();
    for command in commands {
        let there = |number: &MessageNumber| {
            let index = number.0 as usize - 1;
            (index < messages.len() && !deleted[index]).then_some(index)
        };
        let left: Vec<usize> = (0..messages.len())
            .filter(|index| !deleted[*index])
            .collect();
        let size = |index: usize| (index as u32 + 1, messages[index].len() as u64);
        let id = |index: usize| (index as u32 + 1, format!("id{index}"));
        let mut outcome = Outcome {
            done: Some(true),
            ..Outcome::default()
        };
        match command {
            Command::Stat => {
                let octets = left.iter().map(|index| messages[*index].len() as u64).sum();
                outcome.stat = Some((left.len() as u64, octets));
            }
            Command::List(None) => outcome.sizes = left.into_iter().map(size).collect(),
            Command::Uidl(None) => outcome.ids = left.into_iter().map(id).collect(),
            Command::List(Some(number))
            | Command::Uidl(Some(number))
            | Command::Retr(number)
            | Command::Top(number, _)
            | Command::Dele(number) => match (there(number), command) {
                (None, _) => outcome.done = Some(false),
                (Some(index), Command::List(_)) => outcome.sizes.push(size(index)),
                (Some(index), Command::Uidl(_)) => outcome.ids.push(id(index)),
                (Some(index), Command::Retr(_)) => {
                    outcome.body = Some(lines(&messages[index]).concat())
                }
                (Some(index), Command::Top(_, n)) => outcome.body = Some(top(&messages[index], *n)),
                (Some(index), _) => deleted[index] = true,
            },
            Command::Rset => deleted.fill(false),
            _ => {}
        }
        outcomes.push(outcome);
    }
    let removed = (0..messages.len() as u32)
        .filter(|index| deleted[*index as usize])
        .collect();
    (outcomes, removed)
}

/// The lines of a message, each with CRLF.
pub fn lines(message: &[u8]) -> Vec<Vec<u8>> {
    let ends = message.split_inclusive(|&octet| octet == b'\n');
    ends.map(|line| {
        let text = line
            .strip_suffix(b"\n")
            .map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
        [text, b"\r\n"].concat()
    })
    .collect()
}

pub fn top(message: &[u8], wanted: u64) -> Vec<u8> {
    let lines = lines(message);
    let header = lines
        .iter()
        .position(|line| line == b"\r\n")
        .map_or(lines.len(), |at| at + 1);
    let end = lines.len().min(header + wanted as usize);
    lines[..end].concat()
}

pub fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let tokens: [&[u8]; 8] = [
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b".",
        b"A: b",
        b"\r\n.\r\n",
        b"\0\xff\\",
    ];
    let message = vec(select(tokens.map(<[u8]>::to_vec).to_vec()), 0..12);
    vec(message.prop_map(|tokens| tokens.concat()), 0..5)
}

pub fn commands() -> impl Strategy<Value = Vec<Command>> {
    let number = || (1..6_u32).prop_map(MessageNumber);
    let command = prop_oneof![
        Just(Command::Stat),
        Just(Command::List(None)),
        Just(Command::Uidl(None)),
        Just(Command::Noop),
        Just(Command::Rset),
        Just(Command::Capa),
        number().prop_map(|number| Command::List(Some(number))),
        number().prop_map(|number| Command::Uidl(Some(number))),
        number().prop_map(Command::Retr),
        number().prop_map(Command::Retr),
        (number(), 0..5_u64).prop_map(|(number, lines)| Command::Top(number, lines)),
        number().prop_map(Command::Dele),
    ];
    vec(command, 0..12)
}

pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![Just(1_usize), 1..9_usize, Just(1000)], 0..30)
}
