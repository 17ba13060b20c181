//! A mail store behind a socket, with a toy protocol: `HELLO`, `GET <n>`, `REMOVE <n>…`, `BYE`, one line
//! each, optionally inside TLS. Answers: `OK <count>`, `DATA <length>` and the octets, `DONE`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::{
    Access, Backend, Effect, Endpoint, Failure, Login, Outcome, Reply, Request, Ticket,
};
use pop3_proto::time::Time;
use pop3_server::service::{Denied, Peer, Routed, Service};
use pop3_server::tls::UpstreamTls;

/// How long the store may take to say hello.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct WireService {
    pub endpoint: Endpoint,
    /// The name that the certificate must prove; none for no TLS.
    pub server_name: Option<String>,
    pub tls: Option<Arc<UpstreamTls>>,
}

impl Service for WireService {
    type Backend = WireBackend;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<WireBackend>, Denied> {
        let user = login.user().unwrap_or_default();
        let backend = WireBackend::new(self.clone());
        Ok(Routed::new(backend, user, "wire").tls(self.tls.clone()))
    }
}

#[derive(Debug)]
enum Out {
    Authenticated,
    Entry(String),
    Opened,
    Start(Ticket, u64),
    Cut(Ticket, Failure),
    Updated,
    Failed(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Hello,
    Message(Ticket),
    Body(Ticket, u64),
    Update,
}

#[derive(Debug)]
pub struct WireBackend {
    service: WireService,
    effects: VecDeque<Effect<()>>,
    replies: VecDeque<Out>,
    lent: Option<String>,
    waiting: Waiting,
    /// The message that is coming is not wanted any more.
    cancelled: bool,
    /// Requests that came while a message was still coming.
    queued: VecDeque<Request>,
    output: Vec<u8>,
    input: Box<[u8]>,
    start: usize,
    end: usize,
    deadline: Option<Time>,
    /// It connects only when it is polled for a reply.
    shy: bool,
}

impl WireBackend {
    fn new(service: WireService) -> Self {
        Self {
            service,
            effects: VecDeque::new(),
            replies: VecDeque::new(),
            lent: None,
            waiting: Waiting::Nothing,
            cancelled: false,
            queued: VecDeque::new(),
            output: Vec::new(),
            input: vec![0; 8192].into(),
            start: 0,
            end: 0,
            deadline: None,
            shy: false,
        }
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.push(b'\n');
    }

    fn leave(&mut self) {
        self.waiting = Waiting::Nothing;
        self.deadline = None;
        self.say("BYE");
        self.effects.push_back(Effect::Disconnect);
    }

