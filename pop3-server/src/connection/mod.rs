//! One connection: a session, its backend, TLS on both sides, the maildrop lock and the limits,
//! composed.
//!
//! A [`Connection`] is itself a state machine: bytes, time and outcomes in; bytes, actions and a
//! deadline out.
//!
//! ```text
//! loop {
//!     poll_action          → carry out
//!     recv_buf(side)       → if not empty, read into it from the socket → received(side, …)
//!     send_buf(side)       → if not empty, write it to the socket      → sent(side, …)
//!     poll_calls           → true: once more
//!     is_finished          → drop it
//!     wait for a socket, an outcome or poll_timeout() → handle_outcome, handle_timeout, …
//! }
//! ```
//!
//! Every input ends in the same private `advance`, which moves plaintext until nothing moves.
//! There is no queue of bytes: a part without room is offered nothing, down to the sockets.
//!
//! Dropping a connection at any moment releases everything: lock, slots, backend. Nothing is removed
//! without QUIT, because only [`Request::Update`](pop3_proto::backend::Request::Update) removes.

mod action;
mod advance;
mod attempt;
mod client;
mod holding;
mod login;
mod maildrop;
mod report;
mod standing;
mod upstream;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use pop3_proto::backend::Outcome;
use pop3_proto::server::{Policy, Session, TlsOffer};
use pop3_proto::time::Time;

use crate::crowd::Place;
use crate::observer::Event;
use crate::server::Server;
use crate::service::{Peer, Service};
use crate::settings::Settings;
use client::Client;
use report::Report;
use standing::Done;

pub use action::{Action, Side};
pub use standing::Connection;
pub(crate) use upstream::Upstream;

impl<S: Service> Connection<S> {
    /// A connection that was just accepted, and that has its place among the others (see
    /// [`crowd`](crate::crowd)).
    pub fn new(
        settings: Arc<Settings<S>>,
        server: &Server,
        peer: Peer,
        place: Place,
        now: Time,
    ) -> Self {
        let policy = settings.session_policy();
        let stamp = stamp(&policy, &settings.host);
        let mut session = Session::new(policy, &stamp, now);
        if settings.transcript.is_some() {
            session.record();
        }
        let mut connection = Self {
            report: Report::new(server.number(), now),
            client: Client::new(),
            server: server.clone(),
            upstream: None,
            actions: VecDeque::new(),
            attempt: None,
            parting: None,
            place: Some(place),
            settings,
            peer,
            session,
        };
        connection.tell(&Event::Admitted);
        if connection.settings.policy.tls == TlsOffer::Implicit {
            connection.start_tls(now);
        }
        connection.advance(now);
        connection
    }

    /// Where the next bytes from this socket go: a part of `scratch`, or memory of the machine that
    /// wants them. Empty: leave them in the socket.
    pub fn recv_buf<'a>(&'a mut self, side: Side, scratch: &'a mut [u8]) -> &'a mut [u8] {
        match (side, &mut self.upstream) {
            (Side::Client, _) => {
                let room = self.client.room(&self.session).min(scratch.len());
                &mut scratch[..room]
            }
            (Side::Upstream, Some(upstream)) => upstream.recv_buf(scratch),
            (Side::Upstream, None) => &mut [],
        }
    }

    /// `n` bytes were read into the front of what [`recv_buf`](Self::recv_buf) returned for the same
    /// `scratch`.
    pub fn received(&mut self, side: Side, now: Time, n: usize, scratch: &[u8]) {
        match (side, &mut self.upstream) {
            (Side::Client, _) => {
                let bytes = &scratch[..n.min(scratch.len())];
                self.client.received(&mut self.session, now, bytes);
                self.moved(side, (n, 0));
            }
            (Side::Upstream, Some(upstream)) => {
                upstream.received(now, n, scratch);
                self.moved(side, (n, 0));
            }
            (Side::Upstream, None) => {}
        }
        self.advance(now);
    }

    /// What to write to this socket. Empty: nothing.
    pub fn send_buf(&self, side: Side) -> &[u8] {
        match (side, &self.upstream) {
            (Side::Client, _) => self.client.send_buf(&self.session),
            (Side::Upstream, Some(upstream)) => upstream.send_buf(),
            (Side::Upstream, None) => &[],
        }
    }

    /// Whether nothing comes after what [`send_buf`](Self::send_buf) has, but the end.
    pub fn is_last(&self, side: Side) -> bool {
        match (side, &self.upstream) {
            (Side::Client, _) => self.client.is_flushing(),
            (Side::Upstream, Some(upstream)) => upstream.is_finished(),
            (Side::Upstream, None) => false,
        }
    }

