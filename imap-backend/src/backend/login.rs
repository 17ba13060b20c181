//! The login: what is sent, what is answered to a challenge, and what a refusal means.
//!
//! Never sends credentials before the connection is as secure as the configuration wants.

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::mem;

use pop3_proto::backend::renewal::Renewed;
use pop3_proto::backend::{Failure, Note, Refusal, RefusalKind};
use pop3_proto::trouble::Trouble;

use super::asked::Origin;
use super::opening::{Login, Opening, Step};
use super::{Answer, ImapBackend};
use crate::auth::{self, Method, Next};
use crate::capability::{Capabilities, Capability};
use crate::command::{self, Command};
use crate::config::Security;
use crate::error::{self, Denial};
use crate::grammar::Kind;
use crate::remedy;
use crate::wire::{Notice, Purpose};

impl ImapBackend {
    /// An upstream of our own counts failures and sets limits by the client's address, if it knows it.
    /// It believes us only if it is configured to (Dovecot: `login_trusted_networks`).
    fn say_origin(&mut self) {
        let Some(Origin { client, local }) = self.asked.origin() else {
            return;
        };
        if self.wire.can(Capability::Id) {
            if let Some(opening) = self.link.opening() {
                opening.id_said = true;
            }
            let config = Arc::clone(&self.config);
            let name = &config.client_name;
            let id = Command::IdOf {
                name,
                client,
                local,
            };
            self.put(id, Purpose::Id);
        } else if self.wire.can(Capability::Xclient) {
            self.put(Command::Xclient { client }, Purpose::Id);
        }
    }

    /// Reports what a login would meet here, without logging in.
    fn look(&mut self) {
        // from here on the server understands LOGOUT
        self.link.step(Step::Login(Login::default()));
        let none = Capabilities::default();
        let capabilities = self.wire.capabilities().unwrap_or(&none);
        let offered = capabilities.to_string();
        let Some(open) = &self.asked.open else { return };
        let chosen = auth::choose(&self.config, capabilities, &open.login);
        self.notes
            .push(Note::information(format!("it offers {offered}")));
        let id = self.wire.can(Capability::Id) || self.wire.can(Capability::Xclient);
        if self.config.own {
            self.notes.push(Note::information(if id {
                "it is told where clients connect from (own = true); Dovecot believes that if \
                 login_trusted_networks names this machine"
            } else {
                "it offers neither ID nor XCLIENT, so it cannot learn where clients connect from \
                 (own = true)"
            }));
        }
        match chosen {
            Ok(Method::Login { .. }) => {
                self.notes
                    .push(Note::information("users would be logged in by LOGIN"));
            }
            Ok(Method::Sasl(exchange)) => {
                let text = format!("users would be logged in by {}", exchange.mechanism);
                self.notes.push(Note::information(text));
            }
            Err(refusal) => {
                let failure = Failure::permanent(self.config.in_words(Trouble::Login {
                    line: &refusal.detail,
                }));
                return self.deny(Denial::Failed(failure));
            }
        }
        let refusal = Refusal::new(RefusalKind::Policy, "only looked");
        self.deny(Denial::Refused(refusal));
    }

