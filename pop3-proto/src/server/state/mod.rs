//! All transitions of a session: what each command, reply and deadline does in each state.
//!
//! Everything that changes [`State`] is in this folder: what all states share is here, the rest is
//! in a file for each state. `phase` has the table of steps, which `docs/states.md` draws. Octets
//! are buffered and events queued by the [`Session`].

mod authorization;
mod transaction;

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use zeroize::Zeroizing;

use super::event::{Event, Reason};
use super::session::{OUTPUT_FULL, Session};
use super::standing::{Due, Opening, Running, State};
use crate::backend::{Failure, FailureKind, Reply, Request};
use crate::command::{Command, CommandError};
use crate::line::Line;
use crate::response::ResponseCode;
use crate::time::Time;
use crate::trace::Direction;

impl Session {
    /// Where every input ends: runs commands while there is input and room.
    pub(in crate::server) fn advance(&mut self) {
        loop {
            match &self.state {
                State::Closed | State::Updating => return,
                State::StartingTls | State::Handshake if self.client_eof => {
                    return self.close_at_once(Reason::ClientGone);
                }
                State::StartingTls => {
                    if self.output.is_empty() {
                        self.enter(State::Handshake);
                        self.tell(Event::StartTls);
                    }
                    return;
                }
                State::Handshake => return,
                State::Opening(_) => {
                    // the last request of a client that has gone is not worth waiting for
                    if self.client_eof && !self.input.has_line() {
                        self.close(Reason::ClientGone);
                    }
                    return;
                }
                State::Transaction(_, Running::Retrieving(_)) => return,
                State::Transaction(_, Running::Listing { .. }) => {
                    if !self.list_on() {
                        return;
                    }
                }
                State::Transaction(_, Running::Nothing)
                | State::Authorization { .. }
                | State::Challenged(_)
                | State::Relaying(_)
                | State::TokenRefused => {}
            }
            if self.output.len() >= OUTPUT_FULL {
                return;
            }
            if !self.greeted_a_command && self.input.peek().first() == Some(&0x16) {
                self.wrong_protocol();
                return;
            }
            match self.input.next_line(self.line_limit()) {
                Some(Line::Complete(line)) => self.line(line),
                Some(Line::TooLong) => self.line_too_long(),
                None if self.input.discarded() > 4 * self.policy.sasl_line => {
                    self.close(Reason::BadCommands);
                }
                None if self.client_eof => self.close(Reason::ClientGone),
                None => return,
            }
        }
    }

    /// Whether octets from the client are wanted at all.
    pub(in crate::server) const fn takes_input(&self) -> bool {
        !matches!(
            self.state,
            State::Closed | State::StartingTls | State::Handshake
        )
    }

    /// Octets of input that may wait.
    pub(in crate::server) fn input_capacity(&self) -> usize {
        self.policy.command_line.max(self.policy.sasl_line) + 2
    }

    pub(in crate::server) const fn is_retrieving(&self) -> bool {
        matches!(self.state, State::Transaction(_, Running::Retrieving(_)))
    }

    pub(in crate::server) fn deadline(&self) -> Option<(Time, Due)> {
        let (policy, moments) = (&self.policy, &self.moments);
        let before_login = |at: (Time, Due)| {
            let login = moments.started + policy.login_grace;
            if at.0 < login {
                at
            } else {
                (login, Due::Login)
            }
        };
        let stalled = (moments.waiting + policy.stalled_reader, Due::StalledReader);
        let silence = (
            moments.backend.max(moments.progress) + policy.backend_silence,
            Due::BackendSilence,
        );
        let grace = self.shutting_down.then(|| {
            (
                moments.shut_down.max(moments.activity) + policy.shutdown_grace,
                Due::ShutdownGrace,
            )
        });
        let idle = (
            moments.activity.max(moments.progress) + policy.autologout,
            Due::Autologout,
        );
        let reading = !self.output.is_empty();
        match &self.state {
            State::Closed => reading.then_some(stalled),
            State::Authorization { .. }
            | State::Challenged(_)
            | State::TokenRefused
            | State::Relaying(_) => Some(before_login(grace.unwrap_or(if reading {
                stalled
            } else {
                idle
            }))),
            State::StartingTls | State::Handshake => Some(before_login(stalled)),
            State::Opening(Opening {
                authenticated: false,
                ..
            }) => Some(before_login(if reading { stalled } else { silence })),
            State::Opening(_) | State::Updating => Some(if reading { stalled } else { silence }),
            State::Transaction(_, Running::Retrieving(_)) => {
                Some(if reading { stalled } else { silence })
            }
            State::Transaction(_, Running::Listing { .. }) => Some(stalled),
            State::Transaction(_, Running::Nothing) if reading => Some(stalled),
            State::Transaction(_, Running::Nothing) => Some(grace.unwrap_or(idle)),
        }
    }

