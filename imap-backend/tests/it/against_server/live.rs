//! A session against the server: a backend and the testkit's IMAP server, joined in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::check_commands;
use imap_backend::{Config, ImapBackend};
use pop3_proto::backend::{Backend, Effect, Failure, Index, Outcome, Part, Reply, Request, Ticket};
use pop3_proto::time::Time;
use testkit::imap_server::{Options, Server, ServerSession, Store};

pub(super) const FOLDER: &str = "INBOX";
pub(super) const USER: &str = "alice";

/// A backend and a server, joined in memory.
pub(super) struct Live {
    pub(super) backend: ImapBackend,
    pub(super) server: Server,
    pub(super) session: Option<ServerSession>,
    pub(super) now: Time,
    pub(super) chunks: Vec<usize>,
    pub(super) chunk: usize,
    /// What was sent on each connection.
    pub(super) sent: Vec<Vec<u8>>,
    /// What was answered, in order.
    pub(super) ends: Vec<End>,
    pub(super) entries: Vec<(u32, u64)>,
    /// The unique-ids in the order of the entries.
    pub(super) ids: Vec<String>,
    pub(super) bodies: BTreeMap<u32, Vec<u8>>,
    pub(super) open_requests: usize,
    /// This many octets of a message are enough, as a session says after a TOP.
    pub(super) enough: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Opened,
    NotOpened(String),
    Body(u32),
    NoBody(u32, String),
    Updated,
    NotUpdated(String),
}

impl Live {
    pub(super) fn new(config: Config, server: Server, chunks: Vec<usize>) -> Self {
        Self {
            backend: ImapBackend::new(Arc::new(config)),
            server,
            session: None,
            now: Time::ZERO,
            chunks,
            chunk: 0,
            sent: Vec::new(),
            ends: Vec::new(),
            entries: Vec::new(),
            ids: Vec::new(),
            bodies: BTreeMap::new(),
            open_requests: 0,
            enough: usize::MAX,
        }
    }

    /// Makes a request and waits for its end, however long that takes on the clock.
    pub(super) fn ask(&mut self, request: Request) -> Option<End> {
        let answered = self.ends.len();
        self.post(request);
        for _ in 0..50 {
            if self.open_requests == 0 {
                break;
            }
            let at = self.backend.poll_timeout();
            let at = at.unwrap_or_else(|| panic!("awaited for ever: {:?}", self.ends));
            self.now = self.now.max(at);
            self.backend.handle_timeout(self.now);
            self.run();
        }
        assert_eq!(self.open_requests, 0, "never answered: {:?}", self.ends);
        self.ends.get(answered).cloned()
    }

    pub(super) fn post(&mut self, request: Request) {
        match request {
            Request::Open(_) | Request::Retrieve { .. } | Request::Update { .. } => {
                self.open_requests += 1;
            }
            Request::Answer(_) | Request::Cancel(_) | Request::Abandon => {}
        }
        self.backend.handle_request(self.now, request);
        self.run();
    }

    fn next_chunk(&mut self) -> usize {
        self.chunk = (self.chunk + 1) % self.chunks.len();
        self.chunks[self.chunk]
    }

    pub(super) fn run(&mut self) {
        for step in 0.. {
            assert!(step < 500_000, "it never ends");
            let mut moved = self.take_replies();
            while let Some(effect) = self.backend.poll_effect() {
                moved = true;
                match effect {
                    Effect::Connect(_) => {
                        self.sent.push(Vec::new());
                        self.session = Some(self.server.connect());
                        self.backend.handle_outcome(self.now, Outcome::Connected);
                    }
                    Effect::Disconnect => {
                        // what is still to be sent is sent
                        let out = self.backend.transmit().to_vec();
                        self.sent.last_mut().unwrap().extend_from_slice(&out);
                        if let Some(session) = &mut self.session {
                            session.handle_input(&out);
                            session.handle_eof();
                        }
                        self.backend.transmitted(self.now, out.len());
                        self.session = None;
                    }
                    Effect::Resume(_)
                    | Effect::Park(_)
                    | Effect::StartTls { .. }
                    | Effect::Run(_) => panic!("not asked for"),
                }
            }
            let chunk = self.next_chunk();
            let Some(session) = &mut self.session else {
                if moved {
                    continue;
                }
                return;
            };
            let out = self.backend.transmit();
            let n = out.len().min(chunk);
            if n > 0 && session.wants_input() {
                moved = true;
                self.sent.last_mut().unwrap().extend_from_slice(&out[..n]);
                session.handle_input(&out[..n]);
                self.backend.transmitted(self.now, n);
            }
            let buf = self.backend.recv_buf();
            let n = buf.len().min(session.transmit().len()).min(chunk);
            if n > 0 {
                moved = true;
                buf[..n].copy_from_slice(&session.transmit()[..n]);
                session.transmitted(n);
                self.backend.received(self.now, n);
            } else if session.is_closed() && session.transmit().is_empty() {
                moved = true;
                self.session = None;
                let lost = Outcome::Lost(Failure::temporary("closed"));
                self.backend.handle_outcome(self.now, lost);
            }
            if !moved {
                return;
            }
        }
    }

