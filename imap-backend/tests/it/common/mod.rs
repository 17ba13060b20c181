//! A scripted upstream and a session without a POP3 side, joined to the backend in memory.

mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use imap_backend::{Config, ImapBackend, Memory, PipelineLogin, Security};
use pop3_proto::backend::renewal::Renewed;
use pop3_proto::backend::{
    Backend, Effect, Failure, Index, Login, Open, Outcome, Part, Reply, Request, Ticket,
};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;

pub(crate) use words::{LENT, begun, body, check_commands, tags, uids};

/// Capabilities as a full server announces them.
pub(crate) const FULL: &str =
    "IMAP4rev1 LITERAL+ SASL-IR UIDPLUS MOVE SPECIAL-USE LIST-EXTENDED ENABLE ID AUTH=PLAIN";

/// An upstream that takes everything in one flight, whatever it greets with.
pub(crate) fn config() -> Config {
    let mut config = Config::new("imap.example.org", 143, Security::Clear);
    config.quirks.pipeline_login = PipelineLogin::Always;
    config.client_name = "a test".into();
    config
}

pub(crate) fn password_open() -> Open {
    open_with("alice", "secret")
}

pub(crate) fn open_with(user: &str, password: &str) -> Open {
    let password = Secret::new(password.as_bytes().to_vec());
    let login = Login::Password {
        user: user.into(),
        password,
    };
    Open::new(login)
}

