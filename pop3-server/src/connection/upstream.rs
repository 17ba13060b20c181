//! The backend's side of a connection: the backend, its pipe, and what it holds.
//!
//! A backend is made for one login and dropped when it is finished. The hold of the maildrop and the user's
//! slot lie here, so that they go when it goes.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::waiting::{Claim, Parked};
use pop3_proto::backend::{
    Access, Backend, Effect, Endpoint, Failure, FailureKind, Outcome, Presence,
};
use pop3_proto::time::Time;
use pop3_proto::trouble::{Place, Trouble, Words};

use super::action::Action;
use super::holding::Holding;
use crate::lock::Mode;
use crate::observer::Contact;
use crate::parking::{Found, Leaving, Lot, Returned};
use crate::pipe::{Pipe, TlsEnd, TlsEvent};
use crate::runtime::Boxed;
use crate::service::Routed;
use crate::tls::{UpstreamTls, describe};

pub(crate) struct Upstream<B: Backend> {
    pub(crate) backend: B,
    maildrop: Arc<str>,
    access: Access,
    /// Tells the backend whether its work is waited for.
    presence: Option<Presence>,
    pub(super) holding: Holding,
    tls: Option<Arc<UpstreamTls>>,
    /// Where its connection may wait after the session, and may have waited before it.
    lot: Option<Lot>,
    /// The account for which another connection waits, with another credential.
    rival: Option<Box<str>>,
    pipe: Pipe,
    link: Link,
    /// Where the connection goes, or went last.
    endpoint: Option<Endpoint>,
    /// Why the bytes ended, until the backend has been told.
    broken: Option<Box<str>>,
    job: bool,
    /// A connection was open, or a job ran.
    reached: bool,
    /// What the observer has not heard of: that there is a connection, and what went wrong with it.
    contact: Option<Contact>,
    trouble: Option<Contact>,
    leave: Option<Time>,
}

/// The upstream's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Connecting,
    Up,
    /// The backend wants it closed once everything is sent.
    Closing,
}

impl<B: Backend> Upstream<B> {
    pub(super) fn new(routed: Routed<B>, access: Access, presence: Presence) -> Self {
        Self {
            backend: routed.backend,
            maildrop: routed.maildrop.into(),
            access,
            presence: Some(presence),
            holding: Holding::Nothing,
            tls: routed.tls,
            lot: routed.lot,
            rival: None,
            pipe: Pipe::Plain,
            link: Link::Down,
            endpoint: None,
            broken: None,
            job: false,
            reached: false,
            contact: None,
            trouble: None,
            leave: None,
        }
    }

    /// The mailbox of nobody: a connection that waits, with what keeps it in order.
    pub(crate) fn waiting(backend: B, pipe: Pipe) -> Self {
        let nothing: Arc<str> = "".into();
        Self {
            backend,
            maildrop: nothing,
            access: Access::ReadOnly,
            presence: None,
            holding: Holding::Nothing,
            tls: None,
            lot: None,
            rival: None,
            pipe,
            link: Link::Up,
            endpoint: None,
            broken: None,
            job: false,
            reached: true,
            contact: None,
            trouble: None,
            leave: None,
        }
    }

    /// Its connection without the socket.
    pub(crate) fn into_parts(self) -> (Pipe, B) {
        (self.pipe, self.backend)
    }

    /// How the maildrop is wanted.
    pub(super) fn mode(&self) -> Mode {
        match self.access {
            Access::ReadWrite => Mode::Exclusive,
            Access::ReadOnly => Mode::Shared,
        }
    }

    /// What the maildrop is held under: what the login opened, by its own name.
    pub(super) fn maildrop(&mut self) -> &Arc<str> {
        if let Some(maildrop) = self.backend.maildrop() {
            self.maildrop = maildrop.into();
        }
        &self.maildrop
    }

    pub(super) fn maildrop_name(&self) -> Arc<str> {
        Arc::clone(&self.maildrop)
    }

    /// The client has closed its direction.
    pub(super) fn client_silent(&self) {
        if let Some(presence) = &self.presence {
            presence.fall_silent();
        }
    }