    /// The first `n` bytes of [`send_buf`](Self::send_buf) were written.
    pub fn sent(&mut self, side: Side, now: Time, n: usize) {
        match (side, &mut self.upstream) {
            (Side::Client, _) => {
                self.client.sent(&mut self.session, now, n);
                self.moved(side, (0, n));
            }
            (Side::Upstream, Some(upstream)) => {
                upstream.sent(now, n);
                self.moved(side, (0, n));
            }
            (Side::Upstream, None) => {}
        }
        self.advance(now);
    }

    /// The other end of this socket will send no more.
    pub fn handle_eof(&mut self, side: Side, now: Time) {
        match (side, &mut self.upstream) {
            (Side::Client, _) => {
                if self.client.handle_eof(&mut self.session, now) {
                    self.close_client();
                }
                if let Some(upstream) = &self.upstream {
                    upstream.client_silent();
                }
            }
            (Side::Upstream, Some(upstream)) => {
                upstream.handle_eof(now, "the upstream closed the connection", &mut self.actions);
            }
            (Side::Upstream, None) => {}
        }
        self.advance(now);
    }

    /// This socket cannot be used any more.
    pub fn handle_error(&mut self, side: Side, now: Time, error: &io::Error) {
        match (side, &mut self.upstream) {
            (Side::Client, _) => {
                self.close_client();
                self.session.handle_reset(now);
            }
            (Side::Upstream, Some(upstream)) => {
                let detail = format!("the upstream's connection broke: {error}");
                upstream.handle_eof(now, &detail, &mut self.actions);
            }
            (Side::Upstream, None) => {}
        }
        self.advance(now);
    }

    /// What came of [`Action::Connect`] or [`Action::Run`].
    pub fn handle_outcome(&mut self, now: Time, outcome: Outcome<Done<S>>) {
        if let Some(upstream) = &mut self.upstream {
            upstream.handle_outcome(now, outcome, &mut self.actions);
        }
        self.advance(now);
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.expire(now);
        self.advance(now);
    }

    /// The server goes down: finish the response, refuse the next command, close. No update.
    pub fn shut_down(&mut self, now: Time) {
        self.session.shut_down(now);
        self.waits_no_more(now);
        self.advance(now);
    }

    /// The next action. Poll until `None` after every other call.
    pub fn poll_action(&mut self) -> Option<Action<Done<S>>> {
        let next = self.actions.pop_front()?;
        if self.actions.is_empty() {
            // a session has few of them
            self.actions = VecDeque::new();
        }
        Some(next)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, and why. Changes with every
    /// call.
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let upstream = self.upstream.as_ref();
        [
            self.report
                .reason
                .is_none()
                .then(|| self.session.poll_timeout())
                .flatten(),
            self.client.deadline(),
            self.attempt.as_ref().and_then(|attempt| attempt.deadline()),
            upstream.and_then(|upstream| upstream.deadline()),
            self.parting.as_ref().map(|parting| parting.deadline()),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// Acts on news from outside the connection: its login may be looked at, its place is wanted, its hold has
    /// changed. Returns whether there was any; if not, this task is woken when there is.
    pub fn poll_calls(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        let attempt = self.attempt.as_deref_mut();
        let is_called = attempt.is_some_and(|attempt| attempt.poll_called(cx).is_ready());
        let place = self.place.as_ref();
        let is_wanted = place.is_some_and(|place| place.poll_turned_out(cx).is_ready());
        if is_wanted && self.report.reason.is_none() {
            self.session.turn_out(now);
        }
        let upstream = self.upstream.as_mut();
        let outcome = upstream.map_or(Poll::Pending, |upstream| upstream.holding.poll_outcome(cx));
        if let Poll::Ready(outcome) = outcome {
            self.holds(now, outcome);
        }
        let parting = self.parting.as_mut();
        let is_parted = parting.is_some_and(|parting| parting.poll(cx).is_ready());
        if is_parted {
            self.parted(now);
        }
        let moved = is_called || is_wanted || outcome.is_ready() || is_parted;
        if moved {
            self.advance(now);
        }
        moved
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The number of its session, unique in this server.
    pub fn number(&self) -> u64 {
        self.report.session
    }

    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.client.is_gone()
            && self.report.reason.is_some()
            && self.upstream.is_none()
            && self.parting.is_none()
            && self.actions.is_empty()
    }
}

/// A message-id that is never used again; empty where none is needed.
fn stamp(policy: &Policy, host: &str) -> String {
    if !policy.offers_digests() {
        return String::new();
    }
    let mut unique = [0; 16];
    match getrandom::fill(&mut unique) {
        Ok(()) => {
            pop3_proto::apop::timestamp(u128::from_ne_bytes(unique), host).unwrap_or_default()
        }
        // Without it the session does not offer APOP and CRAM-MD5.
        Err(_) => String::new(),
    }
}
