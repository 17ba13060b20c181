//! What the operator's log says about sessions.
//!
//! One line at the end of each session, whatever ended it, and a line for everything before that an
//! operator may have to look at. Never a secret: only names, classes and the upstream's own words,
//! which backends keep free of them.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pop3_proto::backend::{Failure, FailureKind, Note, NoteWeight, Refusal};
use pop3_proto::controls::marked;
use pop3_proto::server::Reason;
use pop3_proto::time::Time;
use pop3_proto::trace::Claimed;

use crate::observer::{About, Event, Observer, Unheard};

/// Writes to the log of the process, through `tracing`.
#[derive(Debug, Default)]
pub struct Log {
    turned_away: Mutex<Lately>,
    unheard: Mutex<Lately>,
}

/// What happened since the last line about it, and when that was: a flood of connections must not become a flood
/// of lines.
#[derive(Debug, Default)]
struct Lately {
    count: u64,
    told: Option<Time>,
}

impl Lately {
    /// Counts one more. How many there are to tell of, if the last line is this long ago.
    fn one_more(lately: &Mutex<Self>, now: Time, pause: Duration) -> Option<u64> {
        let mut lately = lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.count += 1;
        let due = lately.told.is_none_or(|told| now.since(told) >= pause);
        due.then(|| {
            lately.told = Some(now);
            std::mem::take(&mut lately.count)
        })
    }
}

impl Observer for Log {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        match *event {
            Event::Admitted
            | Event::Secured
            | Event::Upstream(_)
            | Event::Updates
            | Event::Answered { .. }
            | Event::Octets { .. }
            | Event::UpstreamOctets { .. } => {}
            Event::InTheClear { user } => about.in_the_clear(user),
            Event::Waits { until } => about.waits(until),
            Event::Refused(refusal) | Event::GivenUp(refusal) => about.refused(refusal),
            Event::LoggedIn => about.logged_in(),
            Event::Failed(failure) => about.failed(failure),
            Event::Noted(note) => about.noted(note),
            Event::MessageFailed(failure) => about.message_failed(failure),
            Event::Ended {
                reason,
                tls_failure,
            } => about.ended(reason, tls_failure),
        }
    }

    fn turned_away(&self, peer: SocketAddr, now: Time) {
        if let Some(count) = Lately::one_more(&self.turned_away, now, Duration::from_secs(1)) {
            tracing::warn!(
                target: "pop3_server::server", %peer, count, "too many connections, turned away"
            );
        }
    }

    fn unheard(&self, peer: SocketAddr, why: Unheard, now: Time) {
        let text = match why {
            Unheard::NotTrusted => "closed: this peer may not say who the client is",
            Unheard::Invalid => "closed: no valid header before the session",
            Unheard::Late => "closed: the header before the session did not come in time",
        };
        tracing::debug!(target: "pop3_server::server", %peer, "{text}");
        if let Some(count) = Lately::one_more(&self.unheard, now, Duration::from_secs(60)) {
            tracing::warn!(target: "pop3_server::server", %peer, count, "{text}");
        }
    }
}

/// What came of a login, and how it came.
macro_rules! login {
    ($level:ident, $about:expr, $($more:tt)+) => {{
        let tls = $about.summary.tls.as_ref();
        tracing::$level!(
            target: "pop3_server::login",
            session = $about.session,
            peer = %$about.peer,
            user = $about.user(),
            method = $about.summary.method.as_deref(),
            tls = tls.map(|tls| tls.protocol),
            cipher = tls.map(|tls| tls.cipher.as_str()),
            upstream = $about.upstream,
            resumed = $about.resumed.then_some(true),
            $($more)+
        );
    }};
}