    /// The session is done with the backend: it frees what it holds and may log out. The returned future
    /// ends when others can have the maildrop; `None` if they can at once.
    pub(crate) fn finish(&mut self, now: Time, leave: Duration) -> Option<Boxed<()>> {
        self.presence = None;
        self.leave.get_or_insert(now + leave);
        self.holding.release()
    }

    /// Whether the credentials may have gone anywhere: without a connection or a job they cannot.
    pub(super) fn was_reached(&self) -> bool {
        self.reached
    }

    /// Whether it is one with a connection, and has none for now.
    pub(super) fn rests(&self) -> bool {
        self.endpoint.is_some() && self.link == Link::Down
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.leave.is_some()
    }

    /// Whether the backend can be dropped.
    pub(crate) fn has_left(&self, now: Time) -> bool {
        self.leave
            .is_some_and(|until| until <= now || (self.link == Link::Down && !self.job))
    }

    pub(crate) fn deadline(&self) -> Option<(Time, &'static str)> {
        let own = self.leave.map(|until| (until, "leaving the upstream"));
        let backend = self.backend.poll_timeout().map(|at| (at, "upstream"));
        own.into_iter().chain(backend).min_by_key(|(at, _)| *at)
    }

    /// Serves the backend's deadline if it has come.
    pub(crate) fn expire(&mut self, now: Time) {
        if self.backend.poll_timeout().is_some_and(|at| at <= now) {
            self.backend.handle_timeout(now);
        }
    }

    pub(crate) fn recv_buf<'a>(&'a mut self, scratch: &'a mut [u8]) -> &'a mut [u8] {
        match (self.link, &self.pipe) {
            _ if self.broken.is_some() => &mut [],
            (Link::Up, Pipe::Plain) => self.backend.recv_buf(),
            (Link::Up, Pipe::Tls(tls)) if tls.wants_input() => scratch,
            (Link::Up | Link::Down | Link::Connecting | Link::Closing, _) => &mut [],
        }
    }

    pub(crate) fn received(&mut self, now: Time, n: usize, scratch: &[u8]) {
        match &mut self.pipe {
            Pipe::Plain => self.backend.received(now, n),
            Pipe::Tls(tls) => tls.received(&scratch[..n.min(scratch.len())]),
        }
    }

    pub(crate) fn send_buf(&self) -> &[u8] {
        match (self.link, &self.pipe) {
            _ if self.broken.is_some() => &[],
            (Link::Up | Link::Closing, Pipe::Plain) => self.backend.transmit(),
            (Link::Up | Link::Closing, Pipe::Tls(tls)) => tls.send_buf(),
            (Link::Down | Link::Connecting, _) => &[],
        }
    }

    pub(crate) fn sent(&mut self, now: Time, n: usize) {
        match &mut self.pipe {
            Pipe::Plain => self.backend.transmitted(now, n),
            Pipe::Tls(tls) => tls.sent(n),
        }
    }

    pub(super) fn handle_outcome(
        &mut self,
        now: Time,
        outcome: Outcome<B::Done>,
        actions: &mut VecDeque<Action<B::Done>>,
    ) {
        match &outcome {
            Outcome::Connected => {
                self.link = Link::Up;
                self.reached = true;
                self.contact = Some(Contact::Connected);
            }
            Outcome::Done(_) => self.job = false,
            Outcome::Lost(_) => {
                self.job = false;
                self.unreachable();
                self.disconnect(actions);
            }
            Outcome::Resumed(_) | Outcome::TlsReady => {}
        }
        self.backend.handle_outcome(now, outcome);
    }

    /// No more bytes will come, for the reason given.
    pub(crate) fn handle_eof(
        &mut self,
        now: Time,
        detail: &str,
        actions: &mut VecDeque<Action<B::Done>>,
    ) {
        match &mut self.pipe {
            Pipe::Plain => self.lost(now, Failure::temporary(detail), actions),
            Pipe::Tls(tls) => {
                tls.received_end();
                self.broken = Some(detail.into());
            }
        }
    }

