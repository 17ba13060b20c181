//! A mail store in memory, as a backend without an upstream.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use pop3_proto::backend::{
    Access, Backend, Effect, Failure, Index, Login, Outcome, Refusal, RefusalKind, Reply, Request,
    Ticket,
};
use pop3_proto::time::Time;
use pop3_server::service::{Denied, Peer, Routed, Service};

use crate::PASSWORD;

/// How a store behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Good,
    /// Fails after good credentials.
    FailsToOpen,
    /// Never answers an update.
    SilentUpdate,
    /// Lets no user write.
    ReadOnly,
    /// Breaks off in the middle of every message.
    CutsMessages,
}

/// The mail of all users.
#[derive(Debug, Default)]
pub struct Mail {
    pub messages: Vec<Vec<u8>>,
    pub removed: BTreeSet<u32>,
    pub updates: u32,
    pub opened: u32,
}

#[derive(Clone, Debug, Default)]
pub struct ListService {
    pub mail: Arc<Mutex<Mail>>,
    pub mood: Mood,
}

impl ListService {
    pub fn new(messages: &[&[u8]]) -> Self {
        let messages = messages.iter().map(|message| message.to_vec()).collect();
        let mail = Mail {
            messages,
            ..Mail::default()
        };
        Self {
            mail: Arc::new(Mutex::new(mail)),
            mood: Mood::Good,
        }
    }

    pub fn removed(&self) -> Vec<u32> {
        self.mail.lock().unwrap().removed.iter().copied().collect()
    }
}

impl Service for ListService {
    type Backend = ListBackend;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<ListBackend>, Denied> {
        let user = login.user().unwrap_or_default();
        if user == "nowhere" {
            return Err(Denied::Refused(Refusal::new(
                RefusalKind::Credentials,
                "no such user",
            )));
        }
        let backend = ListBackend {
            service: self.clone(),
            replies: VecDeque::new(),
            bye: None,
            lent: Vec::new(),
        };
        Ok(Routed::new(backend, user, "list"))
    }
}

#[derive(Debug)]
enum Out {
    Authenticated,
    Entry(u64, String),
    Opened(Access),
    Refused(Refusal),
    Start(Ticket, u64),
    Body(Ticket, Vec<u8>),
    End(Ticket),
    Cut(Ticket),
    Updated,
    Failed,
}

#[derive(Debug)]
pub struct ListBackend {
    service: ListService,
    replies: VecDeque<Out>,
    bye: Option<()>,
    lent: Vec<u8>,
}

impl ListBackend {
    fn open(&mut self, login: &Login, access: Access) {
        let good = matches!(login, Login::Password { password, .. }
            if password.expose() == PASSWORD.as_bytes());
        if !good {
            let refusal = Refusal::new(RefusalKind::Credentials, "wrong password");
            self.replies.push_back(Out::Refused(refusal));
            return;
        }
        self.replies.push_back(Out::Authenticated);
        if self.service.mood == Mood::FailsToOpen {
            self.replies.push_back(Out::Failed);
            return;
        }
        let mut mail = self.service.mail.lock().unwrap();
        mail.opened += 1;
        for (number, message) in mail.messages.iter().enumerate() {
            self.replies
                .push_back(Out::Entry(message.len() as u64, format!("id{number}")));
        }
        let access = if self.service.mood == Mood::ReadOnly {
            Access::ReadOnly
        } else {
            access
        };
        self.replies.push_back(Out::Opened(access));
    }

    fn retrieve(&mut self, ticket: Ticket, index: Index) {
        let mail = self.service.mail.lock().unwrap();
        let message = mail.messages[index.0 as usize].clone();
        self.replies
            .push_back(Out::Start(ticket, message.len() as u64));
        if self.service.mood == Mood::CutsMessages {
            self.replies
                .push_back(Out::Body(ticket, message[..message.len() / 2].to_vec()));
            self.replies.push_back(Out::Cut(ticket));
            return;
        }
        if !message.is_empty() {
            self.replies.push_back(Out::Body(ticket, message));
        }
        self.replies.push_back(Out::End(ticket));
    }
}

impl Backend for ListBackend {
    type Done = ();

    fn handle_request(&mut self, _: Time, request: Request) {
        match request {
            Request::Open(open) => self.open(&open.login, open.access),
            Request::Retrieve { ticket, index, .. } => self.retrieve(ticket, index),
            Request::Cancel(_) => self.replies.clear(),
            Request::Update { deleted, .. } => {
                let mut mail = self.service.mail.lock().unwrap();
                mail.updates += 1;
                if self.service.mood != Mood::SilentUpdate {
                    mail.removed.extend(deleted.iter().map(|index| index.0));
                    self.replies.push_back(Out::Updated);
                }
            }
            Request::Abandon => {
                self.replies.clear();
                self.bye = Some(());
            }
            Request::Answer(_) => {}
        }
    }

    fn handle_outcome(&mut self, _: Time, _: Outcome<()>) {}

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        if let Some(Out::Body(ticket, left)) = self.replies.front_mut() {
            let ticket = *ticket;
            let n = left.len().min(room);
            if n == 0 {
                return None;
            }
            self.lent = left.drain(..n).collect();
            if left.is_empty() {
                self.replies.pop_front();
            }
            return Some(Reply::Body {
                ticket,
                bytes: &self.lent,
            });
        }
        Some(match self.replies.pop_front()? {
            Out::Authenticated => Reply::Authenticated,
            Out::Entry(size, id) => {
                self.lent = id.into_bytes();
                Reply::Entry {
                    size,
                    unique_id: &self.lent,
                }
            }
            Out::Opened(access) => Reply::Opened { access },
            Out::Refused(refusal) => Reply::Refused(refusal),
            Out::Start(ticket, size) => Reply::BodyStart {
                ticket,
                size: Some(size),
            },
            Out::Body(ticket, _) | Out::End(ticket) => Reply::BodyEnd { ticket },
            Out::Cut(ticket) => Reply::BodyFailed {
                ticket,
                failure: Failure::temporary("the store broke"),
            },
            Out::Updated => Reply::Updated,
            Out::Failed => Reply::Failed(Failure::temporary("the store is away")),
        })
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        self.bye.take().map(|()| Effect::Disconnect)
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}
