//! Any octets from an IMAP server, any requests of a session, any time: no panic, bounded buffers, a
//! deadline whenever something is owed, every request answered in order and once, and nothing changed
//! upstream that QUIT did not ask for.
//!
//! The fuzzer's server may say anything; it is also given answers that fit, so that it gets far.
#![no_main]

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use imap_backend::{AuthPreference, Config, DeletePolicy, ImapBackend, PipelineLogin, Security};
use libfuzzer_sys::fuzz_target;
use pop3_fuzz::Decisions;
use pop3_proto::backend::{
    Access, Backend, Caller, Effect, Failure, Index, Login, Mechanism, Names, Open, Outcome, Part,
    Reply, Request, Ticket,
};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

/// What the backend may hold for either direction.
const BOUND: usize = 64 * 1024;
/// Entries of a maildrop.
const MESSAGES: u32 = 1000;

/// Lines that a server may say at any time.
const LINES: &[&[u8]] = &[
    b"* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR UIDPLUS MOVE SPECIAL-USE ENABLE UTF8=ACCEPT ID AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER STARTTLS] Dovecot ready\r\n",
    b"* OK IMAP4rev1 ready\r\n",
    b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n",
    b"* 4 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n",
    b"* OK [UIDVALIDITY 8] valid\r\n",
    b"* 1 FETCH (UID 1 RFC822.SIZE 10 FLAGS ())\r\n* 2 FETCH (UID 2 RFC822.SIZE 200 FLAGS (\\Seen))\r\n",
    b"* 3 FETCH (UID 5 RFC822.SIZE 70000 FLAGS (\\Deleted))\r\n* 4 FETCH (UID 4294967295 RFC822.SIZE 3)\r\n",
    b"* 1 FETCH (FLAGS (\\Deleted) UID 1)\r\n* 2 FETCH (UID 2 FLAGS ())\r\n* 3 FETCH (UID 5 FLAGS ())\r\n* 4 FETCH (UID 4294967295 FLAGS ())\r\n",
    b"* 1 FETCH (UID 1 BODY[] {10}\r\nA: b\r\n\r\nc\n)\r\n",
    b"* 2 FETCH (UID 2 BODY[] {200}\r\n",
    b"* 3 FETCH (BODY[]<0> {8292}\r\n",
    b"* 3 FETCH (UID 5 BODY[] {70000}\r\n",
    b"* 3 FETCH (UID 5 BODY[HEADER] {6}\r\nA: b\r\n)\r\n",
    b"* 3 FETCH (BODY[HEADER] \"A: b\")\r\n",
    b"* 3 FETCH (UID 5 BODY[HEADER] {500}\r\n",
    b"* 1 FETCH (UID 1 BODY[] NIL)\r\n",
    b"* 2 FETCH (UID 2 BODY[] \"A: b\")\r\n",
    b"* LIST (\\HasNoChildren \\Trash) \"/\" Bin\r\n",
    b"* 2 EXPUNGE\r\n",
    b"* BYE going down\r\n",
    b"+ \r\n",
    b")\r\n",
    b"{3}\r\n",
];

/// How a command is answered behind its tag.
const ANSWERS: &[&str] = &[
    "OK done",
    "OK done",
    "OK done",
    "NO no",
    "BAD bad",
    "OK [READ-WRITE] selected",
    "OK [READ-ONLY] selected",
    "NO [TRYCREATE] no such folder",
    "NO [AUTHENTICATIONFAILED] no",
    "OK [CAPABILITY IMAP4rev1 UIDPLUS] in",
    "OK [CAPABILITY IMAP4rev1] in",
    "NO [MESSAGELIMIT 2 3] too many",
];

fuzz_target!(|bytes: &[u8]| {
    let mut decisions = Decisions::new(bytes);
    let mut rig = Rig::new(&mut decisions);
    while !decisions.is_empty() {
        rig.step(&mut decisions);
        rig.settle();
    }
    rig.come_to_an_end();
});

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Wanted,
    Up,
    Handshake,
}

