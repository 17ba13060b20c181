//! What a connection tells the observer about its session.

use std::mem::take;
use std::net::SocketAddr;
use std::sync::Arc;

use pop3_proto::backend::Login;
use pop3_proto::server::{Reason, Summary};
use pop3_proto::time::Time;

use super::action::Side;
use crate::observer::{About, Asked, Event, Stage};

/// How many octets of one side are counted here before the observer hears of them.
const MANY: u32 = 1 << 20;

/// Octets of one side that the observer has not heard of.
#[derive(Default)]
struct Moved {
    received: u32,
    sent: u32,
}

impl Moved {
    /// Counts more; returns whether they have become many.
    fn add(&mut self, (received, sent): (usize, usize)) -> bool {
        let more = |octets: usize| u32::try_from(octets).unwrap_or(u32::MAX);
        self.received = self.received.saturating_add(more(received));
        self.sent = self.sent.saturating_add(more(sent));
        self.received.max(self.sent) >= MANY
    }
}

pub(super) struct Report {
    pub(super) session: u64,
    pub(super) upstream: Option<Arc<str>>,
    /// Why the session ended, once it has.
    pub(super) reason: Option<Reason>,
    /// How far the session is.
    pub(super) stage: Stage,
    /// Whether the connection to the upstream is one that waited.
    pub(super) resumed: bool,
    began: Time,
    now: Time,
    tls_failure: Option<Box<str>>,
    client: Moved,
    server: Moved,
    /// What the backend has not answered yet, and since when.
    asked: Option<(Asked, Time)>,
}

impl Report {
    pub(super) fn new(session: u64, now: Time) -> Self {
        Self {
            session,
            upstream: None,
            reason: None,
            stage: Stage::default(),
            resumed: false,
            began: now,
            now,
            tls_failure: None,
            client: Moved::default(),
            server: Moved::default(),
            asked: None,
        }
    }

    /// The time of the last event, so that the end has one too.
    pub(super) fn at(&mut self, now: Time) {
        self.now = now;
    }

    pub(super) fn tls_failed(&mut self, detail: &str) {
        self.tls_failure.get_or_insert_with(|| detail.into());
    }

    /// The session as the observer sees it.
    pub(super) fn about<'a>(
        &'a self,
        listener: &'a str,
        peer: SocketAddr,
        summary: &'a Summary,
    ) -> About<'a> {
        About {
            session: self.session,
            listener,
            peer,
            upstream: self.upstream.as_deref(),
            stage: self.stage,
            resumed: self.resumed,
            summary,
            began: self.began,
            now: self.now,
        }
    }

    /// The backend is asked for something.
    pub(super) fn asked(&mut self, asked: Asked) {
        self.asked = Some((asked, self.now));
    }

    /// The backend has answered. The observer hears it once for each request.
    pub(super) fn answered(&mut self) -> Option<Event<'static>> {
        let (asked, since) = self.asked.take()?;
        let after = self.now.since(since);
        Some(Event::Answered { asked, after })
    }

    /// The backend need not answer any more.
    pub(super) fn cancelled(&mut self) {
        self.asked = None;
    }

    /// Octets came from this side, or went to it. Returns whether the observer should hear of them.
    pub(super) fn moved(&mut self, side: Side, octets: (usize, usize)) -> bool {
        match side {
            Side::Client => self.client.add(octets),
            Side::Upstream => self.server.add(octets),
        }
    }

    /// The octets of this side that the observer has not heard of.
    pub(super) fn octets(&mut self, side: Side) -> Option<Event<'static>> {
        let moved = match side {
            Side::Client => &mut self.client,
            Side::Upstream => &mut self.server,
        };
        let Moved { received, sent } = take(moved);
        if (received, sent) == (0, 0) {
            return None;
        }
        Some(match side {
            Side::Client => Event::Octets { received, sent },
            Side::Upstream => Event::UpstreamOctets { received, sent },
        })
    }

    /// The session is over.
    pub(super) fn ended(&self) -> Event<'_> {
        Event::Ended {
            reason: self.reason,
            tls_failure: self.tls_failure.as_deref(),
        }
    }
}

/// Whether an eavesdropper could log in with this later.
pub(super) fn tells_secret(login: &Login) -> bool {
    match login {
        Login::Password { .. }
        | Login::ActingFor { .. }
        | Login::Bearer { .. }
        | Login::Relay { .. } => true,
        Login::Apop { .. } | Login::CramMd5 { .. } => false,
        _ => true,
    }
}
