//! A session with a maildrop in memory, driven by hand.
#![allow(missing_docs, reason = "only tests use it")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::{
    Access, Failure, FailureKind, Index, Login, Open, Part, Refusal, RefusalKind, Reply, Request,
    Ticket,
};
use pop3_proto::server::{Event, Policy, Reason, Session, TlsInfo};
use pop3_proto::time::Time;

/// The store's answers, owned.
#[derive(Clone, Debug)]
pub enum Answer {
    Challenge(Vec<u8>),
    Authenticated,
    Entry(u64, Vec<u8>),
    Opened(Access),
    Refused(RefusalKind),
    Start(Ticket, u64),
    Body(Ticket, Vec<u8>),
    End(Ticket),
    BodyFailed(Ticket, Failure),
    Updated,
    Kept,
    Failed(Failure),
}

impl Answer {
    /// As a backend lends it.
    pub fn reply(&self) -> Reply<'_> {
        match self {
            Self::Challenge(bytes) => Reply::Challenge(bytes),
            Self::Authenticated => Reply::Authenticated,
            Self::Entry(size, id) => Reply::Entry {
                size: *size,
                unique_id: id,
            },
            Self::Opened(access) => Reply::Opened { access: *access },
            Self::Refused(kind) => Reply::Refused(Refusal::new(*kind, "")),
            Self::Start(ticket, size) => Reply::BodyStart {
                ticket: *ticket,
                size: Some(*size),
            },
            Self::Body(ticket, bytes) => Reply::Body {
                ticket: *ticket,
                bytes,
            },
            Self::End(ticket) => Reply::BodyEnd { ticket: *ticket },
            Self::BodyFailed(ticket, failure) => Reply::BodyFailed {
                ticket: *ticket,
                failure: failure.clone(),
            },
            Self::Updated => Reply::Updated,
            Self::Kept => Reply::Kept,
            Self::Failed(failure) => Reply::Failed(failure.clone()),
        }
    }
}

/// The user `u` with the password `p w`, some messages, and what was asked of the store.
#[derive(Default)]
pub struct Store {
    pub messages: Vec<Vec<u8>>,
    pub removed: Vec<u32>,
    pub requests: Vec<Request>,
    pub answers: VecDeque<Answer>,
    /// Answers nothing while set.
    pub silent: bool,
    pub refuse: Option<RefusalKind>,
    pub fail_update: bool,
    /// Pieces of a body.
    pub piece: usize,
    /// What goes wrong with a message.
    pub troubles: Vec<(Index, Trouble)>,
    /// The announced size of the messages, instead of the true one.
    pub sizes: Vec<u64>,
    /// The challenges of a relayed login.
    pub challenges: VecDeque<Vec<u8>>,
}

/// What goes wrong with a message.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// It cannot be read.
    Fails(FailureKind),
    /// It breaks off after this many octets.
    Breaks(usize),
}

impl Store {
    /// Queues the answers to a request.
    pub fn handle(&mut self, request: Request) {
        self.requests.push(request.clone());
        if self.silent {
            return;
        }
        match request {
            Request::Open(Open { login, access, .. }) => self.open(&login, access),
            Request::Answer(_) => match self.challenges.pop_front() {
                Some(challenge) => self.answers.push_back(Answer::Challenge(challenge)),
                None => self.opened(Access::ReadWrite),
            },
            Request::Retrieve {
                ticket,
                index,
                part: Part::Whole | Part::Top { .. },
            } => self.retrieve(ticket, index),
            Request::Cancel(_) | Request::Abandon => self.answers.clear(),
            Request::Update { .. } if self.fail_update => {
                self.answers
                    .push_back(Answer::Failed(Failure::temporary("")));
            }
            Request::Update { deleted, .. } => {
                self.removed
                    .extend(deleted.iter().map(|index: &Index| index.0));
                self.answers.push_back(Answer::Updated);
            }
        }
    }

    fn retrieve(&mut self, ticket: Ticket, index: Index) {
        let message = self.messages[index.0 as usize].clone();
        let mut troubles = self.troubles.iter();
        let trouble = troubles.find(|(at, _)| *at == index).map(|(_, what)| *what);
        let failed = |kind| Answer::BodyFailed(ticket, Failure::new(kind, "words of the store"));
        let sent = match trouble {
            Some(Trouble::Fails(kind)) => return self.answers.push_back(failed(kind)),
            Some(Trouble::Breaks(after)) => &message[..after],
            None => &message[..],
        };
        self.answers
            .push_back(Answer::Start(ticket, message.len() as u64));
        for piece in sent.chunks(self.piece.max(1)) {
            self.answers.push_back(Answer::Body(ticket, piece.to_vec()));
        }
        self.answers.push_back(match trouble {
            Some(_) => failed(FailureKind::Temporary),
            None => Answer::End(ticket),
        });
    }