    pub(super) fn log_in(&mut self) {
        let Some(opening) = self.link.opening() else {
            return;
        };
        if self.config.security != Security::Clear && !opening.secure {
            let detail = "the connection is not under TLS";
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        }
        if self.asked.only_looks {
            return self.look();
        }
        if self.asked.needs_token() {
            let job = self.asked.fetch_token();
            self.clock.moved();
            return self.link.await_token(job);
        }
        self.say_origin();
        let Some(open) = &self.asked.open else { return };
        let none = Capabilities::default();
        let capabilities = self.wire.capabilities().unwrap_or(&none);
        let chosen = auth::choose(&self.config, capabilities, &open.login);
        let utf8_is_settled =
            !open.utf8 || capabilities.has(Capability::Utf8Accept) && self.config.folder.is_ascii();
        let initial_response = capabilities.has(Capability::SaslIr);
        let mut login = Login {
            capabilities_before: self.wire.capabilities_heard(),
            ..Login::default()
        };
        match chosen {
            Err(refusal) => {
                self.link.step(Step::Login(login));
                self.deny(Denial::Refused(refusal));
            }
            Ok(Method::Login { user, password }) => {
                // a server that repeats a command repeats it as it was written
                let written = command::escaped(password.expose());
                self.wire.mask.add(written.as_slice().into(), "<password>");
                self.wire.mask.add_of(&user, &password);
                let (user, password) = (&user, &password);
                self.link.step(Step::Login(login));
                self.put(Command::Login { user, password }, Purpose::Login);
                if utf8_is_settled && self.wire.between_commands() {
                    self.open_folder_ahead();
                }
            }
            Ok(Method::Sasl(mut exchange)) => {
                if let Some(message) = &exchange.message {
                    let encoded = command::base64(message);
                    self.wire.mask.add(message.clone(), "<credentials>");
                    self.wire
                        .mask
                        .add(encoded.as_bytes().into(), "<credentials>");
                }
                self.wire.mask.add_login(&open.login);
                let initial = if initial_response {
                    exchange.message.take()
                } else {
                    None
                };
                let mechanism = exchange.mechanism.clone();
                let more = utf8_is_settled && initial.is_some() && exchange.bears_more();
                login.exchange = Some(exchange);
                self.link.step(Step::Login(login));
                let initial = initial.as_ref();
                let command = Command::Authenticate {
                    mechanism: &mechanism,
                    initial,
                };
                self.put(command, Purpose::Authenticate);
                if more && self.wire.between_commands() {
                    self.open_folder_ahead();
                }
            }
        }
    }

    /// The token that was fetched is there, or there is none.
    pub(super) fn token_fetched(&mut self, renewed: Renewed) {
        self.asked.fetched();
        // what comes later than the connection that it was for is of no use
        if !self.link.awaits_token() {
            return;
        }
        match renewed {
            Ok(token) => {
                self.asked.takes(token);
                self.log_in();
            }
            Err(failure) => self.deny(Denial::Failed(failure)),
        }
    }

    pub(super) fn challenged(&mut self, challenge: &[u8]) {
        let Some(login) = self.link.opening().and_then(Opening::login) else {
            return;
        };
        let Some(exchange) = login.exchange.as_mut().filter(|_| !login.asks) else {
            return;
        };
        match exchange.challenged(challenge) {
            // the server takes the next line for the answer, and that is there already
            Next::Answer(_) if login.ahead.is_some() => {}
            Next::Answer(message) => self.wire.answer(&message),
            Next::Ask(challenge) => {
                login.asks = true;
                self.answers.push(Answer::Challenge(challenge.into()));
            }
            Next::Cancel => {
                self.drop_link(Failure::temporary(
                    "upstream sends a challenge where none may come",
                ));
            }
        }
    }

    pub(super) fn authenticated(&mut self) {
        let Some(opening) = self.link.opening() else {
            return;
        };
        let first = opening.first;
        let Some(login) = opening.login() else {
            return;
        };
        self.clock.proven = self.clock.now;
        let Login {
            capabilities_before,
            ahead,
            ..
        } = mem::take(login);
        self.wire.settled = self.wire.capabilities_heard() != capabilities_before;
        if first {
            self.answers.push(Answer::Authenticated);
        }
        if let Some(folder) = ahead {
            self.link.step(Step::Folder(folder));
        } else if self.asked.utf8() && !self.wire.settled && !self.wire.can(Capability::Utf8Accept)
        {
            self.ask_capabilities(Step::CapabilityAgain);
        } else {
            self.open_folder();
        }
    }

    pub(super) fn not_authenticated(&mut self, notice: &Notice) {
        let login = self.link.opening().and_then(Opening::login);
        let is_ahead = login.as_ref().is_some_and(|login| login.ahead.is_some());
        let explained = login.and_then(|login| login.exchange.take());
        let was_sasl = explained.is_some();
        let explained = explained
            .map(|exchange| exchange.explained)
            .unwrap_or_default();
        let mut notice = notice.clone();
        if is_ahead && !explained.is_empty() && notice.kind == Kind::Bad {
            // the answer to its refusal was a command, which it may say so of: the refusal stays one
            notice.kind = Kind::No;
        }
        let notice = &notice;
        let line = format!("{} {}", notice.kind, notice.text);
        let mut detail = self.config.in_words(Trouble::Login { line: &line });
        if !explained.is_empty() {
            detail.push_str(" after ");
            detail.push_str(&self.wire.mask.clean(&explained));
        }
        let capabilities = self.wire.capabilities();
        detail.push_str(remedy::of_login(notice, was_sasl, capabilities));
        self.deny(error::login(notice, detail));
    }
}