/// The backend with its surroundings.
pub(crate) struct World {
    pub(crate) backend: ImapBackend,
    pub(crate) now: Time,
    /// What lies in the socket towards the backend.
    pub(crate) socket: VecDeque<u8>,
    /// What the backend sent and the test has not expected yet.
    pub(crate) sent: Vec<u8>,
    /// Everything that was ever sent.
    pub(crate) all_sent: Vec<u8>,
    /// Where in it connections begin.
    connections: Vec<usize>,
    /// How many of them were answered after the first.
    reopened: usize,
    /// Replies in words; bodies are in `bodies`.
    pub(crate) replies: Vec<String>,
    pub(crate) bodies: BTreeMap<u32, Vec<u8>>,
    pub(crate) effects: Vec<String>,
    /// Whether connections succeed by themselves.
    pub(crate) connects: bool,
    /// Whether CAPABILITY in the flight of the folder is answered by itself.
    pub(crate) answers_capability: bool,
    /// How many bytes a read gives, in turn.
    pub(crate) chunks: Vec<usize>,
    chunk: usize,
    /// Room for bodies.
    pub(crate) room: usize,
    /// What a session has enough of: then it cancels, as after a TOP.
    pub(crate) enough: fn(&[u8]) -> bool,
    pub(crate) largest_room: usize,
    /// How often something was read.
    pub(crate) reads: usize,
    /// Requests that have no final reply yet.
    pub(crate) open_requests: i64,
    pub(crate) challenged: bool,
    /// The UIDs in the folder, as the upstream has them.
    pub(crate) there: Vec<u32>,
    /// Tickets that were asked for, and those that came to their end.
    pub(crate) asked: Vec<u32>,
    pub(crate) ended: Vec<u32>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self::with_backend(ImapBackend::new(Arc::new(config)))
    }

    /// A session that shares what it learns of messages that cannot be sent.
    pub(crate) fn remembering(config: Config, memory: Arc<dyn Memory>) -> Self {
        Self::with_backend(ImapBackend::new(Arc::new(config)).remembering(memory))
    }

    fn with_backend(mut backend: ImapBackend) -> Self {
        backend.record();
        Self {
            backend,
            now: Time::ZERO,
            socket: VecDeque::new(),
            sent: Vec::new(),
            all_sent: Vec::new(),
            connections: Vec::new(),
            reopened: 0,
            replies: Vec::new(),
            bodies: BTreeMap::new(),
            effects: Vec::new(),
            connects: true,
            answers_capability: true,
            chunks: vec![usize::MAX],
            chunk: 0,
            room: 16 * 1024,
            enough: |_| false,
            largest_room: 0,
            reads: 0,
            open_requests: 0,
            challenged: false,
            there: Vec::new(),
            asked: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A maildrop that is open: a greeting with `capabilities`, messages as UID and size.
    pub(crate) fn opened(config: Config, capabilities: &str, messages: &[(u32, u64)]) -> Self {
        let mut world = Self::new(config);
        world.open(password_open());
        world.serve(&format!("* OK [CAPABILITY {capabilities}] ready\r\n"));
        world.answer_open(messages);
        world
    }

    /// Answers LOGIN, SELECT and scan in one flight.
    pub(crate) fn answer_open(&mut self, messages: &[(u32, u64)]) {
        let sent = self.take_sent();
        let tags = tags(&sent);
        assert!(sent.contains(" LOGIN "), "{sent}");
        assert!(sent.contains(" SELECT "), "{sent}");
        self.there = messages.iter().map(|&(uid, _)| uid).collect();
        self.serve(&format!("{} OK logged in\r\n", tags[0]));
        self.serve(&format!(
            "* {} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n",
            messages.len()
        ));
        self.serve(&format!("{} OK [READ-WRITE] selected\r\n", tags[1]));
        for (place, (uid, size)) in messages.iter().enumerate() {
            let number = place + 1;
            self.serve(&format!(
                "* {number} FETCH (UID {uid} RFC822.SIZE {size} FLAGS ())\r\n"
            ));
        }
        self.serve(&format!("{} OK fetched\r\n", tags[2]));
        let last = self.replies.last().cloned().unwrap_or_default();
        assert_eq!(last, "Opened ReadWrite", "{:?}", self.replies);
        self.replies.clear();
    }

    /// Greets; returns the tags of what is sent after that.
    pub(crate) fn greet(&mut self) -> Vec<String> {
        self.serve(&format!("* OK [CAPABILITY {FULL}] ready\r\n"));
        tags(&self.take_sent())
    }

    /// Answers a quiet reconnect: greeting, LOGIN and SELECT.
    pub(crate) fn answer_reopen(&mut self, uid_validity: u32) {
        let tags = self.greet();
        assert_eq!(tags.len(), 2, "{tags:?}");
        self.serve(&format!("{} OK logged in\r\n", tags[0]));
        self.serve(&format!(
            "* 1 EXISTS\r\n* OK [UIDVALIDITY {uid_validity}] ok\r\n"
        ));
        self.serve(&format!("{} OK [READ-WRITE] selected\r\n", tags[1]));
    }

    /// Answers a quiet reconnect, if one has begun.
    pub(crate) fn reopen_if_asked(&mut self) -> bool {
        let asked = self.connections.len() > self.reopened + 1;
        if asked {
            self.reopened += 1;
            self.answer_reopen(7);
        }
        asked
    }

    /// The tag of the last command.
    pub(crate) fn last_tag(&self) -> String {
        tags(&self.everything_sent()).pop().unwrap()
    }

    /// Answers all FETCH commands for whole messages that wait, each message with `whole`.
    pub(crate) fn serve_wanted(&mut self) {
        for line in self.take_sent().lines() {
            let (tag, command) = line.split_once(' ').unwrap();
            let Some(set) = command.strip_prefix("UID FETCH ") else {
                continue;
            };
            for uid in uids(set.split(' ').next().unwrap()) {
                self.serve(&body(1, uid, "whole"));
            }
            self.serve(&format!("{tag} OK\r\n"));
        }
    }

    pub(crate) fn open(&mut self, open: Open) {
        self.request(Request::Open(open));
    }

    pub(crate) fn retrieve(&mut self, ticket: u32, index: u32) {
        let part = Part::Whole;
        self.request(Request::Retrieve {
            ticket: Ticket(ticket),
            index: Index(index),
            part,
        });
    }

    pub(crate) fn top(&mut self, ticket: u32, index: u32, lines: u64) {
        let part = Part::Top { lines };
        self.request(Request::Retrieve {
            ticket: Ticket(ticket),
            index: Index(index),
            part,
        });
    }

    pub(crate) fn update(&mut self, deleted: &[u32], retrieved: &[u32]) {
        let indexes = |list: &[u32]| list.iter().copied().map(Index).collect();
        let (deleted, retrieved) = (indexes(deleted), indexes(retrieved));
        self.request(Request::Update { deleted, retrieved });
    }

    pub(crate) fn request(&mut self, request: Request) {
        match &request {
            Request::Open(_) => self.open_requests += 1,
            Request::Retrieve { ticket, .. } => {
                self.asked.push(ticket.0);
                self.open_requests += 1;
            }
            // what was being read is not waited for any more
            Request::Update { .. } => self.open_requests = 1,
            Request::Cancel(ticket) => {
                self.ended.push(ticket.0);
                self.open_requests -= 1;
            }
            Request::Abandon => self.open_requests = 0,
            Request::Answer(_) => self.challenged = false,
        }
        self.backend.handle_request(self.now, request);
        self.run();
    }

    /// The upstream says this.
    pub(crate) fn serve(&mut self, text: &str) {
        self.serve_bytes(text.as_bytes());
    }

    pub(crate) fn serve_bytes(&mut self, bytes: &[u8]) {
        self.socket.extend(bytes);
        self.run();
    }

    /// The upstream closes.
    pub(crate) fn hang_up(&mut self) {
        self.run();
        self.backend
            .handle_outcome(self.now, Outcome::Lost(Failure::temporary("closed")));
        self.socket.clear();
        self.run();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.backend.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.backend.handle_timeout(self.now);
            let next = self.backend.poll_timeout();
            assert!(
                next.is_none_or(|next| next > at),
                "the deadline {at:?} does not go away"
            );
            self.run();
        }
        self.now = self.now.max(until);
    }

    /// Moves everything that can move.
    pub(crate) fn run(&mut self) {
        for step in 0.. {
            assert!(step < 1_000_000, "it never ends");
            let mut moved = self.take_replies();
            while let Some(effect) = self.backend.poll_effect() {
                moved = true;
                self.effect(effect);
            }
            let out = self.backend.transmit().to_vec();
            if !out.is_empty() {
                moved = true;
                let n = out.len().min(self.next_chunk());
                self.sent.extend_from_slice(&out[..n]);
                self.all_sent.extend_from_slice(&out[..n]);
                self.backend.transmitted(self.now, n);
            }
            let chunk = self.next_chunk();
            let buf = self.backend.recv_buf();
            self.largest_room = self.largest_room.max(buf.len());
            let n = buf.len().min(self.socket.len()).min(chunk);
            if n > 0 {
                moved = true;
                for (place, byte) in buf.iter_mut().zip(self.socket.drain(..n)) {
                    *place = byte;
                }
                self.backend.received(self.now, n);
                self.reads += 1;
            }
            if !moved && !self.answer_capability() {
                break;
            }
        }
        self.check();
    }

    /// Tells nothing new where the capabilities are asked for after SELECT: most scripts are about
    /// something else.
    fn answer_capability(&mut self) -> bool {
        let find = |needle: &[u8]| self.sent.windows(needle.len()).position(|w| w == needle);
        let asks = b" CAPABILITY\r\n";
        let (Some(select), Some(end)) =
            (find(b" SELECT ").or_else(|| find(b" EXAMINE ")), find(asks))
        else {
            return false;
        };
        if !self.answers_capability || end < select {
            return false;
        }
        let line = self.sent[..end].iter().rposition(|&b| b == b'\n');
        let start = line.map_or(0, |at| at + 1);
        let tag = String::from_utf8_lossy(&self.sent[start..end]).into_owned();
        self.sent.drain(start..end + asks.len());
        self.socket.extend(format!("{tag} OK\r\n").into_bytes());
        true
    }

    fn next_chunk(&mut self) -> usize {
        self.chunk = (self.chunk + 1) % self.chunks.len();
        self.chunks[self.chunk].max(1)
    }

    fn take_replies(&mut self) -> bool {
        let mut any = false;
        while let Some(reply) = self.backend.poll_reply(self.now, self.room) {
            any = true;
            let (words, is_final) = match reply {
                Reply::Challenge(bytes) => {
                    self.challenged = true;
                    (
                        format!("Challenge {}", String::from_utf8_lossy(bytes)),
                        false,
                    )
                }
                Reply::Authenticated => ("Authenticated".into(), false),
                Reply::Entry { size, unique_id } => (
                    format!("Entry {} {size}", String::from_utf8_lossy(unique_id)),
                    false,
                ),
                Reply::Opened { access } => (format!("Opened {access:?}"), true),
                Reply::Refused(refusal) => (format!("Refused {refusal:?}"), true),
                Reply::BodyStart { ticket, size } => {
                    self.bodies.insert(ticket.0, Vec::new());
                    (format!("BodyStart {} {size:?}", ticket.0), false)
                }
                Reply::Body { ticket, bytes } => {
                    assert!(!bytes.is_empty() && bytes.len() <= self.room);
                    let body = self.bodies.get_mut(&ticket.0).unwrap();
                    body.extend_from_slice(bytes);
                    if (self.enough)(body) {
                        self.request(Request::Cancel(ticket));
                    }
                    continue;
                }
                Reply::BodyEnd { ticket } => {
                    self.ended.push(ticket.0);
                    (format!("BodyEnd {}", ticket.0), true)
                }
                Reply::BodyFailed { ticket, failure } => {
                    self.ended.push(ticket.0);
                    let Failure { kind, detail, .. } = failure;
                    (format!("BodyFailed {} {kind:?} {detail}", ticket.0), true)
                }
                Reply::Updated => ("Updated".into(), true),
                Reply::Kept => ("Kept".into(), true),
                Reply::Failed(failure) => (
                    format!("Failed {:?} {}", failure.kind, failure.detail),
                    true,
                ),
            };
            if is_final {
                self.open_requests -= 1;
            }
            self.replies.push(words);
        }
        any
    }

    fn effect(&mut self, effect: Effect<Renewed>) {
        self.effects.push(format!("{effect:?}"));
        match effect {
            Effect::Connect(_) if self.connects => {
                self.connections.push(self.all_sent.len());
                self.socket.clear();
                self.backend.handle_outcome(self.now, Outcome::Connected);
            }
            Effect::StartTls { .. } if self.connects => {
                self.backend.handle_outcome(self.now, Outcome::TlsReady);
            }
            Effect::Disconnect => self.socket.clear(),
            Effect::Connect(_)
            | Effect::Resume(_)
            | Effect::Park(_)
            | Effect::StartTls { .. }
            | Effect::Run(_) => {}
        }
    }

    /// What holds after everything has moved.
    fn check(&self) {
        if self.open_requests > 0 && !self.challenged && self.room > 0 {
            assert!(
                self.backend.poll_timeout().is_some(),
                "something is awaited for ever: {:?} {:?}",
                self.backend,
                self.replies,
            );
        }
        assert!(self.largest_room <= 64 * 1024);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let ends = self.connections.iter().skip(1).copied();
            let ends = ends.chain([self.all_sent.len()]);
            for (start, end) in self.connections.iter().zip(ends) {
                check_commands(&self.all_sent[*start..end]);
            }
        }
    }
}
