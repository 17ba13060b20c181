//! A made-up mailbox that writes down what it hears, and a driver that writes down what it says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use pop3_proto::backend::erased::{AnyBackend, AnyDone, Erased};
use pop3_proto::backend::{
    Backend, Effect, Endpoint, Failure, Index, Job, Login, Note, Open, Outcome, Part, Refusal,
    RefusalKind, Reply, Request, Ticket,
};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;
use pop3_proto::trace::Trace;

pub(crate) const NOW: Time = Time::ZERO;

/// What was said within, of all backends of a test.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A made-up mailbox of two messages on a made-up connection. Its password is `right`.
pub(crate) struct Mailbox {
    name: &'static str,
    heard: Heard,
    replies: VecDeque<Reply<'static>>,
    effects: VecDeque<Effect<u8>>,
    notes: VecDeque<Note>,
    records: bool,
    out: Vec<u8>,
}

impl Mailbox {
    pub(crate) fn new(name: &'static str, heard: &Heard) -> Self {
        Self {
            name,
            heard: heard.clone(),
            replies: VecDeque::new(),
            effects: VecDeque::new(),
            notes: VecDeque::new(),
            records: false,
            out: Vec::new(),
        }
    }

    pub(crate) fn boxed(name: &'static str, heard: &Heard) -> AnyBackend {
        Erased::boxed(Self::new(name, heard))
    }

    fn open(&mut self, open: &Open) {
        let Login::Password { user, password } = &open.login else {
            panic!("only passwords here");
        };
        self.heard.note(format!("{}: open {user}", self.name));
        self.effects.push_back(Effect::Connect(Endpoint {
            host: self.name.into(),
            port: 143,
        }));
        if password.expose() != b"right" {
            let refusal = Refusal::new(RefusalKind::Credentials, "wrong");
            self.replies.push_back(Reply::Refused(refusal));
            return self.effects.push_back(Effect::Disconnect);
        }
        self.notes.push_back(Note::information("it is open"));
        self.effects
            .push_back(Effect::Run(Job::Block(Box::new(|| 7))));
        self.replies.push_back(Reply::Authenticated);
        for unique_id in [b"one", b"two"] {
            let size = 5;
            self.replies.push_back(Reply::Entry { size, unique_id });
        }
        self.replies.push_back(Reply::Opened {
            access: open.access,
        });
    }
}

impl Backend for Mailbox {
    type Done = u8;

    fn handle_request(&mut self, _: Time, request: Request) {
        match request {
            Request::Open(open) => self.open(&open),
            Request::Retrieve { ticket, .. } => self.replies.extend([
                Reply::BodyStart { ticket, size: None },
                Reply::Body {
                    ticket,
                    bytes: b"octets",
                },
                Reply::BodyEnd { ticket },
            ]),
            Request::Update { deleted, .. } => {
                self.heard
                    .note(format!("{}: update {deleted:?}", self.name));
                self.replies.push_back(Reply::Updated);
            }
            Request::Abandon => self.heard.note(format!("{}: abandon", self.name)),
            Request::Answer(_) | Request::Cancel(_) => {}
        }
    }

    fn handle_outcome(&mut self, _: Time, outcome: Outcome<u8>) {
        self.heard.note(format!("{}: {outcome:?}", self.name));
    }

    fn handle_timeout(&mut self, _: Time) {
        self.heard.note(format!("{}: timeout", self.name));
    }

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        if room == 0 && matches!(self.replies.front(), Some(Reply::Body { .. })) {
            return None;
        }
        self.replies.pop_front()
    }

    fn poll_effect(&mut self) -> Option<Effect<u8>> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        Some(NOW)
    }

    fn maildrop(&self) -> Option<String> {
        Some("drop".into())
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        self.out.resize(3, 0);
        &mut self.out
    }

    fn received(&mut self, _: Time, n: usize) {
        self.heard.note(format!("{}: received {n}", self.name));
    }

    fn transmit(&self) -> &[u8] {
        b"abc"
    }

    fn transmitted(&mut self, _: Time, n: usize) {
        self.heard.note(format!("{}: transmitted {n}", self.name));
    }

    fn record(&mut self) {
        self.records = true;
    }

    fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn poll_trace(&mut self) -> Option<Trace> {
        if self.records {
            self.heard.note(format!("{}: records", self.name));
        }
        None
    }
}

/// A driver that says what it is asked for, and runs a job when it is told to.
pub(crate) struct Driver<B: Backend> {
    pub(crate) backend: B,
    pub(crate) job: Option<Job<B::Done>>,
    said: Vec<String>,
}

impl<B: Backend<Done = AnyDone>> Driver<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self {
            backend,
            job: None,
            said: Vec::new(),
        }
    }

    pub(crate) fn ask(&mut self, request: Request) -> Vec<String> {
        self.backend.handle_request(NOW, request);
        self.settle()
    }

    pub(crate) fn open(&mut self, password: &str) -> Vec<String> {
        self.ask(Request::Open(login("joe", password)))
    }

    pub(crate) fn finish_job(&mut self) -> Vec<String> {
        let Some(Job::Block(job)) = self.job.take() else {
            panic!("no job runs");
        };
        self.backend.handle_outcome(NOW, Outcome::Done(job()));
        self.settle()
    }

    pub(crate) fn lose(&mut self) -> Vec<String> {
        self.job = None;
        let failure = Failure::temporary("lost");
        self.backend.handle_outcome(NOW, Outcome::Lost(failure));
        self.settle()
    }

    /// Until nothing moves; gives back what was said.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        loop {
            if let Some(reply) = self.backend.poll_reply(NOW, 4) {
                self.said.push(text(&reply));
            } else if let Some(effect) = self.backend.poll_effect() {
                self.said.push(match effect {
                    Effect::Connect(endpoint) => format!("Connect {}", endpoint.host),
                    Effect::Run(job) => {
                        assert!(self.job.replace(job).is_none(), "two jobs at a time");
                        "Run".into()
                    }
                    other @ (Effect::Resume(_)
                    | Effect::Park(_)
                    | Effect::StartTls { .. }
                    | Effect::Disconnect) => format!("{other:?}"),
                });
            } else {
                return std::mem::take(&mut self.said);
            }
        }
    }
}

pub(crate) fn login(user: &str, password: &str) -> Open {
    Open::new(Login::Password {
        user: user.into(),
        password: Secret::from(password.as_bytes()),
    })
}

pub(crate) fn retrieve() -> Request {
    Request::Retrieve {
        ticket: Ticket(1),
        index: Index(0),
        part: Part::Whole,
    }
}

pub(crate) const OPENED: &str = "Opened { access: ReadWrite }";

fn text(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Entry { unique_id, .. } => format!("Entry {}", unique_id.escape_ascii()),
        Reply::Body { bytes, .. } => format!("Body {}", bytes.escape_ascii()),
        Reply::Refused(refusal) => format!("Refused {}", refusal.detail),
        Reply::Failed(failure) => format!("Failed {}", failure.detail),
        Reply::BodyStart { .. } => "BodyStart".into(),
        Reply::BodyEnd { .. } => "BodyEnd".into(),
        Reply::Challenge(_)
        | Reply::Authenticated
        | Reply::Opened { .. }
        | Reply::BodyFailed { .. }
        | Reply::Updated
        | Reply::Kept => format!("{reply:?}"),
    }
}
