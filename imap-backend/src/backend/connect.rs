//! When there is a connection, and what the loss of one means.
//!
//! A chapter of the backend: a connection is made when there is work, and a loss fails or repeats the work on it.
//! How far the connection is, is known to [`Link`](super::link::Link).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use pop3_proto::backend::waiting::Wanted;
use pop3_proto::backend::{Failure, FailureKind, Note, RefusalKind};
use pop3_proto::time::Time;
use pop3_proto::trouble::Trouble;

use super::deadline::Reason;
use super::link::State;
use super::opening::{Opening, Step};
use super::{Answer, ImapBackend};
use crate::command::Command;
use crate::config::Security;
use crate::error::{self, Denial};
use crate::grammar::{Code, Kind};
use crate::wire::{Notice, Purpose};

impl ImapBackend {
    /// Reconnects if there is work but no connection.
    pub(super) fn seek_link(&mut self) {
        if !self.link.is_away() || !self.has_work() {
            return;
        }
        let broken = self.link.broken().cloned().or_else(|| {
            (self.clock.pauses() && self.update.is_none())
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

    /// Makes a connection; at a login, and for a session that rested, one that waits may be taken.
    pub(super) fn connect(&mut self, opening: Opening) {
        if !opening.first {
            self.asked.comes_again();
        }
        let endpoint = self.config.endpoint.clone();
        let may_wait = opening.first || self.link.is_resting();
        // what is left of a connection that was given up
        self.wire.reset();
        match self.claim().filter(|_| may_wait) {
            Some(claim) => self.link.resume(Wanted { claim, endpoint }, opening),
            None => self.link.connect(endpoint, opening),
        }
        self.clock.seeks();
    }

    pub(super) fn connected(&mut self) {
        if let State::Connecting(_) = self.link.state() {
            match self.config.security {
                Security::Implicit => self.shake_hands(),
                Security::Clear | Security::StartTls => self.link.go_on(State::Opening),
            }
        }
    }

    pub(super) fn shake_hands(&mut self) {
        self.link.shake_hands(self.config.server_name.clone());
    }

    pub(super) fn tls_ready(&mut self) {
        if let State::Handshake(_) = self.link.state() {
            self.secured();
            self.link.go_on(State::Opening);
        }
    }

    /// The driver says that the connection is gone.
    pub(super) fn lost(&mut self, failure: Failure) {
        // so is a token that was being fetched, or was to be
        self.asked.fetched();
        self.link.fetch_no_token();
        match self.link.state() {
            State::Connecting(_) | State::Handshake(_) => self.lose(failure),
            State::Opening(_) | State::Ready => self.link.lost(self.closed(failure)),
            State::Down | State::Resting | State::Finished => {}
        }
    }

    /// If a connection ends before the greeting, that alone points to a cause.
    fn closed(&self, failure: Failure) -> Failure {
        match self.link.as_opening() {
            Some(opening) if matches!(opening.step, Step::Greeting) => {
                let tls = opening.secure;
                let text = self.config.in_words(Trouble::GreetingClosed { tls });
                Failure::new(failure.kind, format!("{text} ({})", failure.detail))
            }
            Some(_) | None => failure,
        }
    }

    /// Gives up a connection that is of no use any more.
    pub(super) fn drop_link(&mut self, failure: Failure) {
        self.link.disconnect();
        self.lose(failure);
    }

    /// The connection is gone: decides what becomes of the work on it.
    pub(super) fn lose(&mut self, failure: Failure) {
        self.maildrop.forget_numbers();
        self.wire.reset();
        let (state, failure) = self.link.fall(failure);
        self.heed(&failure);
        match state {
            State::Connecting(opening) | State::Handshake(opening) | State::Opening(opening) => {
                if opening.resumed && self.link.broken().is_none() {
                    self.start_anew(opening.first);
                } else if opening.first {
                    self.conclude(Denial::Failed(failure));
                } else {
                    self.clock.pause();
                    self.fail_work(&failure);
                }
            }
            State::Ready => {
                self.reading_interrupted(&failure);
                self.update_interrupted(&failure);
            }
            State::Down | State::Resting | State::Finished => {}
        }
    }

    /// The folder cannot be opened.
    pub(super) fn deny(&mut self, denial: Denial) {
        let opening = self.link.as_opening();
        if opening.is_some_and(|opening| opening.resumed) {
            return self.drop_link(Failure::temporary("a connection that waited is of no use"));
        }
        if let Denial::Refused(refusal) = &denial
            && refusal.kind == RefusalKind::Credentials
            && self.asked.may_try_another()
        {
            return self.try_another_token();
        }
        if let Denial::Failed(failure) = &denial {
            self.heed(failure);
        }
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
            self.link.break_off(failure.clone());
        }
        self.drop_link(failure);
    }

    /// A token may be called back before it runs out. Another one gets a connection of its own.
    fn try_another_token(&mut self) {
        let first = self.link.is_first();
        self.link.disconnect();
        self.wire.reset();
        self.link.fall(Failure::temporary("the token was refused"));
        self.start_anew(first);
    }

    /// If the server wants to be left alone, other sessions of this account are to know.
    pub(super) fn heed(&self, failure: &Failure) {
        if let Some(span) = failure.retry_after
            && let Some(user) = self.asked.user()
        {
            self.config.backoffs.back_off(user, span);
        }
    }

    /// The end of a login that failed.
    pub(super) fn conclude(&mut self, denial: Denial) {
        self.answers.push(match denial {
            Denial::Refused(refusal) => Answer::Refused(Box::new(refusal)),
            Denial::Failed(failure) => Answer::failed(failure),
        });
        self.finish();
    }

    /// A status that ends no command. Two of them matter: BYE, and a change of UIDVALIDITY.
    pub(super) fn noticed(&mut self, notice: &Notice) {
        if notice.kind == Kind::Bye {
            self.link.say_bye(error::command("connection", notice));
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
        self.link.break_off(failure.clone());
        failure
    }

    /// Whether the login can be repeated without the client.
    pub(super) fn can_reconnect(&self) -> bool {
        self.link.broken().is_none() && self.asked.is_repeatable()
    }

    fn has_work(&self) -> bool {
        self.reading.has_work() || self.update.is_some()
    }

    fn fail_work(&mut self, failure: &Failure) {
        self.reading_failed(failure);
        self.update_failed(failure.clone());
    }

    // deadlines

    pub(super) fn deadline(&self) -> Option<(Time, Reason)> {
        let due = self
            .clock
            .due(&self.config, &self.link, &self.wire, &self.reading);
        let rest = self.may_rest().then(|| self.clock.rest_due(&self.config));
        due.into_iter().chain(rest).min_by_key(|(at, _)| *at)
    }

    pub(super) fn overdue(&mut self, reason: Reason) {
        match reason {
            Reason::Connect | Reason::Answer => {
                let late = self.late();
                self.drop_link(Failure::temporary(late));
            }
            Reason::SayAgain => self.say_again(),
            Reason::Parked => self.reading.give_up_guesses(),
            Reason::KeepAlive => {
                // a NOOP cannot be unsendable
                let _ = self.wire.send(Command::Noop, Purpose::Keep);
            }
            Reason::Rest => self.rest(),
        }
    }

    /// A client that gave up does not read why, but the operator does.
    pub(super) fn note_abandoned_login(&mut self) {
        if self.clock.kept_waiting(&self.link) {
            let late = self.late();
            self.notes.push(Note::warning(format!(
                "the client gave up its login; {late}"
            )));
        }
    }

    /// What takes so long.
    fn late(&self) -> String {
        if self.link.awaits_token() {
            return "no token has come for the login yet".into();
        }
        let text = self.config.in_words(self.clock.late(&self.link));
        let last_words = self.notes.last_words();
        format!("{text}{last_words}")
    }
}
