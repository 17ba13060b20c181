//! What serves a session: an IMAP server, or a store of any kind.
//!
//! Leaves everything to the backend within. Backends differ in what their jobs bring back; here that becomes
//! one type, so that one process can serve all of them.

use std::any::Any;
use std::fmt;

use pop3_proto::backend::{
    Backend, Effect, Failure, Job, Login, Note, Open, Outcome, Reply, Request,
};
use pop3_proto::time::Time;
use pop3_proto::trace::Trace;

use crate::budget::Share;

/// The backend of a session.
pub struct Served {
    backend: Box<dyn Backend<Done = Answer>>,
    user: Option<String>,
    locked_in: Option<String>,
    share: Option<Share>,
}

/// What a job brings back; only the backend that handed the job out can read it.
pub struct Answer(Box<dyn Any + Send>);

impl Served {
    /// Takes a backend of any kind.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self {
            backend: Box::new(Erased(backend)),
            user: None,
            locked_in: None,
            share: None,
        }
    }

    /// With this share of the read-ahead, for as long as it lives.
    #[must_use]
    pub fn holding(self, share: Share) -> Self {
        Self {
            share: Some(share),
            ..self
        }
    }

    /// Its maildrops are locked under this place and the account's name, once the login has told it.
    #[must_use]
    pub fn locked_in(self, place: Option<String>) -> Self {
        Self {
            locked_in: place,
            ..self
        }
    }

    /// With this name in the place of the one that the client logs in with.
    #[must_use]
    pub fn renamed(self, user: Option<String>) -> Self {
        Self { user, ..self }
    }
}

impl Backend for Served {
    type Done = Answer;

    fn handle_request(&mut self, now: Time, request: Request) {
        let request = match (request, &self.user) {
            (Request::Open(open), Some(user)) => Request::Open(Open {
                login: renamed(open.login, user.clone()),
                ..open
            }),
            (request, _) => request,
        };
        self.backend.handle_request(now, request);
    }

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<Answer>) {
        self.backend.handle_outcome(now, outcome);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.backend.handle_timeout(now);
    }

    fn poll_reply(&mut self, now: Time, room: usize) -> Option<Reply<'_>> {
        self.backend.poll_reply(now, room)
    }

    fn poll_effect(&mut self) -> Option<Effect<Answer>> {
        self.backend.poll_effect()
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.backend.poll_timeout()
    }

    fn maildrop(&self) -> Option<String> {
        let place = self.locked_in.as_ref()?;
        let account = self.backend.maildrop()?;
        Some(format!("{place}{}", account.to_lowercase()))
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        self.backend.recv_buf()
    }

    fn received(&mut self, now: Time, n: usize) {
        self.backend.received(now, n);
    }

    fn transmit(&self) -> &[u8] {
        self.backend.transmit()
    }

    fn transmitted(&mut self, now: Time, n: usize) {
        self.backend.transmitted(now, n);
    }

    fn record(&mut self) {
        self.backend.record();
    }

    fn poll_note(&mut self) -> Option<Note> {
        self.backend.poll_note()
    }

    fn poll_trace(&mut self) -> Option<Trace> {
        self.backend.poll_trace()
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// A backend whose jobs all bring back the same type.
struct Erased<B>(B);

impl<B: Backend> Backend for Erased<B> {
    type Done = Answer;

    fn handle_request(&mut self, now: Time, request: Request) {
        self.0.handle_request(now, request);
    }

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<Answer>) {
        let outcome = match outcome {
            Outcome::Connected => Outcome::Connected,
            Outcome::TlsReady => Outcome::TlsReady,
            Outcome::Lost(failure) => Outcome::Lost(failure),
            Outcome::Done(Answer(done)) => match done.downcast() {
                Ok(done) => Outcome::Done(*done),
                // only this very backend hands its jobs out
                Err(_) => Outcome::Lost(Failure::temporary("the answer of another store")),
            },
        };
        self.0.handle_outcome(now, outcome);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.0.handle_timeout(now);
    }

    fn poll_reply(&mut self, now: Time, room: usize) -> Option<Reply<'_>> {
        self.0.poll_reply(now, room)
    }

    fn poll_effect(&mut self) -> Option<Effect<Answer>> {
        Some(match self.0.poll_effect()? {
            Effect::Connect(endpoint) => Effect::Connect(endpoint),
            Effect::StartTls { server_name } => Effect::StartTls { server_name },
            Effect::Disconnect => Effect::Disconnect,
            Effect::Run(Job::Block(job)) => {
                Effect::Run(Job::Block(Box::new(move || Answer(Box::new(job())))))
            }
            Effect::Run(Job::Await(job)) => {
                Effect::Run(Job::Await(Box::pin(
                    async move { Answer(Box::new(job.await)) },
                )))
            }
        })
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.0.poll_timeout()
    }

    fn maildrop(&self) -> Option<String> {
        self.0.maildrop()
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        self.0.recv_buf()
    }

    fn received(&mut self, now: Time, n: usize) {
        self.0.received(now, n);
    }

    fn transmit(&self) -> &[u8] {
        self.0.transmit()
    }

    fn transmitted(&mut self, now: Time, n: usize) {
        self.0.transmitted(now, n);
    }

    fn record(&mut self) {
        self.0.record();
    }

    fn poll_note(&mut self) -> Option<Note> {
        self.0.poll_note()
    }

    fn poll_trace(&mut self) -> Option<Trace> {
        self.0.poll_trace()
    }
}

/// The same proof under another name: neither a password nor a digest covers it.
fn renamed(login: Login, user: String) -> Login {
    match login {
        Login::Password { password, .. } => Login::Password { user, password },
        Login::ActingFor { by, password, .. } => Login::ActingFor { user, by, password },
        Login::Apop {
            timestamp, digest, ..
        } => Login::Apop {
            user,
            timestamp,
            digest,
        },
        Login::CramMd5 {
            challenge, digest, ..
        } => Login::CramMd5 {
            user,
            challenge,
            digest,
        },
        Login::Bearer {
            mechanism, token, ..
        } => Login::Bearer {
            mechanism,
            user,
            token,
        },
        hidden @ Login::Relay { .. } | hidden => hidden,
    }
}
