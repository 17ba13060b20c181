//! What the operator's log says about a session.
//!
//! One line at the end of each, whatever ended it, and a line for everything on the way that a person
//! may have to look at. Never a secret: only names, classes and the upstream's own words, which
//! backends keep free of them.

use std::net::SocketAddr;
use std::sync::Arc;

use pop3_proto::backend::{Failure, FailureKind, Login, Note, NoteWeight, Refusal};
use pop3_proto::server::{Reason, Summary};
use pop3_proto::time::Time;

use crate::service::Peer;

pub(crate) struct Report {
    pub(crate) session: u64,
    pub(crate) upstream: Option<Arc<str>>,
    /// Why the session ended, once it has.
    pub(crate) reason: Option<Reason>,
    listener: Arc<str>,
    peer: SocketAddr,
    started: Time,
    now: Time,
    tls_failure: Option<String>,
}

impl Report {
    pub(crate) fn new(session: u64, listener: &str, peer: &Peer, now: Time) -> Self {
        Self {
            session,
            upstream: None,
            reason: None,
            listener: listener.into(),
            peer: peer.address,
            started: now,
            now,
            tls_failure: None,
        }
    }

    /// What time it is, so that the end has one too.
    pub(crate) fn at(&mut self, now: Time) {
        self.now = now;
    }

    pub(crate) fn tls_failed(&mut self, detail: &str) {
        self.tls_failure.get_or_insert_with(|| detail.into());
    }

    /// A secret came in the clear (V41).
    pub(crate) fn clear_login(&self, login: &Login) {
        let secret = match login {
            Login::Password { .. }
            | Login::ActingFor { .. }
            | Login::Bearer { .. }
            | Login::Relay { .. } => true,
            Login::Apop { .. } | Login::CramMd5 { .. } => false,
            _ => true,
        };
        if !secret {
            return;
        }
        let (session, peer, listener) = (self.session, self.peer, &*self.listener);
        let user = name(login.user());
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

    pub(crate) fn logged_in(&self, summary: &Summary) {
        let tls = summary.tls.as_ref();
        tracing::debug!(
            target: "pop3_server::login",
            session = self.session,
            peer = %self.peer,
            user = name(summary.user.as_deref()),
            method = summary.method.as_deref(),
            tls = tls.map(|tls| tls.protocol),
            cipher = tls.map(|tls| tls.cipher.as_str()),
            upstream = self.upstream.as_deref(),
            "logged in"
        );
    }

    /// A login is not looked at yet.
    pub(crate) fn waits(&self, until: Time, summary: &Summary) {
        tracing::debug!(
            target: "pop3_server::login",
            session = self.session,
            peer = %self.peer,
            user = name(summary.user.as_deref()),
            method = summary.method.as_deref(),
            seconds = until.since(self.now).as_secs_f64(),
            "login waits: others from this address, or for this name, failed lately"
        );
    }

    pub(crate) fn refused(&self, refusal: &Refusal, summary: &Summary) {
        tracing::info!(
            target: "pop3_server::login",
            session = self.session,
            peer = %self.peer,
            user = name(summary.user.as_deref()),
            method = summary.method.as_deref(),
            tls = summary.tls.as_ref().map(|tls| tls.protocol),
            cipher = summary.tls.as_ref().map(|tls| tls.cipher.as_str()),
            upstream = self.upstream.as_deref(),
            kind = ?refusal.kind,
            detail = clean(&refusal.detail),
            "login refused"
        );
    }

    /// A login or an update could not be carried out.
    pub(crate) fn failed(&self, failure: &Failure, summary: &Summary) {
        tracing::warn!(
            target: "pop3_server::session",
            session = self.session,
            peer = %self.peer,
            user = name(summary.user.as_deref()),
            upstream = self.upstream.as_deref(),
            kind = ?failure.kind,
            detail = clean(&failure.detail),
            "{} failed",
            if summary.logged_in { "update" } else { "login" },
        );
    }

    /// What the backend has to say beside its replies.
    pub(crate) fn noted(&self, note: &Note, summary: &Summary) {
        let (session, peer) = (self.session, self.peer);
        let (user, upstream) = (name(summary.user.as_deref()), self.upstream.as_deref());
        let text = clean(&note.text);
        match note.weight {
            NoteWeight::Information => tracing::info!(
                target: "pop3_server::session", session, %peer, user, upstream, "{text}"
            ),
            NoteWeight::Warning => tracing::warn!(
                target: "pop3_server::session", session, %peer, user, upstream, "{text}"
            ),
        }
    }

    pub(crate) fn message_failed(&self, failure: &Failure, summary: &Summary) {
        let (session, user) = (self.session, name(summary.user.as_deref()));
        let (upstream, detail) = (self.upstream.as_deref(), clean(&failure.detail));
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
    pub(crate) fn ended(&self, summary: &Summary) {
        let reason = match (&self.tls_failure, self.reason) {
            (Some(_), _) => "TLS failed",
            (None, Some(reason)) => reason.as_str(),
            (None, None) => "cut off by this server",
        };
        let tls = summary.tls.as_ref();
        tracing::info!(
            target: "pop3_server::session",
            session = self.session,
            user = name(summary.user.as_deref()),
            logged_in = summary.logged_in,
            method = summary.method.as_deref(),
            peer = %self.peer,
            listener = &*self.listener,
            tls = tls.map(|tls| tls.protocol),
            cipher = tls.map(|tls| tls.cipher.as_str()),
            messages = summary.messages,
            retrieved = summary.retrieved,
            tops = summary.tops,
            octets = summary.octets,
            deleted = summary.deleted,
            kept = summary.kept,
            not_deleted = summary.not_deleted,
            upstream = self.upstream.as_deref(),
            seconds = self.now.since(self.started).as_secs_f64(),
            reason,
            detail = self.tls_failure.as_deref().map(clean),
            "session ended"
        );
    }
}

/// A name as a client gave it, fit for a terminal.
fn name(user: Option<&str>) -> Option<String> {
    user.map(clean)
}

fn clean(text: &str) -> String {
    text.chars()
        .take(700)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
