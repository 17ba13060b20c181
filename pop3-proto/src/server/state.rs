//! All transitions of a session: what each command, reply and deadline does in each state.
//!
//! Everything that changes [`State`] stands here and nowhere else. Octets are buffered and events
//! queued by the parent module.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::maildrop::Maildrop;
use super::{Event, Expire, OUTPUT_FULL, ReadOnly, Reason, Session, TlsOffer};
use crate::backend::{
    Access, Failure, FailureKind, Index, Login, Mechanism, Open, Part, Refusal, RefusalKind, Reply,
    Request, Ticket,
};
use crate::capability::Capability;
use crate::command::{Command, CommandError, MessageNumber};
use crate::line::Line;
use crate::response::ResponseCode;
use crate::sasl::{self, Exchange, Step};
use crate::secret::Secret;
use crate::stuffing::Stuffer;
use crate::time::Time;
use crate::trace::Direction;

/// Where a session stands.
#[derive(Debug)]
pub(super) enum State {
    /// AUTHORIZATION, a command may come.
    Authorization {
        /// The name that USER gave.
        user: Option<String>,
    },
    /// AUTHORIZATION, within AUTH: the next line answers our challenge.
    Challenged(Exchange),
    /// AUTHORIZATION, the backend checks the login and lists the maildrop.
    Opening(Opening),
    /// AUTHORIZATION, a bearer token was refused: the client's next line is empty talk (RFC 7628
    /// section 3.2.2), and then comes the `-ERR`.
    TokenRefused,
    /// STLS was accepted; the handshake follows once the `+OK` is sent.
    StartingTls {
        /// Whether the handshake runs.
        handshake: bool,
    },
    /// TRANSACTION.
    Transaction(Maildrop, Running),
    /// UPDATE.
    Updating,
    /// Nothing more happens but the sending of what is left.
    Closed,
}

/// A login that the backend works on.
#[derive(Debug)]
pub(super) struct Opening {
    maildrop: Maildrop,
    /// The login was a bearer token.
    bearer: bool,
    /// A relayed challenge is out; the next line answers it.
    challenged: bool,
}

/// What runs in TRANSACTION.
#[derive(Debug)]
pub(super) enum Running {
    Nothing,
    Listing {
        what: Listing,
        next: Option<Index>,
        lines: u32,
    },
    Retrieving(Retrieval),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Listing {
    Sizes,
    UniqueIds,
}

/// RETR or TOP.
#[derive(Debug)]
pub(super) struct Retrieval {
    ticket: Ticket,
    index: Index,
    part: Part,
    /// There is none before the `+OK`.
    stuffer: Option<Stuffer>,
}

/// Which deadline is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Login,
    Autologout,
    StalledReader,
    BackendSilence,
    ShutdownGrace,
}

impl Due {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login grace",
            Self::Autologout => "autologout",
            Self::StalledReader => "stalled reader",
            Self::BackendSilence => "backend silence",
            Self::ShutdownGrace => "shutdown grace",
        }
    }
}

