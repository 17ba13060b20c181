//! Any octets from an IMAP server, any requests of a session, any time: no panic, bounded buffers, a
//! deadline whenever something is owed, every request answered in order and once, and nothing changed
//! upstream that QUIT did not ask for.
//!
//! The fuzzer's server may send anything; it also has answers that fit, so that sessions get far.
#![no_main]

mod choices;
mod commands;
mod replies;

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use choices::{ANSWERS, LINES, config, open};
use imap_backend::{DeletePolicy, ImapBackend};
use libfuzzer_sys::fuzz_target;
use pop3_fuzz::Decisions;
use pop3_proto::backend::{Backend, Effect, Failure, Index, Outcome, Part, Request, Ticket};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

/// What the backend may hold for either direction.
const BOUND: usize = 64 * 1024;
fuzz_target!(|bytes: &[u8]| {
    let mut decisions = Decisions::new(bytes);
    let mut rig = Rig::new(&mut decisions);
    while !decisions.is_empty() {
        rig.step(&mut decisions);
        rig.settle();
    }
    rig.come_to_an_end();
});

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Wanted,
    Up,
    Handshake,
}

/// The backend under test.
struct Rig {
    backend: ImapBackend,
    seen_counts: bool,
    now: Time,
    link: Link,
    /// What the server said and the backend has not read.
    wire: VecDeque<u8>,
    /// Everything that the server sent.
    said: Vec<u8>,
    /// What the backend said on this connection, as far as it is not a complete line.
    line: Vec<u8>,
    /// Tags that await their answer on this connection.
    tags: VecDeque<String>,
    /// What was asked for last is a header.
    header: bool,
    /// Tags of commands that change something, on this connection.
    changes: Vec<String>,
    room: usize,
    opening: bool,
    opened: bool,
    challenged: bool,
    /// A token is being fetched.
    fetching: bool,
    /// The UIDs of the maildrop.
    uids: Vec<u64>,
    ids: BTreeSet<Vec<u8>>,
    /// Tickets in order, with what is known of their bodies.
    reading: VecDeque<(Ticket, Option<Body>)>,
    cancelled: BTreeSet<u32>,
    /// Those of whole messages.
    wholes: BTreeSet<u32>,
    next_ticket: u32,
    /// What QUIT asked for.
    update: Option<(BTreeSet<u64>, BTreeSet<u64>)>,
    updating: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Body {
    size: Option<u64>,
    came: u64,
}

impl Rig {
    fn new(decisions: &mut Decisions<'_>) -> Self {
        let (flags, pick) = (decisions.octet(), decisions.octet());
        let config = config(flags, pick);
        // then a refused \Seen is a failed update
        let seen_counts = config.delete == DeletePolicy::Seen && !config.mark_seen;
        let mut rig = Self {
            backend: ImapBackend::new(Arc::new(config)),
            seen_counts,
            now: Time::ZERO,
            link: Link::Down,
            wire: VecDeque::new(),
            said: Vec::new(),
            line: Vec::new(),
            tags: VecDeque::new(),
            header: false,
            changes: Vec::new(),
            room: usize::MAX,
            opening: true,
            opened: false,
            challenged: false,
            fetching: false,
            uids: Vec::new(),
            ids: BTreeSet::new(),
            reading: VecDeque::new(),
            cancelled: BTreeSet::new(),
            wholes: BTreeSet::new(),
            next_ticket: 0,
            update: None,
            updating: false,
            over: false,
        };
        rig.backend.record();
        rig.backend
            .handle_request(rig.now, Request::Open(open(pick)));
        rig.settle();
        rig
    }