/// The backend, played with.
struct Rig {
    backend: ImapBackend,
    seen_counts: bool,
    now: Time,
    link: Link,
    /// What the server said and the backend has not read.
    wire: VecDeque<u8>,
    /// Everything that the server said.
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
        let flags = decisions.octet();
        let pick = decisions.octet();
        let security = [
            Security::Clear,
            Security::Clear,
            Security::StartTls,
            Security::Implicit,
        ];
        let mut config = Config::new("imap.example", 143, security[usize::from(flags & 3)]);
        config.mark_seen = flags & 4 != 0;
        config.read_ahead = [0, 250, 256 * 1024, 80_000][usize::from(flags >> 3 & 3)];
        config.auth = if flags & 32 == 0 {
            AuthPreference::Auto
        } else {
            AuthPreference::Plain
        };
        config.quirks.send_id = flags & 64 != 0;
        config.quirks.pipeline_login =
            [PipelineLogin::Auto, PipelineLogin::Always][usize::from(flags >> 7)];
        config.max_messages = MESSAGES;
        config.delete = match pick % 8 {
            0 => DeletePolicy::Trash {
                fallback: "Old".into(),
            },
            1 => DeletePolicy::Move("Gel\u{f6}scht".into()),
            2 => DeletePolicy::Seen,
            3 => DeletePolicy::Keyword("$Gone".into()),
            4 => DeletePolicy::Keep,
            _ => DeletePolicy::Expunge,
        };
        // then a refused \Seen is a failed update
        let seen_counts = config.delete == DeletePolicy::Seen && !config.mark_seen;
        let user = (pick & 8 != 0).then(|| "other".into());
        let mut rig = Self {
            backend: ImapBackend::new(Arc::new(config), user),
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
        let password = Secret::from(&b"secret"[..]);
        let login = match pick >> 4 & 3 {
            0 => Login::Relay {
                mechanism: Mechanism::new("X-RELAY").expect("a name"),
                initial: None,
                names: Names::default(),
            },
            1 => Login::Bearer {
                mechanism: Mechanism::new("XOAUTH2").expect("a name"),
                user: "u".into(),
                token: password,
            },
            _ => Login::Password {
                user: "u".into(),
                password,
            },
        };
        let access = if pick & 64 == 0 {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        };
        let utf8 = pick & 128 != 0;
        rig.backend.record();
        rig.backend.handle_request(
            rig.now,
            Request::Open(Open {
                login,
                access,
                utf8,
                caller: Caller::default(),
            }),
        );
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

    /// The server says this, if there is a connection.
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
        // one step outside is the session's mistake, and must do no harm
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
                    // what the server put behind its agreement is ciphertext to the driver
                    self.wire.clear();
                }
                Effect::Disconnect => {
                    self.transmit();
                    self.disconnected();
                }
                Effect::Run(_) => panic!("there is nothing to run"),
            }
        }
        moved
    }

    fn replies(&mut self) -> bool {
        let mut moved = false;
        let mut finished = false;
        while let Some(reply) = self.backend.poll_reply(self.now, self.room) {
            moved = true;
            assert!(!finished, "a reply behind the last one: {reply:?}");
            match reply {
                Reply::Challenge(_) => {
                    assert!(self.opening && !self.challenged);
                    self.challenged = true;
                }
                Reply::Authenticated => assert!(self.opening),
                Reply::Entry { unique_id, .. } => {
                    assert!(self.opening);
                    assert!((1..=70).contains(&unique_id.len()));
                    assert!(unique_id.iter().all(|byte| (0x21..=0x7e).contains(byte)));
                    assert!(self.ids.insert(unique_id.to_vec()), "P049");
                    assert!(self.ids.len() <= MESSAGES as usize);
                    let id = std::str::from_utf8(unique_id).expect("ASCII");
                    let uid = id.split_once('.').expect("two numbers").1;
                    self.uids.push(uid.parse().expect("a number"));
                }
                Reply::Opened { .. } => {
                    assert!(std::mem::take(&mut self.opening));
                    self.opened = true;
                }
                Reply::Refused(_) => {
                    assert!(self.opening);
                    finished = true;
                }
                Reply::Failed(_) => {
                    assert!(self.opening || self.updating);
                    finished = true;
                }
                Reply::Kept => {
                    assert!(self.updating);
                    finished = true;
                }
                Reply::Updated => {
                    assert!(self.updating);
                    for tag in &self.changes {
                        assert!(was_confirmed(&self.said, tag), "{tag} was not confirmed");
                    }
                    finished = true;
                }
                Reply::BodyStart { ticket, size } if !self.cancelled.contains(&ticket.0) => {
                    let front = self.reading.front_mut().expect("something is wanted");
                    assert_eq!((front.0, front.1.is_none()), (ticket, true));
                    // the size of a header or of a window is not that of the message
                    assert_eq!(size.is_some(), self.wholes.contains(&ticket.0));
                    front.1 = Some(Body { size, came: 0 });
                }
                Reply::Body { ticket, bytes } if !self.cancelled.contains(&ticket.0) => {
                    assert!(!bytes.is_empty() && bytes.len() <= self.room);
                    let front = self.reading.front_mut().expect("something is wanted");
                    assert_eq!(front.0, ticket);
                    front.1.as_mut().expect("it has begun").came += bytes.len() as u64;
                }
                Reply::BodyEnd { ticket } if !self.cancelled.contains(&ticket.0) => {
                    let (own, body) = self.reading.pop_front().expect("something is wanted");
                    let body = body.expect("it has begun");
                    assert_eq!(own, ticket);
                    assert!(body.size.is_none_or(|size| size == body.came), "{body:?}");
                }
                Reply::BodyFailed { ticket, .. } if !self.cancelled.contains(&ticket.0) => {
                    let (own, _) = self.reading.pop_front().expect("something is wanted");
                    assert_eq!(own, ticket);
                }
                Reply::BodyStart { .. }
                | Reply::Body { .. }
                | Reply::BodyEnd { .. }
                | Reply::BodyFailed { .. } => {}
            }
        }
        if finished {
            self.finished();
        }
        moved
    }

    /// Takes what the backend says and looks at every line of it.
    fn transmit(&mut self) -> bool {
        let out = self.backend.transmit().to_vec();
        assert!(out.len() <= BOUND, "{} octets to send", out.len());
        if out.is_empty() {
            return false;
        }
        assert!(
            matches!(self.link, Link::Up | Link::Down),
            "{:?}",
            self.link
        );
        self.backend.transmitted(self.now, out.len());
        for byte in out {
            self.line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.heard(&line);
            }
        }
        true
    }

    fn heard(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim_end().to_string();
        let Some((tag, command)) = line.split_once(' ') else {
            return;
        };
        let numbered = tag
            .strip_prefix('A')
            .is_some_and(|tag| tag.bytes().all(|b| b.is_ascii_digit()));
        if !numbered {
            return;
        }
        self.tags.push_back(tag.into());
        let words: Vec<&str> = command.split(' ').collect();
        let changes = match words.as_slice() {
            ["CLOSE" | "DELETE" | "RENAME" | "APPEND", ..] => panic!("never: {command}"),
            [
                "UID",
                "STORE",
                set,
                "+FLAGS.SILENT" | "+FLAGS" | "-FLAGS.SILENT" | "-FLAGS",
                flag,
            ] => {
                let seen = *flag == "(\\Seen)";
                self.only_marked(set, seen, command);
                (!seen || self.seen_counts) && !command.contains("-FLAGS")
            }
            ["UID", "EXPUNGE" | "MOVE" | "COPY", set, ..] => {
                self.only_marked(set, false, command);
                true
            }
            ["EXPUNGE"] => {
                assert!(self.update.is_some());
                // in the place of a UID EXPUNGE that was refused
                self.changes.clear();
                true
            }
            ["CREATE", ..] => {
                assert!(self.update.is_some());
                false
            }
            ["UID", "STORE", ..] | ["STORE" | "COPY" | "MOVE", ..] => panic!("what is {command}"),
            ["UID", "FETCH", ..] => {
                assert!(!command.contains("BODY["), "without PEEK: {command}");
                self.header = command.contains("[HEADER]");
                false
            }
            _ => false,
        };
        if changes {
            self.changes.push(tag.into());
        }
    }

    fn only_marked(&self, set: &str, seen: bool, command: &str) {
        let Some((deleted, retrieved)) = &self.update else {
            panic!("without QUIT: {command}");
        };
        for range in set.split(',') {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            let (from, to): (u64, u64) = (from.parse().expect("a UID"), to.parse().expect("a UID"));
            for uid in from..=to {
                let marked = deleted.contains(&uid) || (seen && retrieved.contains(&uid));
                assert!(marked, "{uid} is not marked: {command}");
            }
        }
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

    /// Something is owed, and it is not the turn of the session: then there is a deadline.
    fn owes_a_deadline(&mut self) {
        let owed = self.opening || self.updating || !self.reading.is_empty();
        let ours = self.challenged || (self.room == 0 && !self.reading.is_empty());
        if owed && !ours && !self.over {
            assert!(self.backend.poll_timeout().is_some(), "nobody would notice");
        }
        while self.backend.poll_trace().is_some() {}
    }

    /// Whatever is owed is answered in the end, without a word from the server.
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

/// Whether the server said OK to this tag.
fn was_confirmed(said: &[u8], tag: &str) -> bool {
    let said = String::from_utf8_lossy(said).to_ascii_uppercase();
    said.match_indices(tag).any(|(at, _)| {
        let rest = &said[at + tag.len()..];
        rest.starts_with(' ') && rest.trim_start_matches(' ').starts_with("OK")
    })
}