    /// Moves plaintext between pipe and backend; returns whether something moved.
    pub(crate) fn pump(&mut self, now: Time, actions: &mut VecDeque<Action<B::Done>>) -> bool {
        let mut moved = false;
        if let Pipe::Tls(tls) = &mut self.pipe {
            loop {
                let room = self.backend.recv_buf();
                if room.is_empty() {
                    break;
                }
                let n = tls.read(room);
                if n == 0 {
                    break;
                }
                self.backend.received(now, n);
                moved = true;
            }
            loop {
                let n = tls.write(self.backend.transmit());
                if n == 0 {
                    break;
                }
                self.backend.transmitted(now, n);
                moved = true;
            }
            match tls.poll_event() {
                Some(TlsEvent::Ready(_)) => {
                    self.backend.handle_outcome(now, Outcome::TlsReady);
                    moved = true;
                }
                Some(TlsEvent::End(end)) => {
                    let failure = self.failure(end);
                    self.lost(now, failure, actions);
                    moved = true;
                }
                None => {}
            }
        }
        moved | self.close_on(actions)
    }

    /// Carries out what the backend asks for; returns whether it asked.
    pub(crate) fn effects(&mut self, now: Time, actions: &mut VecDeque<Action<B::Done>>) -> bool {
        let mut moved = false;
        while let Some(effect) = self.backend.poll_effect() {
            moved = true;
            match effect {
                Effect::Connect(endpoint) => self.connect(endpoint, actions),
                Effect::Resume(wanted) => match self.look_for(wanted.claim, now) {
                    Some(returned) => {
                        self.endpoint = Some(wanted.endpoint);
                        self.resume(now, returned, actions);
                    }
                    None => self.connect(wanted.endpoint, actions),
                },
                Effect::Park(parked) => self.park(*parked, actions),
                Effect::StartTls { server_name } => self.start_tls(now, &server_name, actions),
                Effect::Disconnect => match self.link {
                    Link::Connecting => {
                        self.unreachable();
                        self.disconnect(actions);
                    }
                    Link::Up => self.link = Link::Closing,
                    Link::Closing | Link::Down => {}
                },
                Effect::Run(job) => {
                    self.job = true;
                    self.reached = true;
                    actions.push_back(Action::Run(job));
                }
            }
        }
        moved
    }

    fn connect(&mut self, to: Endpoint, actions: &mut VecDeque<Action<B::Done>>) {
        self.pipe = Pipe::Plain;
        self.broken = None;
        self.link = Link::Connecting;
        self.endpoint = Some(to.clone());
        actions.push_back(Action::Connect(to));
    }

    fn look_for(&mut self, claim: Claim, now: Time) -> Option<Returned> {
        match self.lot.as_ref()?.take(&claim, now) {
            Found::Returned(returned) => return Some(returned),
            Found::Another => self.rival = Some(claim.account.into()),
            Found::Nothing => {}
        }
        None
    }

    fn resume(&mut self, now: Time, returned: Returned, actions: &mut VecDeque<Action<B::Done>>) {
        let Returned {
            stream,
            pipe,
            waiting,
        } = returned;
        self.pipe = pipe;
        self.broken = None;
        self.link = Link::Up;
        self.reached = true;
        self.contact = Some(Contact::Resumed);
        actions.push_back(Action::Resume(stream));
        self.backend.handle_outcome(now, Outcome::Resumed(waiting));
    }

    fn park(&mut self, parked: Parked, actions: &mut VecDeque<Action<B::Done>>) {
        if self.link != Link::Up || self.broken.is_some() {
            return self.disconnect(actions);
        }
        self.link = Link::Down;
        let Parked {
            claim,
            waiting,
            kept,
        } = parked;
        let lot = self.lot.as_ref();
        actions.push_back(Action::Park(Box::new(Leaving {
            pipe: take(&mut self.pipe),
            waiting,
            kept,
            place: lot.and_then(|lot| lot.reserve(&claim)),
        })));
    }

    /// The upstream took the credential. What waits for the account with another one is out of date.
    pub(super) fn took_credential(&mut self) {
        if let Some((lot, account)) = self.lot.as_ref().zip(self.rival.take()) {
            lot.outdate(account.into());
        }
    }

