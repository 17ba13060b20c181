//! A session done in the most obvious way: AUTHORIZATION here, the maildrop in `testkit::model`.
//!
//! The user is `u`, the password `p w`, the mechanism PLAIN.
#![allow(unreachable_pub, reason = "a module of a test")]

use pop3_proto::server::{Policy, TlsOffer};
use testkit::Content;
use testkit::model::{Maildrop, Message, Reply};

/// What the server must answer.
#[derive(Debug)]
pub enum Answer {
    Reply(Reply),
    /// An empty challenge.
    Challenge,
}

/// All that decides about what comes next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    user: bool,
    challenged: bool,
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
    offer: TlsOffer,
    clear_login: bool,
    maildrop: Maildrop,
    user: bool,
    challenged: bool,
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
        Self {
            offer: policy.tls,
            clear_login: policy.clear_login,
            maildrop: Maildrop::new(messages),
            user: false,
            challenged: false,
            encrypted: policy.tls == TlsOffer::Implicit,
            utf8: false,
            failures: 0,
            logged_in: false,
            over: false,
            updated: None,
        }
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
            challenged: self.challenged,
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
        if self.challenged {
            self.challenged = false;
            // whatever it looks like, it is an answer and no command
            return Answer::Reply(self.plain(line));
        }
        if line == "AUTH PLAIN" && !self.logged_in && self.may_log_in() {
            self.user = false;
            self.challenged = true;
            return Answer::Challenge;
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
            ("AUTH", initial) if self.may_log_in() => match initial.strip_prefix("PLAIN ") {
                Some(initial) => self.plain(initial),
                None => Reply::Err,
            },
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

    fn plain(&mut self, response: &str) -> Reply {
        match response {
            "AHUAcCB3" => self.log_in(true),
            "AHUAbm8=" => self.log_in(false),
            _ => Reply::Err,
        }
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
        let lines = [
            ("TOP", true),
            ("UIDL", true),
            ("RESP-CODES", true),
            ("AUTH-RESP-CODE", true),
            ("PIPELINING", true),
            ("USER", self.may_log_in()),
            ("SASL PLAIN", self.may_log_in()),
            ("STLS", stls),
            ("UTF8 USER", true),
            ("LANG", true),
            ("EXPIRE NEVER", true),
            ("IMPLEMENTATION pop3-gateway", true),
        ];
        let told = lines.into_iter().filter(|(_, told)| *told);
        told.map(|(line, _)| line.to_owned()).collect()
    }
}
