//! The connection as a whole: sought when there is work, lost, and given up when it is late.
//!
//! Owns when to connect and what a loss means; what is said on a connection is not its business.

use alloc::boxed::Box;
use alloc::format;
use core::mem;
use core::time::Duration;

use pop3_proto::backend::{Effect, Failure, FailureKind, Login};
use pop3_proto::time::Time;
use pop3_proto::trouble::Trouble;

use super::opening::{Opening, Step};
use super::{Answer, ImapBackend};
use crate::client::Notice;
use crate::config::Security;
use crate::error::{self, Denial};
use crate::grammar::{Code, Kind};

/// How long a failed attempt to reconnect is the answer to everything.
const PAUSE: Duration = Duration::from_secs(5);

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    Connecting,
    Handshake,
    /// From the greeting to the open folder.
    Opening,
    Ready,
    /// Good-bye is said; nothing happens any more.
    Finished,
}

/// What the backend knows of time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The latest moment that was told.
    pub(super) now: Time,
    /// When anything last moved.
    pub(super) progress: Time,
    /// When the session last asked for the login, or went on with it.
    pub(super) asked: Time,
    /// When the connection was asked for.
    pub(super) sought: Time,
    /// When anything was last sent.
    pub(super) spoke: Time,
    /// Before this moment there is no other attempt to reconnect.
    not_before: Time,
}

impl Clock {
    pub(super) fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
    }
}

impl ImapBackend {
    /// Reconnects if there is work and no connection.
    pub(super) fn seek_link(&mut self) {
        if self.link != Link::Down || !self.has_work() {
            return;
        }
        let broken = self.broken.clone().or_else(|| {
            (self.clock.now < self.clock.not_before && self.update.is_none())
                .then(|| Failure::temporary("upstream could not be reached a moment ago"))
        });
        match broken {
            Some(failure) => self.fail_work(&failure),
            None if !self.can_reconnect() => {
                self.fail_work(&Failure::temporary(
                    "connection lost, and the login was relayed",
                ));
            }
            None => {
                self.opening = Some(Box::new(Opening::again()));
                self.connect();
            }
        }
    }

    pub(super) fn connect(&mut self) {
        self.effects
            .push_back(Effect::Connect(self.config.endpoint.clone()));
        self.link = Link::Connecting;
        self.clock.progress = self.clock.now;
        self.clock.sought = self.clock.now;
    }

    pub(super) fn connected(&mut self) {
        if self.link == Link::Connecting {
            match self.config.security {
                Security::Implicit => self.shake_hands(),
                Security::Clear | Security::StartTls => self.link = Link::Opening,
            }
        }
    }

    pub(super) fn shake_hands(&mut self) {
        let server_name = self.config.server_name.clone();
        self.effects.push_back(Effect::StartTls { server_name });
        self.link = Link::Handshake;
    }

    pub(super) fn tls_ready(&mut self) {
        if self.link == Link::Handshake {
            self.link = Link::Opening;
            self.secured();
        }
    }

    /// The driver says that the connection is gone.
    pub(super) fn lost(&mut self, failure: Failure) {
        match self.link {
            Link::Connecting | Link::Handshake => self.lose(failure),
            Link::Opening | Link::Ready => self.gone = Some(self.closed(failure)),
            Link::Down | Link::Finished => {}
        }
    }

    /// A connection that ends before the greeting has a likely cause of its own.
    fn closed(&self, failure: Failure) -> Failure {
        match &self.opening {
            Some(opening) if opening.step == Step::Greeting => {
                let tls = opening.secure;
                let text = self.in_words(Trouble::GreetingClosed { tls });
                Failure::new(failure.kind, format!("{text} ({})", failure.detail))
            }
            Some(_) | None => failure,
        }
    }

    /// Gives a connection up that is of no use any more.
    pub(super) fn drop_link(&mut self, failure: Failure) {
        if !matches!(self.link, Link::Down | Link::Finished) {
            self.effects.push_back(Effect::Disconnect);
        }
        self.lose(failure);
    }

    /// The connection is no more: says what became of the work on it.
    pub(super) fn lose(&mut self, failure: Failure) {
        let failure = self.bye.take().unwrap_or(failure);
        self.gone = None;
        self.maildrop.forget_numbers();
        self.client.reset();
        match mem::replace(&mut self.link, Link::Down) {
            Link::Connecting | Link::Handshake | Link::Opening => {
                if self.opening.take().is_some_and(|opening| opening.first) {
                    self.conclude(Denial::Failed(failure));
                } else {
                    self.clock.not_before = self.clock.now + PAUSE;
                    self.fail_work(&failure);
                }
            }
            Link::Ready => {
                self.reading_interrupted(&failure);
                self.update_interrupted(&failure);
            }
            Link::Down => {}
            Link::Finished => self.link = Link::Finished,
        }
    }

    /// The folder cannot be opened.
    pub(super) fn deny(&mut self, denial: Denial) {
        if self.opening.as_ref().is_some_and(|opening| opening.first) {
            self.conclude(denial);
            return;
        }
        let (failure, is_final) = match denial {
            // what was good once is refused now: asking again would only harm
            Denial::Refused(refusal) => (Failure::temporary(refusal.detail), true),
            Denial::Failed(failure) => {
                let is_final = failure.kind == FailureKind::Permanent;
                (failure, is_final)
            }
        };
        if is_final {
            self.broken = Some(failure.clone());
        }
        self.drop_link(failure);
    }

    /// The end of a login that failed.
    fn conclude(&mut self, denial: Denial) {
        self.answers.push_back(match denial {
            Denial::Refused(refusal) => Answer::Refused(refusal),
            Denial::Failed(failure) => Answer::Failed(failure),
        });
        self.finish();
    }

    /// A status that ends no command: a BYE means something, and that the UIDs are others now.
    pub(super) fn noticed(&mut self, notice: &Notice) {
        if notice.kind == Kind::Bye {
            self.bye = Some(error::command("connection", notice));
        } else if let Code::UidValidity(validity) = notice.code
            && self.link == Link::Ready
            && validity != self.maildrop.uid_validity
        {
            let failure = self.renumbered(Some(validity));
            self.drop_link(failure);
        }
    }

    /// What the table's UIDs mean now nobody knows: the session gets nothing of this folder any more.
    pub(super) fn renumbered(&mut self, validity: Option<u64>) -> Failure {
        let before = self.maildrop.uid_validity;
        let failure = Failure::temporary(format!(
            "UIDVALIDITY changed from {before} to {validity:?} during the session"
        ));
        self.broken = Some(failure.clone());
        failure
    }

    /// Whether the login can be repeated without the client.
    pub(super) fn can_reconnect(&self) -> bool {
        self.broken.is_none()
            && self
                .open
                .as_ref()
                .is_some_and(|open| !matches!(open.login, Login::Relay { .. }))
    }

    fn has_work(&self) -> bool {
        self.reading.has_work() || self.update.is_some()
    }

    fn fail_work(&mut self, failure: &Failure) {
        self.reading_failed(failure);
        self.update_failed(failure.clone());
    }
}