    fn advance(&mut self) {
        if let (true, Waiting::Body(ticket, left)) = (self.cancelled, self.waiting) {
            let n = (self.end - self.start).min(usize::try_from(left).unwrap());
            self.start += n;
            self.waiting = Waiting::Body(ticket, left - n as u64);
            if left == n as u64 {
                self.message_done();
            }
        }
        while !matches!(self.waiting, Waiting::Body(..) | Waiting::Nothing) {
            let pending = &self.input[self.start..self.end];
            let Some(length) = pending.iter().position(|&b| b == b'\n') else {
                break;
            };
            let line = String::from_utf8_lossy(&pending[..length]).into_owned();
            self.start += length + 1;
            self.line(&line);
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    fn message_done(&mut self) {
        self.waiting = Waiting::Nothing;
        self.cancelled = false;
        if let Some(request) = self.queued.pop_front() {
            self.handle_request(Time::ZERO, request);
        }
    }

    fn line(&mut self, line: &str) {
        let (word, number) = line.split_once(' ').unwrap_or((line, "0"));
        let number: u64 = number.parse().unwrap_or(0);
        match (self.waiting, word) {
            (Waiting::Hello, "OK") => {
                self.replies.push_back(Out::Authenticated);
                self.replies
                    .extend((0..number).map(|n| Out::Entry(format!("id{n}"))));
                self.replies.push_back(Out::Opened);
                self.waiting = Waiting::Nothing;
                self.deadline = None;
            }
            (Waiting::Message(ticket), "DATA") => {
                self.waiting = Waiting::Body(ticket, number);
                if self.cancelled {
                    return self.advance();
                }
                self.replies.push_back(Out::Start(ticket, number));
            }
            (Waiting::Update, "DONE") => {
                self.replies.push_back(Out::Updated);
                self.leave();
            }
            _ => self.fail(Failure::temporary("the store talks nonsense")),
        }
    }

    fn fail(&mut self, failure: Failure) {
        if let Waiting::Body(_, left) = self.waiting
            && left <= (self.end - self.start) as u64
        {
            // The rest of the message is here already.
            return;
        }
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        self.deadline = None;
        match waiting {
            Waiting::Nothing => {}
            Waiting::Hello | Waiting::Update => self.replies.push_back(Out::Failed(failure)),
            Waiting::Message(ticket) | Waiting::Body(ticket, _) => {
                self.replies.push_back(Out::Cut(ticket, failure));
            }
        }
    }
}

impl Backend for WireBackend {
    type Done = ();

    fn handle_request(&mut self, now: Time, request: Request) {
        let busy = matches!(self.waiting, Waiting::Message(_) | Waiting::Body(..));
        match request {
            Request::Retrieve { .. } | Request::Update { .. } if busy => {
                self.queued.push_back(request);
            }
            Request::Open(_) => {
                self.waiting = Waiting::Hello;
                self.deadline = Some(now + PATIENCE);
                self.shy = true;
            }
            Request::Retrieve { ticket, index, .. } => {
                self.waiting = Waiting::Message(ticket);
                self.say(&format!("GET {}", index.0));
            }
            Request::Update { deleted, .. } => {
                self.waiting = Waiting::Update;
                let numbers: Vec<_> = deleted.iter().map(|index| index.0.to_string()).collect();
                self.say(&format!("REMOVE {}", numbers.join(" ")));
            }
            Request::Abandon => self.leave(),
            Request::Cancel(cancelled) => {
                let coming = match self.waiting {
                    Waiting::Message(ticket) | Waiting::Body(ticket, _) => ticket == cancelled,
                    Waiting::Nothing | Waiting::Hello | Waiting::Update => false,
                };
                if coming {
                    self.cancelled = true;
                    self.advance();
                }
            }
            Request::Answer(_) => {}
        }
    }

    fn handle_outcome(&mut self, _: Time, outcome: Outcome<()>) {
        match outcome {
            Outcome::Connected => match self.service.server_name.clone() {
                Some(server_name) => self.effects.push_back(Effect::StartTls { server_name }),
                None => self.say("HELLO"),
            },
            Outcome::TlsReady => self.say("HELLO"),
            Outcome::Done(()) | Outcome::Resumed(_) => {}
            Outcome::Lost(failure) => self.fail(failure),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.fail(Failure::temporary("the store is silent"));
            self.effects.push_back(Effect::Disconnect);
        }
    }

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(match reply {
                Out::Authenticated => Reply::Authenticated,
                Out::Entry(id) => {
                    let unique_id = self.lent.insert(id).as_bytes();
                    Reply::Entry {
                        size: 10,
                        unique_id,
                    }
                }
                Out::Opened => Reply::Opened {
                    access: Access::ReadWrite,
                },
                Out::Start(ticket, size) => Reply::BodyStart {
                    ticket,
                    size: Some(size),
                },
                Out::Cut(ticket, failure) => Reply::BodyFailed { ticket, failure },
                Out::Updated => Reply::Updated,
                Out::Failed(failure) => Reply::Failed(failure),
            });
        }
        if std::mem::take(&mut self.shy) {
            self.effects
                .push_back(Effect::Connect(self.service.endpoint.clone()));
        }
        let Waiting::Body(ticket, left) = self.waiting else {
            return None;
        };
        if left == 0 {
            self.waiting = Waiting::Nothing;
            return Some(Reply::BodyEnd { ticket });
        }
        let n = (self.end - self.start)
            .min(room)
            .min(usize::try_from(left).unwrap());
        if n == 0 {
            return None;
        }
        self.waiting = Waiting::Body(ticket, left - n as u64);
        let start = self.start;
        self.start += n;
        Some(Reply::Body {
            ticket,
            bytes: &self.input[start..start + n],
        })
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.deadline
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        &mut self.input[self.end..]
    }

    fn received(&mut self, _: Time, n: usize) {
        self.end += n;
        self.advance();
    }

    fn transmit(&self) -> &[u8] {
        &self.output
    }

    fn transmitted(&mut self, _: Time, n: usize) {
        self.output.drain(..n);
    }
}

/// The other end of the toy protocol.
#[derive(Debug, Default)]
pub struct WireStore {
    pub messages: Vec<Vec<u8>>,
    pub removed: Vec<usize>,
    pub said_bye: bool,
    input: Vec<u8>,
    pub output: Vec<u8>,
}

impl WireStore {
    pub fn new(messages: Vec<Vec<u8>>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }

    pub fn handle_input(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(end) = self.input.iter().position(|&b| b == b'\n') {
            let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
            self.input.drain(..=end);
            let mut words = line.split_whitespace();
            match words.next() {
                Some("HELLO") => {
                    let hello = format!("OK {}\n", self.messages.len());
                    self.output.extend_from_slice(hello.as_bytes());
                }
                Some("GET") => {
                    let index: usize = words.next().unwrap().parse().unwrap();
                    let message = &self.messages[index];
                    self.output
                        .extend_from_slice(format!("DATA {}\n", message.len()).as_bytes());
                    self.output.extend_from_slice(message);
                }
                Some("REMOVE") => {
                    self.removed
                        .extend(words.map(|word| word.parse::<usize>().unwrap()));
                    self.output.extend_from_slice(b"DONE\n");
                }
                Some("BYE") => self.said_bye = true,
                _ => {}
            }
        }
    }
}
