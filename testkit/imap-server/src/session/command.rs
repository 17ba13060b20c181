//! Dispatches the commands, and carries out those before a folder is selected.
//!
//! Owns what is allowed when.

use super::{ServerSession, Tls};
use crate::Logged;
use crate::auth::{Exchange, Step};
use crate::word::Word;

/// The result of a command.
enum Answer {
    /// The text after the tag.
    Now(String),
    /// It follows.
    Later,
}

impl ServerSession {
    pub(super) fn execute(&mut self, words: &[Word]) {
        let Some((tag, rest)) = words.split_first() else {
            return;
        };
        let tag = tag.bytes().unwrap_or(b"*");
        let first = rest.first().and_then(Word::keyword).unwrap_or_default();
        let (uid, rest) = match first.as_str() {
            "UID" => (true, rest.get(1..).unwrap_or_default()),
            _ => (false, rest),
        };
        let name = rest.first().and_then(Word::keyword).unwrap_or_default();
        let arguments = rest.get(1..).unwrap_or_default();
        self.log(uid, &name, arguments);
        self.troubles = self.server.troubles(self.number, &name);
        if self.preempted(tag) {
            return;
        }
        match self.answer(tag, uid, &name, arguments) {
            Answer::Now(text) => self.tagged(tag, &text),
            Answer::Later => {}
        }
    }

    fn log(&self, uid: bool, name: &str, arguments: &[Word]) {
        let mut line = if uid {
            format!("UID {name}")
        } else {
            name.to_owned()
        };
        for (at, word) in arguments.iter().enumerate() {
            let secret = at == 1 && matches!(name, "LOGIN" | "AUTHENTICATE");
            line.push(' ');
            line.push_str(&word.show(secret));
        }
        self.server.note(Logged {
            connection: self.number,
            tls: self.tls == Tls::On,
            line,
        });
    }

    fn answer(&mut self, tag: &[u8], uid: bool, name: &str, arguments: &[Word]) -> Answer {
        let text = match (uid, name) {
            (false, "CAPABILITY") => self.capability(),
            (false, "NOOP" | "CHECK") => {
                self.sync(true);
                "OK done".to_owned()
            }
            (false, "LOGOUT") => {
                self.untagged_status("BYE see you later");
                self.ending = true;
                "OK done".to_owned()
            }
            (false, "ID") if self.offers("ID") => {
                self.untagged(r#"ID ("name" "testkit")"#);
                "OK done".to_owned()
            }
            (false, "STARTTLS")
                if self.offers("STARTTLS") && self.tls == Tls::Off && self.user.is_none() =>
            {
                self.tls = Tls::Wanted;
                self.input.clear();
                "OK begin TLS now".to_owned()
            }
            (false, "LOGIN") if self.user.is_none() => self.login(arguments),
            (false, "AUTHENTICATE") if self.user.is_none() => {
                return self.authenticate(tag, arguments);
            }
            _ if self.user.is_none() => "BAD not now, or unknown".to_owned(),
            (false, "SELECT") => self.select(arguments, false),
            (false, "EXAMINE") => self.select(arguments, true),
            (false, "LIST" | "LSUB") => self.list(name, arguments),
            (false, "STATUS") => self.status(arguments),
            (false, "CREATE") => self.create(arguments),
            (false, "ENABLE") if self.offers("ENABLE") => {
                self.untagged("ENABLED");
                "OK done".to_owned()
            }
            (false, "NAMESPACE") if self.offers("NAMESPACE") => {
                self.untagged(r#"NAMESPACE (("" "/")) NIL NIL"#);
                "OK done".to_owned()
            }
            _ if self.selected.is_none() => "BAD not now, or unknown".to_owned(),
            (false, "CLOSE") => self.close(),
            (false, "UNSELECT") if self.offers("UNSELECT") => {
                self.selected = None;
                "OK done".to_owned()
            }
            (_, "FETCH") => match self.fetch(tag, uid, arguments) {
                Ok(fetch) => {
                    self.fetch = Some(fetch);
                    return Answer::Later;
                }
                Err(text) => text,
            },
            (_, "STORE") => self.store(uid, arguments),
            (_, "COPY") => self.copy(uid, arguments, false),
            (_, "MOVE") if self.offers("MOVE") => self.copy(uid, arguments, true),
            (_, "SEARCH") => self.search(uid, arguments),
            (false, "EXPUNGE") => self.expunge(None),
            (true, "EXPUNGE") if self.offers("UIDPLUS") => self.expunge(arguments.first()),
            _ => "BAD unknown command".to_owned(),
        };
        Answer::Now(text)
    }

    fn capability(&mut self) -> String {
        let list = self.server.options().list(self.tls == Tls::On);
        self.untagged(&format!("CAPABILITY {list}"));
        "OK done".to_owned()
    }

    fn login(&mut self, arguments: &[Word]) -> String {
        let [user, password] = arguments else {
            return "BAD LOGIN user password".to_owned();
        };
        let (Some(user), Some(password)) = (user.text(), password.text()) else {
            return "BAD strings wanted".to_owned();
        };
        if self.offers("LOGINDISABLED") && self.tls == Tls::Off {
            return "NO [PRIVACYREQUIRED] not without TLS".to_owned();
        }
        match self.server.store().password_fits(&user, &password) {
            true => self.logged_in(user),
            false => "NO [AUTHENTICATIONFAILED] wrong user or password".to_owned(),
        }
    }

    fn logged_in(&mut self, user: String) -> String {
        self.user = Some(user);
        let options = self.server.options();
        match options.login_capabilities {
            true => format!(
                "OK [CAPABILITY {}] logged in",
                options.list(self.tls == Tls::On)
            ),
            false => "OK logged in".to_owned(),
        }
    }

    fn authenticate(&mut self, tag: &[u8], arguments: &[Word]) -> Answer {
        let mechanism = arguments
            .first()
            .and_then(Word::keyword)
            .unwrap_or_default();
        let offered = self.offers(&format!("AUTH={mechanism}"));
        let Some(exchange) = Exchange::new(tag.to_vec(), &mechanism).filter(|_| offered) else {
            return Answer::Now("NO [CANNOT] unknown mechanism".to_owned());
        };
        match arguments.get(1).and_then(Word::bytes) {
            Some(_) if !self.offers("SASL-IR") => Answer::Now("BAD no initial response".to_owned()),
            Some(initial) => {
                self.authenticate_on(exchange, initial);
                Answer::Later
            }
            None => {
                self.challenge(&exchange.first());
                self.exchange = Some(exchange);
                Answer::Later
            }
        }
    }

    pub(super) fn authenticate_on(&mut self, mut exchange: Exchange, line: &[u8]) {
        match exchange.answer(self.server.store(), line) {
            Step::Challenge(text) => {
                self.challenge(&text);
                self.exchange = Some(exchange);
            }
            Step::Accepted(user) => {
                let text = self.logged_in(user);
                self.tagged(&exchange.tag, &text);
            }
            Step::Refused => {
                self.tagged(&exchange.tag, "NO [AUTHENTICATIONFAILED] wrong credentials")
            }
            Step::Malformed => self.tagged(&exchange.tag, "BAD not understood, or cancelled"),
        }
    }

    fn challenge(&mut self, text: &str) {
        self.line(&format!("+ {text}"));
    }
}