    fn step(&mut self, decisions: &mut Decisions<'_>) {
        match decisions.octet() % 24 {
            0..=4 => self.say(decisions.piece()),
            5..=8 => self.say(LINES[usize::from(decisions.octet()) % LINES.len()]),
            9..=12 => {
                let answer = ANSWERS[usize::from(decisions.octet()) % ANSWERS.len()];
                if let Some(tag) = self.tags.pop_front() {
                    self.say(format!("{tag} {answer}\r\n").as_bytes());
                }
            }
            13 => {
                let octets = usize::from(decisions.octet()) * 300;
                let section = if self.header { "HEADER" } else { "" };
                let place = usize::from(decisions.octet());
                let uid = self.uids.get(place).copied();
                if let Some(uid) = uid {
                    let start = format!("* 1 FETCH (UID {uid} BODY[{section}] {{{octets}}}\r\n");
                    self.say(start.as_bytes());
                }
                self.say(&vec![b'z'; octets]);
                if uid.is_some() {
                    self.say(b")\r\n");
                }
            }
            14 | 15 => self.retrieve(decisions.octet()),
            16 => {
                let place = usize::from(decisions.octet());
                if let Some(&(ticket, _)) = self.reading.get(place % 2) {
                    self.backend
                        .handle_request(self.now, Request::Cancel(ticket));
                    self.reading.retain(|(own, _)| *own != ticket);
                    self.cancelled.insert(ticket.0);
                }
            }
            17 => self.update(decisions.octet(), decisions.octet()),
            18 => {
                if self.challenged {
                    self.challenged = false;
                    let answer = Secret::from(decisions.piece());
                    self.backend
                        .handle_request(self.now, Request::Answer(answer));
                } else if mem::take(&mut self.fetching) {
                    let renewed = match decisions.octet() % 3 {
                        0 => Err(Failure::temporary("out of order")),
                        1 => Err(Failure::permanent("nobody signed in")),
                        _ => Ok(Secret::from(decisions.piece())),
                    };
                    self.backend
                        .handle_outcome(self.now, Outcome::Done(renewed));
                }
            }
            19 => self.room = [0, 1, 100, usize::MAX][usize::from(decisions.octet()) % 4],
            20 => self.wait(Duration::from_secs(u64::from(decisions.octet()) * 3)),
            21 => match self.link {
                Link::Wanted if decisions.octet() & 1 == 0 => self.lose(),
                Link::Wanted => {
                    self.link = Link::Up;
                    self.backend.handle_outcome(self.now, Outcome::Connected);
                }
                Link::Handshake => {
                    self.link = Link::Up;
                    self.backend.handle_outcome(self.now, Outcome::TlsReady);
                }
                Link::Up | Link::Down => {}
            },
            22 if self.link == Link::Up && decisions.octet() < 64 => self.lose(),
            23 if decisions.octet() == 0 => {
                self.backend.handle_request(self.now, Request::Abandon);
                self.finished();
            }
            _ => {}
        }
    }

    /// The server sends this, if there is a connection.
    fn say(&mut self, octets: &[u8]) {
        if self.link == Link::Up && self.wire.len() < 1_000_000 {
            self.wire.extend(octets);
            self.said.extend_from_slice(octets);
        }
    }

    fn retrieve(&mut self, choice: u8) {
        if !self.opened || self.updating || self.over || self.reading.len() == 2 {
            return;
        }
        let count = self.uids.len() as u32;
        // an index just outside is the session's mistake, and must do no harm
        let index = Index(u32::from(choice & 15).min(count));
        let lines = [None, None, Some(0), Some(5), Some(u64::MAX)];
        let lines = lines[usize::from(choice >> 4) % lines.len()];
        let part = lines.map_or(Part::Whole, |lines| Part::Top { lines });
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        if part == Part::Whole {
            self.wholes.insert(ticket.0);
        }
        self.reading.push_back((ticket, None));
        self.backend.handle_request(
            self.now,
            Request::Retrieve {
                ticket,
                index,
                part,
            },
        );
    }

