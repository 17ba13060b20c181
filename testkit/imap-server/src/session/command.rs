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
        self.state.troubles = self.state.server.troubles(self.number, &name);
        if self.preempted(tag) {
            return;
        }
        match self.answer(tag, uid, &name, arguments) {
            Answer::Now(text) => self.state.tagged(tag, &text),
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
        self.state.server.note(Logged {
            connection: self.number,
            tls: self.tls == Tls::On,
            line,
        });
    }

    fn answer(&mut self, tag: &[u8], uid: bool, name: &str, arguments: &[Word]) -> Answer {
        let text = match (uid, name) {
            (false, "CAPABILITY") => self.capability(),
            (false, "NOOP" | "CHECK") => {
                self.state.sync(true);
                "OK done".to_owned()
            }
            (false, "LOGOUT") => {
                self.state.untagged_status("BYE see you later");
                self.ending = true;
                "OK done".to_owned()
            }
            (false, "ID") if self.state.offers("ID") => {
                self.state.untagged(r#"ID ("name" "testkit")"#);
                "OK done".to_owned()
            }
            (false, "STARTTLS")
                if self.state.offers("STARTTLS")
                    && self.tls == Tls::Off
                    && self.state.user.is_none() =>
            {
                self.tls = Tls::Wanted;
                self.input.clear();
                "OK begin TLS now".to_owned()
            }
            (false, "LOGIN") if self.state.user.is_none() => self.login(arguments),
            (false, "AUTHENTICATE") if self.state.user.is_none() => {
                return self.authenticate(tag, arguments);
            }
            _ if self.state.user.is_none() => "BAD not now, or unknown".to_owned(),
            (false, "SELECT") => self.state.select(arguments, false),
            (false, "EXAMINE") => self.state.select(arguments, true),
            (false, "LIST" | "LSUB") => self.state.list(name, arguments),
            (false, "STATUS") => self.state.status(arguments),
            (false, "CREATE") => self.state.create(arguments),
            (false, "ENABLE") if self.state.offers("ENABLE") => {
                self.state.untagged("ENABLED");
                "OK done".to_owned()
            }
            (false, "NAMESPACE") if self.state.offers("NAMESPACE") => {
                self.state.untagged(r#"NAMESPACE (("" "/")) NIL NIL"#);
                "OK done".to_owned()
            }
            _ if self.state.selected.is_none() => "BAD not now, or unknown".to_owned(),
            (false, "IDLE") if self.state.offers("IDLE") => {
                self.state.output.push(b"+ idling\r\n");
                self.idle = Some(tag.to_vec());
                self.look();
                return Answer::Later;
            }
            (false, "CLOSE") => self.state.close(),
            (false, "UNSELECT") if self.state.offers("UNSELECT") => {
                self.state.selected = None;
                "OK done".to_owned()
            }
            (_, "FETCH") => match self.state.fetch(tag, uid, arguments) {
                Ok(fetch) => {
                    self.fetch = Some(fetch);
                    return Answer::Later;
                }
                Err(text) => text,
            },
            (_, "STORE") => self.state.store(uid, arguments),
            (_, "COPY") => self.state.copy(uid, arguments, false),
            (_, "MOVE") if self.state.offers("MOVE") => self.state.copy(uid, arguments, true),
            (_, "SEARCH") => self.state.search(uid, arguments),
            (false, "EXPUNGE") => self.state.expunge(None),
            (true, "EXPUNGE") if self.state.offers("UIDPLUS") => {
                self.state.expunge(arguments.first())
            }
            _ => "BAD unknown command".to_owned(),
        };
        Answer::Now(text)
    }

    fn capability(&mut self) -> String {
        let list = self.state.server.options().list(self.tls == Tls::On);
        self.state.untagged(&format!("CAPABILITY {list}"));
        "OK done".to_owned()
    }

    fn login(&mut self, arguments: &[Word]) -> String {
        let [user, password] = arguments else {
            return "BAD LOGIN user password".to_owned();
        };
        let (Some(user), Some(password)) = (user.text(), password.text()) else {
            return "BAD strings wanted".to_owned();
        };
        if self.state.offers("LOGINDISABLED") && self.tls == Tls::Off {
            return "NO [PRIVACYREQUIRED] not without TLS".to_owned();
        }
        match self.state.server.store().password_fits(&user, &password) {
            true => self.logged_in(user),
            false => "NO [AUTHENTICATIONFAILED] wrong user or password".to_owned(),
        }
    }

    fn logged_in(&mut self, user: String) -> String {
        self.state.user = Some(user);
        let options = self.state.server.options();
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
        let offered = self.state.offers(&format!("AUTH={mechanism}"));
        let Some(exchange) = Exchange::new(tag.to_vec(), &mechanism).filter(|_| offered) else {
            return Answer::Now("NO [CANNOT] unknown mechanism".to_owned());
        };
        match arguments.get(1).and_then(Word::bytes) {
            Some(_) if !self.state.offers("SASL-IR") => {
                Answer::Now("BAD no initial response".to_owned())
            }
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
        match exchange.answer(self.state.server.store(), line) {
            Step::Challenge(text) => {
                self.challenge(&text);
                self.exchange = Some(exchange);
            }
            Step::Accepted(user) => {
                let text = self.logged_in(user);
                self.state.tagged(&exchange.tag, &text);
            }
            Step::Refused => self
                .state
                .tagged(&exchange.tag, "NO [AUTHENTICATIONFAILED] wrong credentials"),
            Step::Malformed => self
                .state
                .tagged(&exchange.tag, "BAD not understood, or cancelled"),
        }
    }

    fn challenge(&mut self, text: &str) {
        self.state.line(&format!("+ {text}"));
    }
}