impl Session {
    /// Where every entry point ends: runs commands while there is input and room.
    pub(super) fn advance(&mut self) {
        loop {
            match &self.state {
                State::Closed | State::Updating => return,
                State::StartingTls { handshake } => {
                    let handshake = *handshake;
                    if self.client_eof {
                        self.close_at_once(Reason::ClientGone);
                    } else if !handshake && self.output.is_empty() {
                        self.state = State::StartingTls { handshake: true };
                        self.events.push_back(Event::StartTls);
                    }
                    return;
                }
                State::Opening(Opening {
                    challenged: false, ..
                }) => {
                    // what a client that has gone away asked for last is not worth waiting for
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
                | State::Opening(Opening {
                    challenged: true, ..
                })
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
                Some(Line::TooLong) => {
                    self.note(Direction::Received, format_args!("<line too long>"));
                    self.bad("line too long");
                }
                None if self.input.discarded() > 4 * self.policy.sasl_line => {
                    self.close(Reason::BadCommands);
                }
                None if self.client_eof => self.close(Reason::ClientGone),
                None => return,
            }
        }
    }

    pub(super) fn greet(&mut self) {
        let policy = self.policy.clone();
        let kept = policy
            .greeting
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '<' | '>'));
        let text: String = kept.take(200).collect();
        let text = text.trim_start_matches(['[', ' ']);
        if self.offers_apop() {
            let stamp = self.stamp.clone();
            self.send_ok(format_args!("{text} {stamp}"));
        } else {
            self.send_ok(format_args!("{text}"));
        }
    }

    /// Whether octets from the client are wanted at all.
    pub(super) const fn takes_input(&self) -> bool {
        !matches!(self.state, State::Closed | State::StartingTls { .. })
    }

    /// Octets of input that may wait.
    pub(super) fn input_capacity(&self) -> usize {
        self.policy.command_line.max(self.policy.sasl_line) + 2
    }

    pub(super) const fn is_retrieving(&self) -> bool {
        matches!(self.state, State::Transaction(_, Running::Retrieving(_)))
    }

    pub(super) fn deadline(&self) -> Option<(Time, Due)> {
        let (policy, moments) = (&self.policy, &self.moments);
        let before_login = |at: (Time, Due)| {
            let login = moments.started + policy.login_grace;
            if at.0 < login {
                at
            } else {
                (login, Due::Login)
            }
        };
        let stalled = (
            moments.progress.max(moments.activity) + policy.stalled_reader,
            Due::StalledReader,
        );
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
            | State::Opening(Opening {
                challenged: true, ..
            }) => Some(before_login(grace.unwrap_or(if reading {
                stalled
            } else {
                idle
            }))),
            State::StartingTls { .. } => Some(before_login(stalled)),
            State::Opening(_) | State::Updating => Some(if reading { stalled } else { silence }),
            State::Transaction(_, Running::Retrieving(_)) => {
                Some(if reading { stalled } else { silence })
            }
            State::Transaction(_, Running::Listing { .. }) => Some(stalled),
            State::Transaction(_, Running::Nothing) if reading => Some(stalled),
            State::Transaction(_, Running::Nothing) => Some(grace.unwrap_or(idle)),
        }
    }

    /// The deadline has passed. A session never says why it ends for inactivity (P013).
    pub(super) fn expire(&mut self) {
        let Some((_, due)) = self.deadline() else {
            return;
        };
        match due {
            Due::Login => self.close(Reason::LoginTimeout),
            Due::Autologout => self.close(Reason::IdleTimeout),
            Due::StalledReader => self.close_at_once(Reason::StalledReader),
            Due::ShutdownGrace => self.close(Reason::ShutDown),
            Due::BackendSilence => {
                if let State::Transaction(_, Running::Retrieving(retrieval)) = &self.state
                    && retrieval.stuffer.is_some()
                {
                    return self.close(Reason::BodyCut);
                }
                self.send_err(
                    Some(ResponseCode::SysTemp),
                    "the mail store does not answer",
                );
                self.close(Reason::BackendSilent);
            }
        }
    }

    /// Ends the session; what waits is still sent.
    pub(super) fn close(&mut self, reason: Reason) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if self.has_backend() {
            self.request(Request::Abandon);
        }
        if let State::Transaction(maildrop, _) = &self.state {
            self.summary.not_deleted = maildrop.deleted_list().len() as u64;
        }
        self.state = State::Closed;
        self.input.clear();
        self.events.push_back(Event::Close(reason));
    }

    /// Ends the session and drops what waits.
    pub(super) fn close_at_once(&mut self, reason: Reason) {
        self.output.clear();
        self.close(reason);
    }

    /// RFC 2595 section 4: whatever was said before TLS was said by anybody.
    pub(super) fn forget_clear_text(&mut self) {
        if let State::StartingTls { .. } = self.state {
            self.state = State::Authorization { user: None };
            self.access = Access::ReadWrite;
            self.utf8 = false;
            self.summary.user = None;
            self.summary.method = None;
        }
    }

    const fn has_backend(&self) -> bool {
        matches!(self.state, State::Opening(_) | State::Transaction(..))
    }

    fn line_limit(&self) -> usize {
        let auth = self
            .input
            .peek()
            .get(..4)
            .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"));
        let in_exchange = matches!(
            self.state,
            State::Challenged(_)
                | State::TokenRefused
                | State::Opening(Opening {
                    challenged: true,
                    ..
                })
        );
        if auth || in_exchange {
            self.policy.sasl_line
        } else {
            self.policy.command_line
        }
    }

    /// A complete line has come.
    fn line(&mut self, line: Vec<u8>) {
        self.moments.activity = self.moments.now;
        match &mut self.state {
            State::Challenged(_) => {
                self.note(Direction::Received, format_args!("<SASL answer>"));
                self.challenge_answered(&line);
            }
            State::Opening(opening) => {
                opening.challenged = false;
                self.note(Direction::Received, format_args!("<SASL answer>"));
                self.relay_answered(&line);
            }
            State::TokenRefused => {
                self.note(Direction::Received, format_args!("<SASL answer>"));
                self.state = State::Authorization { user: None };
                self.login_failed();
            }
            State::Authorization { .. }
            | State::Transaction(..)
            | State::StartingTls { .. }
            | State::Updating
            | State::Closed => self.command_line(&line),
        }
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
            self.send_err(
                Some(ResponseCode::SysTemp),
                "the server goes down; nothing was deleted",
            );
            return self.close(Reason::ShutDown);
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
                self.bad("that character may not stand in a command");
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
            | State::TokenRefused
            | State::StartingTls { .. }
            | State::Updating
            | State::Closed => {}
        }
    }

    fn command_before_login(&mut self, command: Command) {
        let user = match &mut self.state {
            State::Authorization { user } => user.take(),
            State::Challenged(_)
            | State::Opening(_)
            | State::TokenRefused
            | State::StartingTls { .. }
            | State::Transaction(..)
            | State::Updating
            | State::Closed => None,
        };
        match command {
            Command::User(name) => {
                if self.may_send_password() && self.policy.user_pass {
                    self.send_ok(format_args!("now the password"));
                    self.state = State::Authorization { user: Some(name) };
                }
            }
            Command::Pass(password) => match user {
                Some(user) => {
                    self.summary.method = Some("PASS".into());
                    self.open(Login::Password { user, password });
                }
                None => self.bad("say USER first"),
            },
            Command::Apop { user, digest } => {
                if self.offers_apop() {
                    self.summary.method = Some("APOP".into());
                    let timestamp = self.stamp.clone();
                    self.open(Login::Apop {
                        user,
                        timestamp,
                        digest,
                    });
                } else {
                    self.bad("APOP is not offered");
                }
            }
            Command::AuthList => {
                self.send_ok(format_args!("the mechanisms"));
                for mechanism in self.mechanisms() {
                    self.send(mechanism.as_str());
                }
                self.send(".");
            }
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Capa => {
                self.state = State::Authorization { user };
                self.capa();
            }
            Command::Stls => self.stls(),
            Command::Utf8 => {
                if self.policy.utf8 {
                    self.utf8 = true;
                    self.send_ok(format_args!("UTF8 it is"));
                } else {
                    self.bad("UTF8 is not offered");
                }
            }
            Command::Lang(tag) => self.lang(tag.as_deref()),
            Command::Xpro => {
                if self.policy.read_only == ReadOnly::Refused {
                    let code = Some(ResponseCode::ReadOnly);
                    self.send_err(code, "read-only access is not to be had");
                } else {
                    self.access = Access::ReadOnly;
                    self.send_ok(format_args!("read-only access it will be"));
                }
            }
            Command::Quit => {
                self.send_ok(format_args!("bye"));
                self.close(Reason::Quit);
            }
            Command::Stat
            | Command::List(_)
            | Command::Uidl(_)
            | Command::Retr(_)
            | Command::Top(..)
            | Command::Dele(_)
            | Command::Noop
            | Command::Rset => self.bad("log in first"),
        }
    }

    fn command_in_transaction(&mut self, command: Command) {
        match command {
            Command::Capa => self.capa(),
            Command::Lang(tag) => self.lang(tag.as_deref()),
            Command::Stat => {
                let (count, octets) = self.maildrop().map_or((0, 0), Maildrop::stat);
                self.good();
                self.send_ok(format_args!("{count} {octets}"));
            }
            Command::List(Some(number)) => self.list_one(Listing::Sizes, number),
            Command::Uidl(Some(number)) => self.list_one(Listing::UniqueIds, number),
            Command::List(None) => self.list(Listing::Sizes),
            Command::Uidl(None) => self.list(Listing::UniqueIds),
            Command::Retr(number) => self.retrieve(number, Part::Whole),
            Command::Top(number, lines) => self.retrieve(number, Part::Top { lines }),
            Command::Dele(number) => match self.find(number) {
                _ if self.access == Access::ReadOnly => {
                    self.send_err(
                        Some(ResponseCode::ReadOnly),
                        "the maildrop is open for reading only",
                    );
                }
                None => self.no_such_message(),
                Some(index) => {
                    if let State::Transaction(maildrop, _) = &mut self.state {
                        maildrop.delete(index);
                    }
                    self.good();
                    self.send_ok(format_args!("message {} marked", number.0));
                }
            },
            Command::Noop => {
                self.good();
                self.send_ok(format_args!("nothing done"));
            }
            Command::Rset => {
                if let State::Transaction(maildrop, _) = &mut self.state {
                    maildrop.reset();
                }
                self.good();
                self.send_ok(format_args!("no message is marked"));
            }
            Command::Quit => {
                let lists = self
                    .maildrop()
                    .map(|m| (m.deleted_list(), m.retrieved_list()));
                let (deleted, retrieved) = lists.unwrap_or_default();
                self.summary.not_deleted = deleted.len() as u64;
                self.request(Request::Update { deleted, retrieved });
                self.state = State::Updating;
            }
            Command::User(_)
            | Command::Pass(_)
            | Command::Apop { .. }
            | Command::AuthList
            | Command::Auth { .. }
            | Command::Stls
            | Command::Utf8
            | Command::Xpro => self.bad("only before login"),
        }
    }

    /// A reply from the backend.
    pub(super) fn answer(&mut self, reply: Reply<'_>) {
        match reply {
            Reply::Challenge(challenge) => {
                if let State::Opening(opening) = &mut self.state {
                    opening.challenged = true;
                    self.challenge(challenge);
                }
            }
            Reply::Authenticated => {}
            Reply::Entry { size, unique_id } => {
                let State::Opening(opening) = &mut self.state else {
                    return;
                };
                if !opening.maildrop.push(size, unique_id) {
                    self.request(Request::Abandon);
                    self.state = State::Authorization { user: None };
                    self.send_err(
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
                if self
                    .retrieval(ticket)
                    .is_some_and(|retrieval| retrieval.stuffer.is_some())
                {
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
            Reply::Failed(failure) => self.failed(&failure),
        }
    }

    /// The update has ended, and the backend with it.
    fn finish(&mut self, reason: Reason) {
        if self.client_gone {
            self.output.clear();
        }
        self.close(reason);
    }

    /// The client can neither be heard nor reached. An update that runs is carried on: the client has
    /// said QUIT.
    pub(super) fn reset(&mut self) {
        self.client_gone = true;
        self.client_eof = true;
        self.output.clear();
        if !matches!(self.state, State::Updating) {
            self.close(Reason::ClientGone);
        }
    }

    fn opened(&mut self, access: Access) {
        let State::Opening(opening) = &mut self.state else {
            return;
        };
        let mut maildrop = core::mem::take(&mut opening.maildrop);
        maildrop.shrink();
        let (count, octets) = maildrop.stat();
        self.summary.logged_in = true;
        self.summary.messages = maildrop.len();
        if access == Access::ReadOnly {
            self.access = Access::ReadOnly;
        }
        self.bad_commands = 0;
        self.moments.activity = self.moments.now;
        self.state = State::Transaction(maildrop, Running::Nothing);
        let mode = if self.access == Access::ReadOnly {
            ", read only"
        } else {
            ""
        };
        self.send_ok(format_args!("{count} messages, {octets} octets{mode}"));
    }

    fn refused(&mut self, refusal: &Refusal) {
        let State::Opening(Opening { bearer, .. }) = self.state else {
            return;
        };
        self.state = State::Authorization { user: None };
        match refusal.kind {
            RefusalKind::Credentials if bearer => {
                self.state = State::TokenRefused;
                self.challenge(sasl::ERROR_STATUS);
            }
            RefusalKind::Credentials => self.login_failed(),
            RefusalKind::InUse => {
                self.send_err(
                    Some(ResponseCode::InUse),
                    "another session holds the maildrop",
                );
            }
            RefusalKind::LoginDelay => {
                self.send_err(
                    Some(ResponseCode::LoginDelay),
                    "too soon after the last login",
                );
            }
            RefusalKind::Policy => self.send_err(None, "this kind of login is not possible here"),
        }
    }

    fn login_failed(&mut self) {
        self.summary.failed_logins += 1;
        self.send_err(Some(ResponseCode::Auth), "login failed");
        if self.summary.failed_logins >= self.policy.failed_logins {
            self.close(Reason::FailedLogins);
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let code = Some(match failure.kind {
            FailureKind::Temporary | FailureKind::Missing => ResponseCode::SysTemp,
            FailureKind::Permanent => ResponseCode::SysPerm,
        });
        match &self.state {
            State::Opening(_) => {
                self.state = State::Authorization { user: None };
                self.send_err(code, "the mailbox cannot be opened");
            }
            State::Updating => {
                self.send_err(code, "some deleted messages were not removed");
                self.finish(Reason::UpdateFailed);
            }
            State::Authorization { .. }
            | State::Challenged(_)
            | State::TokenRefused
            | State::StartingTls { .. }
            | State::Transaction(..)
            | State::Closed => {}
        }
    }

    fn body_start(&mut self, ticket: Ticket, size: Option<u64>) {
        let Some(retrieval) = self.retrieval(ticket).filter(|r| r.stuffer.is_none()) else {
            return;
        };
        let (stuffer, size) = match retrieval.part {
            Part::Whole => (Stuffer::whole(), size),
            Part::Top { lines } => (Stuffer::top(lines), None),
        };
        let number = retrieval.index.0 + 1;
        retrieval.stuffer = Some(stuffer);
        self.good();
        match size {
            Some(size) => self.send_ok(format_args!("{size} octets")),
            None => self.send_ok(format_args!("message {number} follows")),
        }
    }

    fn body(&mut self, ticket: Ticket, bytes: &[u8]) {
        let State::Transaction(_, Running::Retrieving(retrieval)) = &mut self.state else {
            return;
        };
        let Some(stuffer) = retrieval
            .stuffer
            .as_mut()
            .filter(|_| retrieval.ticket == ticket)
        else {
            return;
        };
        if stuffer.stuff(bytes, &mut self.output) {
            self.request(Request::Cancel(ticket));
            self.body_end();
        }
    }

    /// The running RETR or TOP has all it needs.
    fn body_end(&mut self) {
        let State::Transaction(maildrop, running) = &mut self.state else {
            return;
        };
        let Running::Retrieving(retrieval) = core::mem::replace(running, Running::Nothing) else {
            return;
        };
        let Some(mut stuffer) = retrieval.stuffer else {
            return;
        };
        stuffer.finish(&mut self.output);
        let octets = stuffer.octets();
        self.summary.octets += octets;
        if retrieval.part == Part::Whole {
            maildrop.retrieved(retrieval.index);
            self.summary.retrieved += 1;
        } else {
            self.summary.tops += 1;
        }
        self.moments.activity = self.moments.now;
        self.note(Direction::Sent, format_args!("<{octets} octets>"));
        self.note(Direction::Sent, format_args!("."));
    }

    fn body_failed(&mut self, ticket: Ticket, failure: &Failure) {
        let Some(begun) = self
            .retrieval(ticket)
            .map(|retrieval| retrieval.stuffer.is_some())
        else {
            return;
        };
        if begun {
            // the client must not take what it has for the whole message
            return self.close(Reason::BodyCut);
        }
        if let State::Transaction(_, running) = &mut self.state {
            *running = Running::Nothing;
        }
        self.moments.activity = self.moments.now;
        match failure.kind {
            FailureKind::Missing => self.bad("the message is gone"),
            FailureKind::Temporary => {
                self.send_err(
                    Some(ResponseCode::SysTemp),
                    "the message cannot be read now",
                );
            }
            FailureKind::Permanent => {
                self.send_err(Some(ResponseCode::SysPerm), "the message cannot be read");
            }
        }
    }

    fn auth(&mut self, mechanism: Mechanism, initial: Option<Secret>) {
        if !self.mechanisms().contains(&mechanism) {
            return self.bad("no such mechanism");
        }
        let initial = match initial.as_ref().map(Secret::expose) {
            None => None,
            Some(b"=") => Some(Secret::default()),
            Some(line) => match BASE64.decode(line) {
                Ok(decoded) => Some(Secret::new(decoded)),
                Err(_) => return self.bad("that is not base64"),
            },
        };
        self.summary.method = Some(mechanism.as_str().into());
        let mut exchange = Exchange::new(&mechanism, &self.fresh_stamp());
        let step = exchange.start(initial);
        self.exchange_step(exchange, step);
    }

    fn challenge_answered(&mut self, line: &[u8]) {
        let before = core::mem::replace(&mut self.state, State::Authorization { user: None });
        let State::Challenged(mut exchange) = before else {
            self.state = before;
            return;
        };
        let Some(answer) = self.sasl_answer(line) else {
            return;
        };
        let step = exchange.answer(&answer);
        self.exchange_step(exchange, step);
    }

    fn exchange_step(&mut self, exchange: Exchange, step: Step) {
        match step {
            Step::Challenge(challenge) => {
                self.state = State::Challenged(exchange);
                self.challenge(&challenge);
            }
            Step::Login(login) => self.open(login),
            Step::Malformed => self.bad("that is no answer of this mechanism"),
        }
    }

    fn relay_answered(&mut self, line: &[u8]) {
        match self.sasl_answer(line) {
            Some(answer) => self.request(Request::Answer(answer)),
            None => {
                if self.has_backend() {
                    self.request(Request::Abandon);
                    self.state = State::Authorization { user: None };
                }
            }
        }
    }

    /// Decodes a line of an exchange; otherwise says `-ERR`.
    fn sasl_answer(&mut self, line: &[u8]) -> Option<Secret> {
        if line == b"*" {
            self.send_err(None, "login cancelled");
            return None;
        }
        match BASE64.decode(line) {
            Ok(decoded) => Some(Secret::new(decoded)),
            Err(_) => {
                self.bad("that is not base64");
                None
            }
        }
    }

    fn challenge(&mut self, challenge: &[u8]) {
        self.output.extend_from_slice(b"+ ");
        self.output
            .extend_from_slice(BASE64.encode(challenge).as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.note(Direction::Sent, format_args!("+ <SASL challenge>"));
    }

    /// A message-id that was not used before, for one exchange.
    fn fresh_stamp(&mut self) -> String {
        self.challenges += 1;
        alloc::format!(
            "<{}.{}",
            self.challenges,
            self.stamp.trim_start_matches('<')
        )
    }

    fn open(&mut self, login: Login) {
        self.summary.user = login.user().map(Into::into);
        let bearer = matches!(login, Login::Bearer { .. });
        if self.policy.read_only == ReadOnly::Always {
            self.access = Access::ReadOnly;
        }
        let open = Open {
            login,
            access: self.access,
            utf8: self.utf8,
        };
        self.request(Request::Open(open));
        let maildrop = Maildrop::default();
        self.state = State::Opening(Opening {
            maildrop,
            bearer,
            challenged: false,
        });
    }

    fn stls(&mut self) {
        if self.policy.tls != TlsOffer::Stls || self.is_protected() {
            return self.bad("TLS is not to be had now");
        }
        if self.utf8 {
            // RFC 6856 section 2.1 allows to refuse, and nothing said in the clear may outlive STLS
            return self.bad("STLS comes before UTF8");
        }
        if !self.input.is_empty() {
            return self.close_at_once(Reason::PlaintextBehindStls);
        }
        self.send_ok(format_args!("begin TLS"));
        self.greeted_a_command = true;
        self.state = State::StartingTls { handshake: false };
    }

    fn lang(&mut self, tag: Option<&str>) {
        match tag {
            None => {
                self.send_ok(format_args!("the languages"));
                self.send("en English");
                self.send("i-default English");
                self.send(".");
            }
            Some("*") => self.send_ok(format_args!("i-default the default language it is")),
            Some(tag)
                if tag.eq_ignore_ascii_case("en") || tag.eq_ignore_ascii_case("i-default") =>
            {
                let tag = if tag.len() == 2 { "en" } else { "i-default" };
                self.send_ok(format_args!("{tag} English it is"));
            }
            Some(_) => self.send_err(None, "no such language; it stays as it was"),
        }
    }

    fn capa(&mut self) {
        self.send_ok(format_args!("the capabilities"));
        for capability in self.capabilities() {
            let mut line = String::new();
            // writing to a String cannot fail
            let _ = write!(line, "{capability}");
            self.send(&line);
        }
        self.send(".");
    }

    /// What is true now. What can be had before login is told in both states (RFC 2449 section 5), but
    /// for STLS, whose line means that it can be said now (RFC 2595 section 4).
    fn capabilities(&self) -> Vec<Capability> {
        let before_login = matches!(self.state, State::Authorization { .. });
        let policy = &self.policy;
        let mut list = Vec::with_capacity(16);
        list.extend([Capability::Top, Capability::Uidl, Capability::RespCodes]);
        list.extend([Capability::AuthRespCode, Capability::Pipelining]);
        if policy.user_pass && self.takes_clear_secrets() {
            list.push(Capability::User);
        }
        let mechanisms = self.mechanisms();
        if !mechanisms.is_empty() {
            list.push(Capability::Sasl(mechanisms));
        }
        if before_login && policy.tls == TlsOffer::Stls && !self.is_protected() {
            list.push(Capability::Stls);
        }
        if policy.utf8 {
            list.extend([Capability::Utf8 { user: true }, Capability::Lang]);
        }
        let days = match policy.expire {
            Expire::Never => None,
            Expire::Days(days) => Some(days),
        };
        list.push(Capability::Expire {
            days,
            per_user: false,
        });
        if policy.read_only != ReadOnly::Refused {
            list.push(Capability::ReadOnly);
        }
        list.extend(
            policy
                .implementation
                .clone()
                .map(Capability::Implementation),
        );
        list
    }

    /// The mechanisms that can be used now.
    fn mechanisms(&self) -> Vec<Mechanism> {
        let usable = |mechanism: &&Mechanism| match mechanism.as_str() {
            "PLAIN" | "LOGIN" => self.takes_clear_secrets(),
            // RFC 7628 section 3: never without TLS
            "XOAUTH2" | "OAUTHBEARER" => self.is_protected(),
            _ => true,
        };
        self.policy
            .mechanisms
            .iter()
            .filter(usable)
            .cloned()
            .collect()
    }

    fn is_protected(&self) -> bool {
        self.summary.tls.is_some() || matches!(self.policy.tls, TlsOffer::Implicit)
    }

    fn takes_clear_secrets(&self) -> bool {
        self.is_protected() || self.policy.clear_login
    }

    /// APOP's stamp stands in the greeting, so it is offered from there on or never; and never where an
    /// eavesdropper could collect digests.
    fn offers_apop(&self) -> bool {
        let safe = matches!(self.policy.tls, TlsOffer::Implicit) || self.policy.clear_login;
        self.policy.apop && safe && !self.stamp.is_empty()
    }

    /// Whether a password may come now; otherwise says why not, before it is on the wire.
    fn may_send_password(&mut self) -> bool {
        let may = self.takes_clear_secrets() && self.policy.user_pass;
        if !may && self.policy.tls == TlsOffer::Stls && !self.is_protected() {
            self.bad("TLS first: say STLS");
        } else if !may {
            self.bad("USER and PASS are not possible here");
        }
        may
    }

    fn forget_user(&mut self) {
        if let State::Authorization { user } = &mut self.state {
            *user = None;
        }
    }

    fn maildrop(&self) -> Option<&Maildrop> {
        if let State::Transaction(maildrop, _) = &self.state {
            Some(maildrop)
        } else {
            None
        }
    }

    fn find(&self, number: MessageNumber) -> Option<Index> {
        self.maildrop().and_then(|maildrop| maildrop.find(number))
    }

    fn retrieval(&mut self, ticket: Ticket) -> Option<&mut Retrieval> {
        let State::Transaction(_, Running::Retrieving(retrieval)) = &mut self.state else {
            return None;
        };
        (retrieval.ticket == ticket).then_some(retrieval)
    }

    fn list_one(&mut self, what: Listing, number: MessageNumber) {
        let Some((maildrop, index)) = self.maildrop().and_then(|m| Some((m, m.find(number)?)))
        else {
            return self.no_such_message();
        };
        let mut line = String::new();
        // writing to a String cannot fail
        let _ = match what {
            Listing::Sizes => write!(line, "{} {}", number.0, maildrop.size(index)),
            Listing::UniqueIds => {
                let id = maildrop.unique_id(index).iter().copied().map(char::from);
                let id: String = id.collect();
                write!(line, "{} {id}", number.0)
            }
        };
        self.good();
        self.send_ok(format_args!("{line}"));
    }

    fn list(&mut self, what: Listing) {
        let (count, octets) = self.maildrop().map_or((0, 0), Maildrop::stat);
        self.good();
        self.send_ok(format_args!("{count} messages, {octets} octets"));
        if let State::Transaction(maildrop, running) = &mut self.state {
            *running = Running::Listing {
                what,
                next: maildrop.next_from(Index(0)),
                lines: 0,
            };
        }
    }

    /// Goes on with a listing while there is room; whether it is complete.
    fn list_on(&mut self) -> bool {
        let State::Transaction(maildrop, running) = &mut self.state else {
            return true;
        };
        let Running::Listing { what, next, lines } = running else {
            return true;
        };
        while let Some(index) = *next {
            if self.output.len() >= OUTPUT_FULL {
                return false;
            }
            let number = index.0 + 1;
            // BytesMut grows as needed: writing to it cannot fail
            let _ = match what {
                Listing::Sizes => write!(self.output, "{number} {}", maildrop.size(index)),
                Listing::UniqueIds => {
                    let written = write!(self.output, "{number} ");
                    self.output.extend_from_slice(maildrop.unique_id(index));
                    written
                }
            };
            self.output.extend_from_slice(b"\r\n");
            *lines += 1;
            *next = index
                .0
                .checked_add(1)
                .and_then(|after| maildrop.next_from(Index(after)));
        }
        self.output.extend_from_slice(b".\r\n");
        let lines = *lines;
        *running = Running::Nothing;
        self.moments.activity = self.moments.now;
        self.note(Direction::Sent, format_args!("<{lines} lines>"));
        self.note(Direction::Sent, format_args!("."));
        true
    }

    fn retrieve(&mut self, number: MessageNumber, part: Part) {
        let Some(index) = self.find(number) else {
            return self.no_such_message();
        };
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.request(Request::Retrieve {
            ticket,
            index,
            part,
        });
        let retrieval = Retrieval {
            ticket,
            index,
            part,
            stuffer: None,
        };
        if let State::Transaction(_, running) = &mut self.state {
            *running = Running::Retrieving(retrieval);
        }
    }

    fn no_such_message(&mut self) {
        self.bad("no such message");
    }

    fn good(&mut self) {
        self.bad_commands = 0;
    }

    /// `-ERR` for a command that should not have come. Too many of them end the session.
    fn bad(&mut self, text: &str) {
        self.bad_commands += 1;
        self.send_err(None, text);
        let most = match self.state {
            State::Transaction(..) => self.policy.bad_commands,
            State::Authorization { .. }
            | State::Challenged(_)
            | State::Opening(_)
            | State::TokenRefused
            | State::StartingTls { .. }
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
