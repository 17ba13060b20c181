//! Transitions before login: USER, PASS, APOP, AUTH, STLS, and how a login ends.

use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::backend::{Access, Login, Mechanism, Open, Refusal, RefusalKind, Request};
use crate::command::Command;
use crate::response::ResponseCode;
use crate::sasl::{self, Exchange, Step};
use crate::secret::Secret;
use crate::server::event::Reason;
use crate::server::policy::{ReadOnly, TlsOffer};
use crate::server::session::Session;
use crate::server::standing::{Opening, Running, State};
use crate::trace::Direction;

impl Session {
    pub(in crate::server) fn command_before_login(&mut self, command: Command) {
        let user = match &mut self.state {
            State::Authorization { user } => user.take(),
            State::Challenged(_)
            | State::Opening(_)
            | State::Relaying(_)
            | State::TokenRefused
            | State::StartingTls
            | State::Handshake
            | State::Transaction(..)
            | State::Updating
            | State::Closed => None,
        };
        match command {
            Command::User(name) => {
                if self.may_send_password() && self.policy.user_pass {
                    self.send_ok(format_args!("send the password"));
                    self.enter(State::Authorization { user: Some(name) });
                }
            }
            // RFC 6856 section 2.2
            Command::Pass(password)
                if self.utf8 && core::str::from_utf8(password.expose()).is_err() =>
            {
                self.bad("invalid character in the command");
                self.enter(State::Authorization { user });
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
                    let timestamp = String::from(&*self.stamp);
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
                self.enter(State::Authorization { user });
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
                    self.send_err(code, "read-only access is not available");
                } else {
                    self.access = Access::ReadOnly;
                    self.send_ok(format_args!("access will be read-only"));
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

    pub(in crate::server) fn open(&mut self, login: Login) {
        self.summary.user = login.user().map(Into::into);
        let bearer = matches!(login, Login::Bearer { .. });
        if self.policy.read_only == ReadOnly::Always {
            self.access = Access::ReadOnly;
        }
        let open = Open::new(login).access(self.access).utf8(self.utf8);
        self.request(Request::Open(open));
        self.enter(State::Opening(Opening {
            bearer,
            ..Opening::default()
        }));
    }

    /// The login that the backend works on.
    pub(in crate::server) fn opening(&mut self) -> Option<&mut Opening> {
        match &mut self.state {
            State::Opening(opening) | State::Relaying(opening) => Some(opening),
            State::Authorization { .. }
            | State::Challenged(_)
            | State::TokenRefused
            | State::StartingTls
            | State::Handshake
            | State::Transaction(..)
            | State::Updating
            | State::Closed => None,
        }
    }

    pub(in crate::server) fn opened(&mut self, access: Access) {
        let Some(opening) = self.opening() else {
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
        self.enter(State::Transaction(maildrop, Running::Nothing));
        let mode = if self.access == Access::ReadOnly {
            ", read only"
        } else {
            ""
        };
        self.send_ok(format_args!("{count} messages, {octets} octets{mode}"));
    }

    pub(in crate::server) fn refused(&mut self, refusal: &Refusal) {
        let Some(&mut Opening { bearer, .. }) = self.opening() else {
            return;
        };
        self.enter(State::Authorization { user: None });
        match refusal.kind {
            RefusalKind::Credentials if bearer => {
                self.enter(State::TokenRefused);
                self.challenge(sasl::ERROR_STATUS);
            }
            RefusalKind::Credentials => self.login_failed(),
            RefusalKind::InUse => self.login_ended(
                Some(ResponseCode::InUse),
                "another session holds the maildrop",
            ),
            RefusalKind::LoginDelay => self.login_ended(
                Some(ResponseCode::LoginDelay),
                "too soon after the last login",
            ),
            RefusalKind::Policy => {
                self.login_ended(None, "this kind of login is not possible here");
            }
        }
    }

    pub(in crate::server) fn login_failed(&mut self) {
        self.login_ended(Some(ResponseCode::Auth), "login failed");
    }

    /// Every failed login counts, whatever the reason: only the texts differ.
    pub(in crate::server) fn login_ended(&mut self, code: Option<ResponseCode>, text: &str) {
        self.summary.failed_logins += 1;
        self.send_err(code, text);
        if self.summary.failed_logins >= self.policy.failed_logins {
            self.close(Reason::FailedLogins);
        }
    }

    pub(in crate::server) fn auth(&mut self, mechanism: Mechanism, initial: Option<Secret>) {
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
        self.summary.method = Some(String::from(mechanism.as_str()).into());
        let mut exchange = Exchange::new(&mechanism, &self.fresh_stamp());
        let step = exchange.start(initial);
        self.exchange_step(exchange, step);
    }

    pub(in crate::server) fn exchange_step(&mut self, exchange: Exchange, step: Step) {
        match step {
            Step::Challenge(challenge) => {
                self.enter(State::Challenged(exchange));
                self.challenge(&challenge);
            }
            Step::Login(login) => self.open(login),
            Step::Malformed => self.bad("malformed answer for this mechanism"),
        }
    }

    pub(in crate::server) fn challenge_answered(&mut self, line: &[u8]) {
        let State::Challenged(mut exchange) = self.enter(State::Authorization { user: None })
        else {
            return;
        };
        let Some(answer) = self.sasl_answer(line) else {
            return;
        };
        let step = exchange.answer(&answer);
        self.exchange_step(exchange, step);
    }

    pub(in crate::server) fn relay_answered(&mut self, line: &[u8]) {
        match self.sasl_answer(line) {
            Some(answer) => {
                if let Some(opening) = self.opening() {
                    let opening = core::mem::take(opening);
                    self.enter(State::Opening(opening));
                }
                self.request(Request::Answer(answer));
            }
            None => self.end_exchange(),
        }
    }

    /// Goes back to the state before USER or AUTH, if the login has not gone further.
    pub(in crate::server) fn end_exchange(&mut self) {
        match &self.state {
            State::Authorization { .. } | State::Challenged(_) | State::TokenRefused => {
                self.enter(State::Authorization { user: None });
            }
            State::Opening(_) | State::Relaying(_) => {
                self.request(Request::Abandon);
                self.enter(State::Authorization { user: None });
                self.summary.failed_logins += 1;
                if self.summary.failed_logins >= self.policy.failed_logins {
                    self.close(Reason::FailedLogins);
                }
            }
            State::StartingTls
            | State::Handshake
            | State::Transaction(..)
            | State::Updating
            | State::Closed => {}
        }
    }

    /// Decodes a line of an exchange, or answers `-ERR`.
    pub(in crate::server) fn sasl_answer(&mut self, line: &[u8]) -> Option<Secret> {
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

    pub(in crate::server) fn challenge(&mut self, challenge: &[u8]) {
        self.output.extend_from_slice(b"+ ");
        self.output
            .extend_from_slice(BASE64.encode(challenge).as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.note(Direction::Sent, format_args!("+ <SASL challenge>"));
    }

    /// A message-id that was not used before, for one exchange.
    pub(in crate::server) fn fresh_stamp(&mut self) -> String {
        self.challenges += 1;
        alloc::format!(
            "<{}.{}",
            self.challenges,
            self.stamp.trim_start_matches('<')
        )
    }

    pub(in crate::server) fn stls(&mut self) {
        if self.policy.tls != TlsOffer::Stls || self.is_protected() {
            return self.bad("TLS is not available now");
        }
        if self.utf8 {
            // RFC 6856 section 2.1 allows a refusal, and nothing sent in the clear may outlive STLS
            return self.bad("STLS is not possible after UTF8");
        }
        if !self.input.is_empty() {
            return self.close_at_once(Reason::PlaintextAfterStls);
        }
        self.send_ok(format_args!("begin TLS"));
        self.greeted_a_command = true;
        self.enter(State::StartingTls);
    }

    /// RFC 2595 section 4: anybody may have sent what came before TLS.
    pub(in crate::server) fn forget_clear_text(&mut self) {
        if let State::StartingTls | State::Handshake = self.state {
            self.enter(State::Authorization { user: None });
            self.access = Access::ReadWrite;
            self.utf8 = false;
            self.summary.user = None;
            self.summary.method = None;
        }
    }

    /// Whether a password may come now; otherwise answers why not, before the password is on the wire.
    pub(in crate::server) fn may_send_password(&mut self) -> bool {
        let may = self.takes_clear_secrets() && self.policy.user_pass;
        if !may && self.policy.tls == TlsOffer::Stls && !self.is_protected() {
            self.bad("TLS first: say STLS");
        } else if !may {
            self.bad("USER and PASS are not possible here");
        }
        may
    }

    pub(in crate::server) fn forget_user(&mut self) {
        if let State::Authorization { user } = &mut self.state {
            *user = None;
        }
    }
}
