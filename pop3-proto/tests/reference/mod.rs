//! A session done in the most obvious way: AUTHORIZATION here, the maildrop in `testkit::model`.
//!
//! The user is `u`, the password `p w`. The mechanisms are PLAIN, LOGIN, XOAUTH2 with the token `good`, and
//! X-RELAY, which asks one question and takes every answer.
#![allow(unreachable_pub, reason = "a module of a test")]

use pop3_proto::server::{Policy, ReadOnly, TlsOffer};
use testkit::Content;
use testkit::model::{Maildrop, Message, Reply};

/// What the server must answer.
#[derive(Debug)]
pub enum Answer {
    Reply(Reply),
    /// A challenge that begins like this.
    Challenge(&'static str),
}

/// What the next line answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exchange {
    Plain,
    LoginName,
    LoginPassword { right_name: bool },
    Relay,
    RefusedToken,
}

/// `user=u^Aauth=Bearer good^A^A`, and the same with `bad`.
pub const GOOD_TOKEN: &str = "dXNlcj11AWF1dGg9QmVhcmVyIGdvb2QBAQ==";
pub const BAD_TOKEN: &str = "dXNlcj11AWF1dGg9QmVhcmVyIGJhZAEB";

/// All that decides about what comes next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    user: bool,
    exchange: Option<Exchange>,
    encrypted: bool,
    utf8: bool,
    failures: u32,
    logged_in: bool,
    over: bool,
    deleted: Vec<usize>,
    retrieved: Vec<usize>,
}

/// The session.
pub struct Reference {
    read_only: bool,
    offer: TlsOffer,
    clear_login: bool,
    /// How many there are: all, PLAIN alone, none.
    mechanisms: usize,
    maildrop: Maildrop,
    user: bool,
    exchange: Option<Exchange>,
    encrypted: bool,
    utf8: bool,
    failures: u32,
    logged_in: bool,
    over: bool,
    updated: Option<(Vec<usize>, Vec<usize>)>,
}

impl Reference {
    pub fn new(policy: &Policy, mails: &[&[u8]]) -> Self {
        let messages = mails.iter().enumerate();
        let messages =
            messages.map(|(n, mail)| Message::new(format!("id{n}"), Content::from(mail.to_vec())));
        let maildrop = Maildrop::new(messages);
        let read_only = policy.read_only == ReadOnly::Always;
        Self {
            read_only,
            offer: policy.tls,
            clear_login: policy.clear_login,
            mechanisms: policy.mechanisms.len(),
            maildrop: if read_only {
                maildrop.read_only()
            } else {
                maildrop
            },
            user: false,
            exchange: None,
            encrypted: policy.tls == TlsOffer::Implicit,
            utf8: false,
            failures: 0,
            logged_in: false,
            over: false,
            updated: None,
        }
    }

    /// A message goes away in the store.
    pub fn vanish_message(&mut self, number: usize) {
        self.maildrop.vanish(number);
    }

