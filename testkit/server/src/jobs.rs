//! A mail store that does everything in jobs, blocking or waiting, and panics on request.

use std::collections::VecDeque;

use pop3_proto::backend::{
    Access, Backend, Effect, Failure, Job, Login, Outcome, Refusal, RefusalKind, Reply, Request,
    Ticket,
};
use pop3_proto::time::Time;
use pop3_server::service::{Denied, Peer, Routed, Service};

use crate::PASSWORD;

#[derive(Clone, Debug)]
pub struct JobService;

impl Service for JobService {
    type Backend = JobBackend;

    fn route(&self, login: &Login, _: &Peer) -> Result<Routed<JobBackend>, Denied> {
        let maildrop = login.user().unwrap_or_default().to_string();
        Ok(Routed::new(JobBackend::default(), maildrop, "jobs"))
    }
}

#[derive(Debug)]
pub enum Done {
    Opened(bool),
    Message(Ticket, Vec<u8>),
    Updated,
}

#[derive(Default)]
pub struct JobBackend {
    effects: VecDeque<Effect<Done>>,
    replies: VecDeque<Reply<'static>>,
    body: Option<(Ticket, Vec<u8>, usize)>,
}

impl Backend for JobBackend {
    type Done = Done;

    fn handle_request(&mut self, _: Time, request: Request) {
        let job = match request {
            Request::Open(open) => Job::Block(Box::new(move || {
                let Login::Password { user, password } = &open.login else {
                    return Done::Opened(false);
                };
                assert_ne!(user, "panic", "as asked for");
                tracing::info!("a job logs in");
                Done::Opened(password.expose() == PASSWORD.as_bytes())
            })),
            Request::Retrieve { ticket, index, .. } => Job::Await(Box::pin(async move {
                assert_ne!(index.0, 1, "as asked for");
                tracing::info!("a job reads");
                Done::Message(ticket, vec![b'w'; 100_000])
            })),
            Request::Update { .. } => Job::Block(Box::new(|| Done::Updated)),
            Request::Abandon => return self.effects.push_back(Effect::Disconnect),
            Request::Answer(_) | Request::Cancel(_) => return,
        };
        self.effects.push_back(Effect::Run(job));
    }

    fn handle_outcome(&mut self, _: Time, outcome: Outcome<Done>) {
        match outcome {
            Outcome::Done(Done::Opened(true)) => {
                self.replies.push_back(Reply::Authenticated);
                for unique_id in [b"a", b"b"] {
                    self.replies.push_back(Reply::Entry {
                        size: 100_000,
                        unique_id,
                    });
                }
                self.replies.push_back(Reply::Opened {
                    access: Access::ReadWrite,
                });
            }
            Outcome::Done(Done::Opened(false)) => {
                let refusal = Refusal::new(RefusalKind::Policy, "wrong password");
                self.replies.push_back(Reply::Refused(refusal));
            }
            Outcome::Done(Done::Message(ticket, message)) => {
                self.replies
                    .push_back(Reply::BodyStart { ticket, size: None });
                self.body = Some((ticket, message, 0));
            }
            Outcome::Done(Done::Updated) => self.replies.push_back(Reply::Updated),
            Outcome::Lost(failure) => self.replies.push_back(Reply::Failed(failure)),
            Outcome::Connected | Outcome::Resumed(_) | Outcome::TlsReady => {
                self.replies
                    .push_back(Reply::Failed(Failure::permanent("never asked for")));
            }
        }
    }

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(reply);
        }
        if let Some((ticket, ..)) = self
            .body
            .take_if(|(_, message, sent)| *sent == message.len())
        {
            return Some(Reply::BodyEnd { ticket });
        }
        let (ticket, message, sent) = self.body.as_mut()?;
        let ticket = *ticket;
        let end = message.len().min(*sent + room);
        let start = std::mem::replace(sent, end);
        (end > start).then(|| Reply::Body {
            ticket,
            bytes: &message[start..end],
        })
    }

    fn poll_effect(&mut self) -> Option<Effect<Done>> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}