impl About<'_> {
    /// The name as the client gave it, whole once it was proven.
    fn user(&self) -> Option<String> {
        let user = self.summary.user.as_deref()?;
        Some(match self.summary.logged_in {
            true => beginning(user),
            false => claimed(user),
        })
    }

    /// V41.
    fn in_the_clear(&self, user: Option<&str>) {
        let (session, peer, listener) = (self.session, self.peer, self.listener);
        let user = user.map(claimed);
        if peer.ip().is_loopback() {
            tracing::debug!(
                target: "pop3_server::login",
                session, %peer, listener, user, "login in the clear on this machine"
            );
        } else {
            tracing::warn!(
                target: "pop3_server::login",
                session, %peer, listener, user,
                "LOGIN IN THE CLEAR: everybody on the way could read the password; use TLS"
            );
        }
    }

    fn logged_in(&self) {
        login!(debug, self, "logged in");
    }

    fn waits(&self, until: Time) {
        tracing::debug!(
            target: "pop3_server::login",
            session = self.session,
            peer = %self.peer,
            user = self.user(),
            method = self.summary.method.as_deref(),
            seconds = until.since(self.now).as_secs_f64(),
            "login delayed: recent logins from this address, or for this name, failed"
        );
    }

    fn refused(&self, refusal: &Refusal) {
        let detail = beginning(&refusal.detail);
        login!(info, self, kind = ?refusal.kind, detail, "login refused");
    }

    fn failed(&self, failure: &Failure) {
        tracing::warn!(
            target: "pop3_server::session",
            session = self.session,
            peer = %self.peer,
            user = self.user(),
            upstream = self.upstream,
            kind = ?failure.kind,
            detail = beginning(&failure.detail),
            "{} failed",
            if self.summary.logged_in { "update" } else { "login" },
        );
    }

    fn noted(&self, note: &Note) {
        let (session, peer) = (self.session, self.peer);
        let (user, upstream, text) = (self.user(), self.upstream, beginning(&note.text));
        match note.weight {
            NoteWeight::Information => tracing::info!(
                target: "pop3_server::session", session, %peer, user, upstream, "{text}"
            ),
            NoteWeight::Warning => tracing::warn!(
                target: "pop3_server::session", session, %peer, user, upstream, "{text}"
            ),
        }
    }

    fn message_failed(&self, failure: &Failure) {
        let (session, user, upstream) = (self.session, self.user(), self.upstream);
        let detail = beginning(&failure.detail);
        match failure.kind {
            FailureKind::Missing => tracing::debug!(
                target: "pop3_server::session",
                session, user, upstream, detail, "message is gone"
            ),
            FailureKind::Temporary | FailureKind::Permanent => tracing::warn!(
                target: "pop3_server::session",
                session, user, upstream, detail, kind = ?failure.kind, "message not sent"
            ),
        }
    }

    /// The one line about the whole session.
    fn ended(&self, reason: Option<Reason>, tls_failure: Option<&str>) {
        let reason = match (tls_failure, reason) {
            (Some(_), _) => "TLS failed",
            (None, Some(reason)) => reason.as_str(),
            (None, None) => "cut off by this server",
        };
        let summary = self.summary;
        let tls = summary.tls.as_ref();
        tracing::info!(
            target: "pop3_server::session",
            session = self.session,
            user = self.user(),
            logged_in = summary.logged_in,
            method = summary.method.as_deref(),
            peer = %self.peer,
            listener = self.listener,
            tls = tls.map(|tls| tls.protocol),
            cipher = tls.map(|tls| tls.cipher.as_str()),
            messages = summary.messages,
            retrieved = summary.retrieved,
            tops = summary.tops,
            octets = summary.octets,
            deleted = summary.deleted,
            kept = summary.kept,
            not_deleted = summary.not_deleted,
            upstream = self.upstream,
            resumed = self.resumed.then_some(true),
            seconds = self.now.since(self.began).as_secs_f64(),
            reason,
            detail = tls_failure.map(beginning),
            "session ended"
        );
    }
}

/// A name that is not proven.
fn claimed(user: &str) -> String {
    beginning(&Claimed(user).to_string())
}

/// The beginning of a text from somebody else, made safe for a terminal.
fn beginning(text: &str) -> String {
    marked(text.chars().take(700)).collect()
}