    fn start_tls(&mut self, now: Time, server_name: &str, actions: &mut VecDeque<Action<B::Done>>) {
        let started = match (&self.tls, self.link) {
            (Some(tls), Link::Up) => Pipe::client(tls, server_name),
            (Some(_), Link::Down | Link::Connecting | Link::Closing) => Err(TlsEnd::Cut),
            (None, _) => Err(TlsEnd::Failed {
                detail: "no certificate authorities are configured".into(),
                certificate: true,
                error: None,
            }),
        };
        match started {
            Ok(pipe) => self.pipe = pipe,
            Err(end) => {
                let failure = self.failure(end);
                self.lost(now, failure, actions);
            }
        }
    }

    /// Closes the socket that the backend wants closed, once everything is sent.
    fn close_on(&mut self, actions: &mut VecDeque<Action<B::Done>>) -> bool {
        if self.link != Link::Closing {
            return false;
        }
        let unsent = match &mut self.pipe {
            Pipe::Plain => !self.backend.transmit().is_empty(),
            Pipe::Tls(tls) if tls.is_writable() && !self.backend.transmit().is_empty() => true,
            Pipe::Tls(tls) => {
                tls.close();
                !tls.send_buf().is_empty()
            }
        };
        if !unsent {
            self.disconnect(actions);
        }
        !unsent
    }

    fn lost(&mut self, now: Time, failure: Failure, actions: &mut VecDeque<Action<B::Done>>) {
        let wanted = self.link == Link::Closing;
        self.disconnect(actions);
        if !wanted {
            if !self.is_finished() {
                self.trouble.get_or_insert(Contact::Broken);
            }
            self.backend.handle_outcome(now, Outcome::Lost(failure));
        }
    }

    fn disconnect(&mut self, actions: &mut VecDeque<Action<B::Done>>) {
        self.link = Link::Down;
        self.pipe = Pipe::Plain;
        self.broken = None;
        actions.push_back(Action::Disconnect);
    }

    /// An attempt to connect ends without a connection. If the session gave it up, that says nothing.
    fn unreachable(&mut self) {
        if self.link == Link::Connecting && !self.is_finished() {
            self.trouble = Some(Contact::Unreachable);
        }
    }

    /// What became of the connection. Poll until `None`.
    pub(super) fn poll_contact(&mut self) -> Option<Contact> {
        self.contact.take().or_else(|| self.trouble.take())
    }

    fn failure(&mut self, end: TlsEnd) -> Failure {
        let handshaking = self.pipe.tls().is_some_and(|tls| tls.is_handshaking());
        let nowhere = Endpoint {
            host: String::new(),
            port: 0,
        };
        let endpoint = self.endpoint.as_ref().unwrap_or(&nowhere);
        let place = Place {
            host: &endpoint.host,
            port: endpoint.port,
        };
        let text = |trouble: Trouble<'_>| trouble.text(place, &Words::CONFIGURATION);
        self.trouble = match &end {
            TlsEnd::Failed { certificate, .. } if *certificate => Some(Contact::Untrusted),
            TlsEnd::Failed { .. } => Some(Contact::TlsFailed),
            TlsEnd::Closed | TlsEnd::Cut if handshaking => Some(Contact::TlsFailed),
            TlsEnd::Closed | TlsEnd::Cut => None,
        };
        match end {
            TlsEnd::Closed | TlsEnd::Cut if handshaking => {
                Failure::temporary(text(Trouble::TlsClosed))
            }
            TlsEnd::Closed => Failure::temporary("the upstream ended TLS"),
            TlsEnd::Cut => Failure::temporary(
                self.broken
                    .as_deref()
                    .unwrap_or("the upstream's connection broke"),
            ),
            TlsEnd::Failed {
                detail,
                certificate,
                error,
            } => {
                let kind = if certificate {
                    FailureKind::Permanent
                } else {
                    FailureKind::Temporary
                };
                let text = match error {
                    Some(error) => describe(&error, place),
                    None => text(Trouble::Tls { cause: &detail }),
                };
                Failure::new(kind, text)
            }
        }
    }
}