    fn update(&mut self, deleted: u8, retrieved: u8) {
        if !self.opened || self.updating || self.over {
            return;
        }
        let chosen = |mask: u8| {
            let all = 0..self.uids.len() as u32;
            all.filter(move |index| mask >> (index % 8) & 1 == 1)
                .map(Index)
                .collect::<Vec<_>>()
        };
        let (deleted, retrieved) = (chosen(deleted), chosen(retrieved));
        let uids = |list: &[Index]| {
            list.iter()
                .map(|index| self.uids[index.0 as usize])
                .collect()
        };
        self.update = Some((uids(&deleted), uids(&retrieved)));
        self.updating = true;
        self.reading.clear();
        self.backend
            .handle_request(self.now, Request::Update { deleted, retrieved });
    }

    fn lose(&mut self) {
        self.feed();
        self.disconnected();
        self.fetching = false;
        self.backend
            .handle_outcome(self.now, Outcome::Lost(Failure::temporary("gone")));
    }

    fn disconnected(&mut self) {
        self.link = Link::Down;
        self.wire.clear();
        self.line.clear();
        self.tags.clear();
        self.changes.clear();
    }

    fn finished(&mut self) {
        self.over = true;
        self.opening = false;
        self.updating = false;
        self.challenged = false;
        self.reading.clear();
    }

    /// Lets time pass, deadline by deadline.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.backend.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.backend.handle_timeout(self.now);
            let next = self.backend.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "time stands still");
            self.settle();
        }
        self.now = end;
    }

    /// Does what a driver does until nothing moves, and looks at everything.
    fn settle(&mut self) {
        let mut rounds = 0;
        while self.effects() | self.replies() | self.transmit() | self.feed() {
            rounds += 1;
            assert!(rounds < 100_000, "no end to it");
        }
        self.owes_a_deadline();
    }

    fn effects(&mut self) -> bool {
        let mut moved = false;
        while let Some(effect) = self.backend.poll_effect() {
            moved = true;
            match effect {
                Effect::Connect(_) => {
                    self.disconnected();
                    self.link = Link::Wanted;
                }
                Effect::StartTls { .. } => {
                    assert_eq!(self.link, Link::Up);
                    assert!(self.backend.transmit().is_empty());
                    self.link = Link::Handshake;
                    // what the server sent after its agreement is ciphertext to the driver
                    self.wire.clear();
                }
                Effect::Disconnect => {
                    self.transmit();
                    self.disconnected();
                }
                Effect::Run(_) => {
                    assert!(!self.fetching, "one job at a time");
                    self.fetching = true;
                }
                Effect::Resume(_) | Effect::Park(_) => panic!("nothing is parked"),
            }
        }
        moved
    }

    /// Moves octets from the server to the backend.
    fn feed(&mut self) -> bool {
        let mut moved = false;
        while self.link == Link::Up && !self.wire.is_empty() {
            let buf = self.backend.recv_buf();
            assert!(buf.len() <= BOUND);
            let n = buf.len().min(self.wire.len());
            if n == 0 {
                break;
            }
            for (place, byte) in buf.iter_mut().zip(self.wire.drain(..n)) {
                *place = byte;
            }
            self.backend.received(self.now, n);
            moved = true;
            self.effects();
            self.replies();
        }
        moved
    }

    /// If something is owed, and it is not the session's turn, there must be a deadline.
    fn owes_a_deadline(&mut self) {
        let owed = self.opening || self.updating || !self.reading.is_empty();
        let ours = self.challenged || (self.room == 0 && !self.reading.is_empty());
        if owed && !ours && !self.over {
            assert!(self.backend.poll_timeout().is_some(), "nobody would notice");
        }
        while self.backend.poll_trace().is_some() {}
    }

    /// Whatever is owed is answered in the end, even if the server stays silent.
    fn come_to_an_end(&mut self) {
        self.room = usize::MAX;
        if self.challenged {
            self.challenged = false;
            self.backend
                .handle_request(self.now, Request::Answer(Secret::default()));
        }
        self.settle();
        let mut rounds = 0;
        while !self.over && (self.opening || self.updating || !self.reading.is_empty()) {
            let at = self.backend.poll_timeout().expect("a deadline");
            self.wait(at.since(self.now));
            rounds += 1;
            assert!(rounds < 100, "never for ever");
        }
    }
}