    /// Whether this is about a message that the session has cancelled.
    fn has_enough(&self, end: &End) -> bool {
        match end {
            End::Body(ticket) | End::NoBody(ticket, _) => self.ends.contains(&End::Body(*ticket)),
            End::Opened | End::NotOpened(_) | End::Updated | End::NotUpdated(_) => false,
        }
    }

    fn take_replies(&mut self) -> bool {
        let mut any = false;
        let room = self.next_chunk();
        while let Some(reply) = self.backend.poll_reply(self.now, room) {
            any = true;
            let end = match reply {
                Reply::Challenge(_) => panic!("not asked for"),
                Reply::Authenticated => continue,
                Reply::Entry { size, unique_id } => {
                    let id = String::from_utf8(unique_id.to_vec()).unwrap();
                    let uid = id.split_once('.').unwrap().1.parse().unwrap();
                    self.entries.push((uid, size));
                    self.ids.push(id);
                    continue;
                }
                Reply::BodyStart { ticket, .. } => {
                    assert!(self.bodies.insert(ticket.0, Vec::new()).is_none());
                    continue;
                }
                Reply::Body { ticket, bytes } => {
                    let body = self.bodies.get_mut(&ticket.0).unwrap();
                    body.extend_from_slice(bytes);
                    if body.len() < self.enough || self.ends.contains(&End::Body(ticket.0)) {
                        continue;
                    }
                    self.backend
                        .handle_request(self.now, Request::Cancel(ticket));
                    End::Body(ticket.0)
                }
                Reply::Opened { .. } => End::Opened,
                Reply::Refused(refusal) => End::NotOpened(refusal.detail),
                Reply::BodyEnd { ticket } => End::Body(ticket.0),
                Reply::BodyFailed { ticket, failure } => End::NoBody(ticket.0, failure.detail),
                Reply::Updated | Reply::Kept => End::Updated,
                Reply::Failed(failure) if self.ends.is_empty() => End::NotOpened(failure.detail),
                Reply::Failed(failure) => End::NotUpdated(failure.detail),
            };
            if self.has_enough(&end) {
                continue;
            }
            self.ends.push(end);
            self.open_requests -= 1;
        }
        any
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.sent.iter().for_each(|sent| check_commands(sent));
        }
    }
}

/// A mailbox with messages of these sizes and gaps between their UIDs.
pub(super) fn server(options: Options, mail: &[(usize, u32)]) -> (Server, Vec<Vec<u8>>) {
    let store = Store::new();
    store.add_user(USER, "secret");
    store.add_folder(USER, "Trash", Some("\\Trash"));
    store.add_folder(USER, "Done", None);
    let mut contents = Vec::new();
    for (place, (size, gap)) in mail.iter().enumerate() {
        let mut content = format!("Subject: {place}\r\n\r\n").into_bytes();
        content.extend((0..*size).map(|n| b'a' + ((n + place) % 26) as u8));
        store.edit(USER, FOLDER, |folder| {
            folder.skip_to_uid(folder.uid_next() + gap)
        });
        store.deliver(USER, content.clone());
        contents.push(content);
    }
    (Server::new(store, options), contents)
}

pub(super) fn retrieve(ticket: u32, index: u32, part: Part) -> Request {
    Request::Retrieve {
        ticket: Ticket(ticket),
        index: Index(index),
        part,
    }
}

pub(super) fn update(deleted: &[u32], retrieved: &[u32]) -> Request {
    let indexes = |list: &[u32]| list.iter().copied().map(Index).collect();
    Request::Update {
        deleted: indexes(deleted),
        retrieved: indexes(retrieved),
    }
}