    /// The deadline has passed. A session that ends for inactivity never says so (P013).
    pub(in crate::server) fn expire(&mut self) {
        let Some((_, due)) = self.deadline() else {
            return;
        };
        match due {
            Due::Login => {
                self.answer_login("the login took too long");
                self.close(Reason::LoginTimeout);
            }
            Due::Autologout => self.close(Reason::IdleTimeout),
            Due::StalledReader => self.close_at_once(Reason::StalledReader),
            Due::ShutdownGrace => self.close(Reason::ShutDown),
            Due::BackendSilence => {
                if let State::Transaction(_, Running::Retrieving(retrieval)) = &self.state
                    && retrieval.has_begun()
                {
                    return self.close(Reason::BodyCut);
                }
                self.send_err(
                    Some(ResponseCode::SysTemp),
                    "the mail store does not answer",
                );
                self.finish(Reason::BackendSilent);
            }
        }
    }

    /// A client that waits for the answer to its login gets one. Otherwise the session ends
    /// without a word (P013).
    pub(in crate::server) fn answer_login(&mut self, text: &str) {
        if let State::Opening(_) = self.state {
            self.send_err(Some(ResponseCode::SysTemp), text);
        }
    }

    /// The place of a client that has not logged in is needed for another.
    pub(in crate::server) fn turned_out(&mut self) {
        if matches!(self.state, State::Transaction(..) | State::Updating) {
            return;
        }
        self.answer_login("too many connections");
        self.close(Reason::TurnedOut);
    }

    /// The server shuts down. A session with nothing under way ends; within a TLS handshake nothing can be said.
    pub(in crate::server) fn end_if_idle(&mut self) {
        if !self.output.is_empty() {
            return;
        }
        match &self.state {
            State::Authorization { .. }
            | State::Challenged(_)
            | State::TokenRefused
            | State::Relaying(_)
            | State::Transaction(_, Running::Nothing) => self.refuse_last(),
            State::Handshake => self.close(Reason::ShutDown),
            State::Opening(_)
            | State::StartingTls
            | State::Transaction(..)
            | State::Updating
            | State::Closed => {}
        }
    }

    /// The last answer of a server that shuts down.
    fn refuse_last(&mut self) {
        self.send_err(
            Some(ResponseCode::SysTemp),
            "the server is shutting down; nothing was deleted",
        );
        self.close(Reason::ShutDown);
    }