    /// The client falls silent for too long, or is gone.
    pub fn vanish(&mut self) {
        self.over = true;
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What was removed and what was read, if there was an update.
    pub fn updated(&self) -> Option<(&[usize], &[usize])> {
        let (deleted, retrieved) = self.updated.as_ref()?;
        Some((deleted, retrieved))
    }

    pub fn standing(&self) -> Standing {
        Standing {
            user: self.user,
            exchange: self.exchange,
            encrypted: self.encrypted,
            utf8: self.utf8,
            failures: self.failures,
            logged_in: self.logged_in,
            over: self.over,
            deleted: self.maildrop.deleted(),
            retrieved: self.maildrop.retrieved(),
        }
    }

    pub fn execute(&mut self, line: &str) -> Answer {
        if let Some(exchange) = self.exchange.take() {
            // whatever it looks like, it is an answer and no command
            return self.answered(exchange, line);
        }
        if !self.logged_in
            && let Some(answer) = self.exchange_begins(line)
        {
            self.user = false;
            return answer;
        }
        Answer::Reply(match line {
            "CAPA" => Reply::Listing(self.capabilities()),
            "QUIT" => {
                self.over = true;
                if self.logged_in {
                    self.updated = Some((self.maildrop.deleted(), self.maildrop.retrieved()));
                }
                Reply::Quit
            }
            _ if self.logged_in => self.maildrop.execute(line.as_bytes()),
            _ => self.before_login(line),
        })
    }

    fn before_login(&mut self, line: &str) -> Reply {
        let had_user = std::mem::take(&mut self.user);
        match line.split_once(' ').unwrap_or((line, "")) {
            ("USER", _) if self.may_log_in() => {
                self.user = true;
                Reply::Ok
            }
            ("PASS", "p w") if had_user => self.log_in(true),
            ("PASS", _) if had_user => self.log_in(false),
            ("STLS", "") if self.offer == TlsOffer::Stls && !self.encrypted && !self.utf8 => {
                self.encrypted = true;
                Reply::Ok
            }
            ("UTF8", "") => {
                self.utf8 = true;
                Reply::Ok
            }
            _ => Reply::Err,
        }
    }

    fn exchange_begins(&mut self, line: &str) -> Option<Answer> {
        let (exchange, challenge) = match line {
            "AUTH PLAIN" if self.may_log_in() => (Exchange::Plain, "+ \r\n"),
            "AUTH LOGIN" if self.may_log_in() => (Exchange::LoginName, "+ VXNlcm5hbWU6\r\n"),
            "AUTH X-RELAY" if self.mechanisms > 1 => (Exchange::Relay, "+ d2hhdD8=\r\n"),
            "AUTH XOAUTH2" => return None,
            _ => {
                let (mechanism, initial) = line.strip_prefix("AUTH ")?.split_once(' ')?;
                return match (mechanism, initial) {
                    ("PLAIN", _) if self.may_log_in() => {
                        Some(self.answered(Exchange::Plain, initial))
                    }
                    ("XOAUTH2", GOOD_TOKEN) if self.mechanisms > 1 && self.encrypted => {
                        Some(Answer::Reply(self.log_in(true)))
                    }
                    ("XOAUTH2", BAD_TOKEN) if self.mechanisms > 1 && self.encrypted => {
                        self.exchange = Some(Exchange::RefusedToken);
                        Some(Answer::Challenge("+ eyJ"))
                    }
                    _ => None,
                };
            }
        };
        self.exchange = Some(exchange);
        Some(Answer::Challenge(challenge))
    }

    fn answered(&mut self, exchange: Exchange, line: &str) -> Answer {
        let is_base64 = !line.contains([' ', '*']);
        Answer::Reply(match exchange {
            // the client has nothing to say to it
            Exchange::RefusedToken => self.log_in(false),
            Exchange::Relay if is_base64 => self.log_in(true),
            Exchange::Plain if line == "AHUAcCB3" => self.log_in(true),
            Exchange::Plain if line == "AHUAbm8=" => self.log_in(false),
            // only these two are text within base64
            Exchange::LoginName if line == "dQ==" || line == "cCB3" => {
                let right_name = line == "dQ==";
                self.exchange = Some(Exchange::LoginPassword { right_name });
                return Answer::Challenge("+ UGFzc3dvcmQ6\r\n");
            }
            Exchange::LoginPassword { right_name } if line == "dQ==" || line == "cCB3" => {
                self.log_in(right_name && line == "cCB3")
            }
            Exchange::Relay
            | Exchange::Plain
            | Exchange::LoginName
            | Exchange::LoginPassword { .. } => Reply::Err,
        })
    }

    fn log_in(&mut self, right: bool) -> Reply {
        if right {
            self.logged_in = true;
            return Reply::Ok;
        }
        self.failures += 1;
        self.over = self.failures == 3;
        Reply::Err
    }

    fn may_log_in(&self) -> bool {
        self.clear_login || self.encrypted
    }

    fn capabilities(&self) -> Vec<String> {
        let stls = self.offer == TlsOffer::Stls && !self.encrypted && !self.logged_in;
        let all = match (self.may_log_in(), self.encrypted) {
            (_, true) => "SASL PLAIN LOGIN XOAUTH2 X-RELAY",
            (true, false) => "SASL PLAIN LOGIN X-RELAY",
            (false, false) => "SASL X-RELAY",
        };
        let lines = [
            ("TOP", true),
            ("UIDL", true),
            ("RESP-CODES", true),
            ("AUTH-RESP-CODE", true),
            ("PIPELINING", true),
            ("USER", self.may_log_in()),
            ("SASL PLAIN", self.may_log_in() && self.mechanisms == 1),
            (all, self.mechanisms > 1),
            ("STLS", stls),
            ("UTF8 USER", true),
            ("LANG", true),
            ("EXPIRE NEVER", true),
            ("X-POP3SF-READ-ONLY", self.read_only),
            ("IMPLEMENTATION pop3-proto", true),
        ];
        let told = lines.into_iter().filter(|(_, told)| *told);
        told.map(|(line, _)| line.to_owned()).collect()
    }
}