    fn open(&mut self, login: &Login, access: Access) {
        let good = match login {
            Login::Password { user, password } => user == "u" && password.expose() == b"p w",
            // the store lets no user act for another
            Login::ActingFor { .. } => false,
            Login::Bearer { token, .. } => token.expose() == b"good",
            Login::Relay { .. } => {
                let first = self.challenges.pop_front();
                let first = first.unwrap_or_else(|| b"what?".to_vec());
                return self.answers.push_back(Answer::Challenge(first));
            }
            Login::Apop { .. } | Login::CramMd5 { .. } => true,
            other => panic!("no such login here: {other:?}"),
        };
        let refusal = if good {
            self.refuse
        } else {
            Some(RefusalKind::Credentials)
        };
        match refusal {
            Some(kind) => self.answers.push_back(Answer::Refused(kind)),
            None => self.opened(access),
        }
    }

    fn opened(&mut self, access: Access) {
        self.answers.push_back(Answer::Authenticated);
        for (n, message) in self.messages.iter().enumerate() {
            let size = self.sizes.get(n).copied();
            self.answers.push_back(Answer::Entry(
                size.unwrap_or(message.len() as u64),
                format!("id{n}").into(),
            ));
        }
        self.answers.push_back(Answer::Opened(access));
    }
}

/// A session, its store, and what came out.
pub struct Talk {
    pub session: Session,
    pub store: Store,
    pub now: Time,
    pub closed: Option<Reason>,
    pub tls_wanted: bool,
    /// Octets the client takes; unlimited if `None`.
    pub window: Option<usize>,
    /// Answers that the store may still give; unlimited if `None`.
    pub answers: Option<usize>,
    pub out: Vec<u8>,
}

impl Talk {
    pub fn new(policy: Policy, messages: &[&[u8]]) -> Self {
        let mut talk = Self::with_greeting(policy, messages);
        talk.out.clear();
        talk
    }

    /// The greeting is heard.
    pub fn with_greeting(policy: Policy, messages: &[&[u8]]) -> Self {
        let session = Session::new(Arc::new(policy), "<1.2@host>", Time::ZERO);
        let messages = messages.iter().map(|message| message.to_vec()).collect();
        let store = Store {
            messages,
            piece: 7,
            ..Store::default()
        };
        let mut talk = Self {
            session,
            store,
            now: Time::ZERO,
            closed: None,
            tls_wanted: false,
            window: None,
            answers: None,
            out: Vec::new(),
        };
        talk.settle();
        talk
    }

    /// Clear logins allowed, logged in.
    pub fn logged_in(messages: &[&[u8]]) -> Self {
        let mut talk = Self::new(clear(), messages);
        assert!(talk.say("USER u\r\nPASS p w\r\n").contains("+OK"));
        talk
    }

    pub fn say(&mut self, text: &str) -> String {
        self.feed(text.as_bytes());
        self.heard()
    }

    pub fn heard(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.out)).into_owned()
    }

    /// Hands octets in as room allows; gives up where the session wants no more.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.closed.is_none() {
            let offered = bytes.len().min(self.session.input_room().max(1));
            let taken = self.session.handle_input(self.now, &bytes[..offered]);
            bytes = &bytes[taken..];
            self.settle();
            if taken == 0 {
                break;
            }
        }
    }

    /// Moves everything until nothing moves.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            while let Some(event) = self.session.poll_event() {
                moved = true;
                match event {
                    Event::Request(request) => self.store.handle(request),
                    Event::StartTls => self.tls_wanted = true,
                    Event::Close(reason) => {
                        assert!(self.closed.is_none(), "closed twice");
                        self.closed = Some(reason);
                    }
                }
            }
            moved |= self.answer();
            let n = self
                .window
                .unwrap_or(usize::MAX)
                .min(self.session.transmit().len());
            if n > 0 {
                self.out.extend_from_slice(&self.session.transmit()[..n]);
                self.session.transmitted(self.now, n);
                self.window = self.window.map(|window| window - n);
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    fn answer(&mut self) -> bool {
        let room = self.session.body_room();
        if let Some(Answer::Body(_, bytes)) = self.store.answers.front()
            && bytes.len() > room
        {
            return false;
        }
        if self.answers == Some(0) {
            return false;
        }
        let Some(answer) = self.store.answers.pop_front() else {
            return false;
        };
        self.answers = self.answers.map(|left| left - 1);
        self.session.handle_reply(self.now, answer.reply());
        true
    }

    /// Lets time pass, deadline by deadline.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.session.poll_timeout()
            && at <= end
        {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.settle();
            if let Some((next, why)) = self.session.poll_timeout() {
                assert!(next > self.now, "time stands still: {why}");
            }
        }
        self.now = end;
    }

    pub fn tls(&mut self) {
        assert!(std::mem::take(&mut self.tls_wanted), "no TLS wanted");
        let info = TlsInfo::new("TLSv1.3", "test");
        self.session.handle_tls(self.now, info);
        self.settle();
    }

    pub fn deletions_asked(&self) -> usize {
        let updates = self.store.requests.iter();
        updates
            .filter(|request| matches!(request, Request::Update { .. }))
            .count()
    }
}

pub fn clear() -> Policy {
    Policy::default().clear_login(true).utf8(true)
}

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