    /// Ends the session; what waits is still sent.
    pub(in crate::server) fn close(&mut self, reason: Reason) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if self.has_backend() {
            self.request(Request::Abandon);
        }
        if let State::Transaction(maildrop, _) = &self.state {
            self.summary.not_deleted = maildrop.deleted_list().len() as u64;
        }
        self.enter(State::Closed);
        self.input.clear();
        self.tell(Event::Close(reason));
    }

    /// Ends the session and drops what waits.
    pub(in crate::server) fn close_at_once(&mut self, reason: Reason) {
        self.output.clear();
        self.close(reason);
    }

    const fn has_backend(&self) -> bool {
        matches!(
            self.state,
            State::Opening(_) | State::Relaying(_) | State::Transaction(..)
        )
    }

    fn line_limit(&self) -> usize {
        let auth = self
            .input
            .peek()
            .get(..4)
            .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"));
        let in_exchange = matches!(
            self.state,
            State::Challenged(_) | State::TokenRefused | State::Relaying(_)
        );
        if auth || in_exchange {
            self.policy.sasl_line
        } else {
            self.policy.command_line
        }
    }

    /// A complete line has come.
    fn line(&mut self, line: Zeroizing<Vec<u8>>) {
        self.moments.activity = self.moments.now;
        match &self.state {
            State::Challenged(_) => {
                self.note(Direction::Received, format_args!("<SASL answer>"));
                self.challenge_answered(&line);
            }
            State::Relaying(_) => {
                self.note(Direction::Received, format_args!("<SASL answer>"));
                self.relay_answered(&line);
            }
            State::TokenRefused => {
                self.note(Direction::Received, format_args!("<SASL answer>"));
                self.enter(State::Authorization { user: None });
                self.login_failed();
            }
            State::Authorization { .. }
            | State::Opening(_)
            | State::Transaction(..)
            | State::StartingTls
            | State::Handshake
            | State::Updating
            | State::Closed => self.command_line(&line),
        }
    }

    /// A line that is too long is not looked at. An exchange ends with its `-ERR`, so the next line is a command.
    fn line_too_long(&mut self) {
        self.note(Direction::Received, format_args!("<line too long>"));
        if matches!(self.state, State::TokenRefused) {
            self.enter(State::Authorization { user: None });
            return self.login_failed();
        }
        self.bad("line too long");
        self.end_exchange();
    }

    fn command_line(&mut self, line: &[u8]) {
        let parsed = Command::parse(line);
        match &parsed {
            Ok(command) => self.note(Direction::Received, format_args!("{command}")),
            Err(CommandError::Arguments(verb)) => {
                self.note(
                    Direction::Received,
                    format_args!("{verb} <{} octets>", line.len()),
                );
            }
            Err(CommandError::Unknown | CommandError::Characters) => {
                self.note(Direction::Received, format_args!("<{} octets>", line.len()));
            }
        }
        if self.shutting_down {
            return self.refuse_last();
        }
        let first = !core::mem::replace(&mut self.greeted_a_command, true);
        match parsed {
            Ok(command) => self.command(command),
            Err(_) if first && memchr::memmem::find(line, b" HTTP/").is_some() => {
                self.wrong_protocol();
            }
            Err(CommandError::Unknown) => {
                self.bad("unknown command");
                self.forget_user();
            }
            Err(CommandError::Arguments(_)) => {
                self.bad("wrong arguments");
                self.forget_user();
            }
            Err(CommandError::Characters) => {
                self.bad("invalid character in the command");
                self.forget_user();
            }
        }
    }

    fn command(&mut self, command: Command) {
        match &self.state {
            State::Authorization { .. } => self.command_before_login(command),
            State::Transaction(..) => self.command_in_transaction(command),
            // advance() takes no command in any other state
            State::Challenged(_)
            | State::Opening(_)
            | State::Relaying(_)
            | State::TokenRefused
            | State::StartingTls
            | State::Handshake
            | State::Updating
            | State::Closed => {}
        }
    }

    /// A reply from the backend.
    pub(in crate::server) fn answer(&mut self, reply: Reply<'_>) {
        match reply {
            Reply::Challenge(challenge) => {
                if let Some(opening) = self.opening() {
                    let opening = core::mem::take(opening);
                    self.enter(State::Relaying(opening));
                    self.challenge(challenge);
                }
            }
            Reply::Authenticated => {
                if let Some(opening) = self.opening() {
                    opening.authenticated = true;
                }
            }
            Reply::Entry { size, unique_id } => {
                let Some(opening) = self.opening() else {
                    return;
                };
                if !opening.maildrop.push(size, unique_id) {
                    self.request(Request::Abandon);
                    self.enter(State::Authorization { user: None });
                    self.login_ended(
                        Some(ResponseCode::SysPerm),
                        "the maildrop holds too many messages",
                    );
                }
            }
            Reply::Opened { access } => self.opened(access),
            Reply::Refused(refusal) => self.refused(&refusal),
            Reply::BodyStart { ticket, size } => self.body_start(ticket, size),
            Reply::Body { ticket, bytes } => self.body(ticket, bytes),
            Reply::BodyEnd { ticket } => {
                if self.retrieval(ticket).is_some_and(|r| r.has_begun()) {
                    self.body_end();
                }
            }
            Reply::BodyFailed { ticket, failure } => self.body_failed(ticket, &failure),
            Reply::Updated => {
                if matches!(self.state, State::Updating) {
                    let deleted = core::mem::take(&mut self.summary.not_deleted);
                    self.summary.deleted = deleted;
                    self.send_ok(format_args!("bye, {deleted} deleted"));
                    self.finish(Reason::Quit);
                }
            }
            Reply::Kept => {
                if matches!(self.state, State::Updating) {
                    let kept = core::mem::take(&mut self.summary.not_deleted);
                    self.summary.kept = kept;
                    self.send_ok(format_args!("bye, {kept} marked as deleted and all kept"));
                    self.finish(Reason::Quit);
                }
            }
            Reply::Failed(failure) => self.failed(&failure),
        }
    }

    /// The session ends with the backend; the reply is for a client that is still there.
    fn finish(&mut self, reason: Reason) {
        if self.client_gone {
            self.output.clear();
        }
        self.close(reason);
    }

    /// The client can neither be heard nor reached. A running update goes on, because the client has
    /// said QUIT.
    pub(in crate::server) fn reset(&mut self) {
        self.client_gone = true;
        self.client_eof = true;
        self.output.clear();
        if !matches!(self.state, State::Updating) {
            self.close(Reason::ClientGone);
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let code = Some(match failure.kind {
            FailureKind::Temporary | FailureKind::Missing => ResponseCode::SysTemp,
            FailureKind::Permanent => ResponseCode::SysPerm,
        });
        match &self.state {
            State::Opening(_) | State::Relaying(_) => {
                self.enter(State::Authorization { user: None });
                self.login_ended(
                    code,
                    &later("the mailbox cannot be opened", failure.retry_after),
                );
            }
            State::Updating => {
                self.send_err(code, "some deleted messages were not removed");
                self.finish(Reason::UpdateFailed);
            }
            State::Authorization { .. }
            | State::Challenged(_)
            | State::TokenRefused
            | State::StartingTls
            | State::Handshake
            | State::Transaction(..)
            | State::Closed => {}
        }
    }

    fn good(&mut self) {
        self.bad_commands = 0;
    }

    /// Answers `-ERR` to a command that is wrong here. Too many of them end the session.
    fn bad(&mut self, text: &str) {
        self.bad_commands += 1;
        self.send_err(None, text);
        let most = match self.state {
            State::Transaction(..) => self.policy.bad_commands,
            State::Authorization { .. }
            | State::Challenged(_)
            | State::Opening(_)
            | State::Relaying(_)
            | State::TokenRefused
            | State::StartingTls
            | State::Handshake
            | State::Updating
            | State::Closed => self.policy.bad_commands_before_login,
        };
        if self.bad_commands >= most {
            self.close(Reason::BadCommands);
        }
    }

    fn wrong_protocol(&mut self) {
        self.send_err(None, "this is POP3");
        self.close(Reason::WrongProtocol);
    }
}

/// What went wrong, and when it may have passed.
fn later(text: &str, retry_after: Option<Duration>) -> Cow<'_, str> {
    match retry_after.map(|span| span.as_millis().div_ceil(1000)) {
        None => text.into(),
        Some(seconds) => format!("{text}, try again in {seconds} s").into(),
    }
}
