//! The connection as a whole: made when there is work, lost, and given up when it is late.
//!
//! Owns when to connect and what a loss means. Never looks at what is said on a connection.

use alloc::boxed::Box;
use alloc::format;
use core::time::Duration;

use pop3_proto::backend::{Effect, Failure, FailureKind, Login};
use pop3_proto::time::Time;
use pop3_proto::trouble::Trouble;

use super::opening::{Opening, Step};
use super::{Answer, ImapBackend};
use crate::config::Security;
use crate::error::{self, Denial};
use crate::grammar::{Code, Kind};
use crate::wire::Notice;

/// For how long after a failed attempt to reconnect everything is answered with that failure.
const PAUSE: Duration = Duration::from_secs(5);

/// The state of the connection, and of the opening of the folder.
#[derive(Debug)]
pub(super) enum Link {
    Down,
    Connecting(Box<Opening>),
    Handshake(Box<Opening>),
    /// From the greeting to the open folder.
    Opening(Box<Opening>),
    Ready,
    /// LOGOUT is sent; nothing happens any more.
    Finished,
}

impl Link {
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }

    /// Whether there is no connection.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Down | Self::Finished)
    }

    /// The opening under way.
    pub(super) fn opening(&mut self) -> Option<&mut Opening> {
        match self {
            Self::Connecting(opening) | Self::Handshake(opening) | Self::Opening(opening) => {
                Some(opening)
            }
            Self::Down | Self::Ready | Self::Finished => None,
        }
    }

    /// The same, to look at.
    pub(super) fn as_opening(&self) -> Option<&Opening> {
        match self {
            Self::Connecting(opening) | Self::Handshake(opening) | Self::Opening(opening) => {
                Some(opening)
            }
            Self::Down | Self::Ready | Self::Finished => None,
        }
    }

    /// Whether the session's login is under way.
    pub(super) fn is_first(&self) -> bool {
        self.as_opening().is_some_and(|opening| opening.first)
    }
}

/// The moments that matter to the backend.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The latest moment that was given.
    pub(super) now: Time,
    /// When anything last moved.
    pub(super) progress: Time,
    /// When the session last sent a login, or an answer that continues it.
    pub(super) asked: Time,
    /// When the connection was asked for.
    pub(super) sought: Time,
    /// When anything was last sent.
    pub(super) spoke: Time,
    /// Before this moment no other attempt to reconnect is made.
    not_before: Time,
}

impl Clock {
    pub(super) fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
    }
}

impl ImapBackend {
    /// Reconnects if there is work but no connection.
    pub(super) fn seek_link(&mut self) {
        if !matches!(self.link, Link::Down) || !self.has_work() {
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
            None => self.connect(Opening::new(false)),
        }
    }

    pub(super) fn connect(&mut self, opening: Opening) {
        self.effects
            .push_back(Effect::Connect(self.config.endpoint.clone()));
        self.enter(Link::Connecting(Box::new(opening)));
        self.clock.progress = self.clock.now;
        self.clock.sought = self.clock.now;
    }

    pub(super) fn connected(&mut self) {
        if let Link::Connecting(_) = self.link {
            match self.config.security {
                Security::Implicit => self.shake_hands(),
                Security::Clear | Security::StartTls => self.go_on(Link::Opening),
            }
        }
    }

    pub(super) fn shake_hands(&mut self) {
        let server_name = self.config.server_name.clone();
        self.effects.push_back(Effect::StartTls { server_name });
        self.go_on(Link::Handshake);
    }

    pub(super) fn tls_ready(&mut self) {
        if let Link::Handshake(_) = self.link {
            self.secured();
            self.go_on(Link::Opening);
        }
    }

    /// The driver says that the connection is gone.
    pub(super) fn lost(&mut self, failure: Failure) {
        match self.link {
            Link::Connecting(_) | Link::Handshake(_) => self.lose(failure),
            Link::Opening(_) | Link::Ready => self.gone = Some(self.closed(failure)),
            Link::Down | Link::Finished => {}
        }
    }

    /// If a connection ends before the greeting, that alone points to a cause.
    fn closed(&self, failure: Failure) -> Failure {
        match self.link.as_opening() {
            Some(opening) if matches!(opening.step, Step::Greeting) => {
                let tls = opening.secure;
                let text = self.in_words(Trouble::GreetingClosed { tls });
                Failure::new(failure.kind, format!("{text} ({})", failure.detail))
            }
            Some(_) | None => failure,
        }
    }

    /// Gives up a connection that is of no use any more.
    pub(super) fn drop_link(&mut self, failure: Failure) {
        if !self.link.is_none() {
            self.effects.push_back(Effect::Disconnect);
        }
        self.lose(failure);
    }

    /// The connection is gone: decides what becomes of the work on it.
    pub(super) fn lose(&mut self, failure: Failure) {
        let failure = self.bye.take().unwrap_or(failure);
        self.gone = None;
        self.maildrop.forget_numbers();
        self.wire.reset();
        if let Link::Finished = self.link {
            return;
        }
        match self.enter(Link::Down) {
            Link::Connecting(opening) | Link::Handshake(opening) | Link::Opening(opening) => {
                if opening.first {
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
            Link::Down | Link::Finished => {}
        }
    }

    /// The folder cannot be opened.
    pub(super) fn deny(&mut self, denial: Denial) {
        if self.link.is_first() {
            self.conclude(denial);
            return;
        }
        let (failure, is_final) = match denial {
            // credentials that were good are now refused: another try would only do harm
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
    pub(super) fn conclude(&mut self, denial: Denial) {
        self.answers.push_back(match denial {
            Denial::Refused(refusal) => Answer::Refused(refusal),
            Denial::Failed(failure) => Answer::Failed(failure),
        });
        self.finish();
    }

    /// A status that ends no command. Two of them matter: BYE, and a change of UIDVALIDITY.
    pub(super) fn noticed(&mut self, notice: &Notice) {
        if notice.kind == Kind::Bye {
            self.bye = Some(error::command("connection", notice));
        } else if let Code::UidValidity(validity) = notice.code
            && self.link.is_ready()
            && validity != self.maildrop.uid_validity
        {
            let failure = self.renumbered(Some(validity));
            self.drop_link(failure);
        }
    }

    /// The meaning of the table's UIDs is now unknown: the session gets nothing of this folder any more.
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
