//! One connection: octets in, octets out, and which command goes where.
//!
//! Owns the state of the dialogue. What the commands on folders and messages do lies in `folder`,
//! `fetch` and `search`.

use super::auth::{Exchange, Step};
use super::fault::Trouble;
use super::fetch::Fetch;
use super::folder::Selected;
use super::input::{Input, Literals, Next, Word};
use super::output::Output;
use super::{Logged, Server};

/// No further response is produced while so much waits.
const OUTPUT_ROOM: usize = 16 * 1024;
/// More unread input than this ends the connection.
const INPUT_LIMIT: usize = 1024 * 1024;

/// One connection. See the [module](super) for how to run it.
#[derive(Debug)]
pub struct ServerSession {
    pub(super) server: Server,
    pub(super) user: Option<String>,
    pub(super) selected: Option<Selected>,
    pub(super) output: Output,
    /// What goes wrong with the command that runs.
    pub(super) troubles: Vec<Trouble>,
    number: u32,
    input: Input,
    exchange: Option<Exchange>,
    fetch: Option<Fetch>,
    tls: Tls,
    hung: bool,
    ending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Off,
    Wanted,
    On,
}

/// What a command comes to.
pub(super) enum Answer {
    /// The text behind the tag.
    Now(String),
    /// It follows.
    Later,
}

impl ServerSession {
    pub(super) fn new(server: Server, number: u32, tls: bool) -> Self {
        let mut session = Self {
            server,
            user: None,
            selected: None,
            output: Output::default(),
            troubles: Vec::new(),
            number,
            input: Input::default(),
            exchange: None,
            fetch: None,
            tls: if tls { Tls::On } else { Tls::Off },
            hung: false,
            ending: false,
        };
        session.output.limit(session.server.cut(number));
        session.greet();
        session
    }

    /// Which connection of the server this is, counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Takes octets from the client.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        if self.hung || self.tls == Tls::Wanted || self.is_closed() {
            return;
        }
        self.input.push(bytes);
        self.advance();
    }

    /// The client will send nothing more.
    pub fn handle_eof(&mut self) {
        self.ending = true;
        self.fetch = None;
    }

    /// The TLS handshake is done: whatever follows is protected.
    pub fn handle_tls_ready(&mut self) {
        self.tls = Tls::On;
        self.advance();
    }

    /// Whether a TLS handshake is to begin now.
    pub fn wants_tls(&self) -> bool {
        self.tls == Tls::Wanted && self.transmit().is_empty()
    }

    /// What can go to the client at once. Empty: nothing to send now.
    pub fn transmit(&self) -> &[u8] {
        self.output.front()
    }

    /// The first `n` octets of [`transmit`](Self::transmit) went out.
    pub fn transmitted(&mut self, n: usize) {
        self.output.sent(n);
        self.advance();
    }

    /// Whether input is worth reading now; a driver that reads on is served as well, to a point.
    pub fn wants_input(&self) -> bool {
        !self.ending && self.tls != Tls::Wanted && self.input.len() < INPUT_LIMIT / 2
    }

    /// Whether the connection is to be closed: nothing more comes.
    pub fn is_closed(&self) -> bool {
        self.output.is_cut() || (self.ending && self.transmit().is_empty())
    }

    /// How many octets of memory wait in buffers.
    pub fn buffered(&self) -> usize {
        self.output.memory() + self.input.len()
    }

    /// Queues an untagged response.
    pub(super) fn untagged(&mut self, text: &str) {
        self.before();
        if self.extra_spaces() && !text.contains('"') {
            let text = text.replace(' ', "  ");
            self.line(&format!("*  {text} "));
        } else {
            self.line(&format!("* {text}"));
        }
    }

    /// Queues an untagged status response such as `OK [CODE] text`.
    pub(super) fn untagged_status(&mut self, text: &str) {
        self.before();
        let text = self.styled(text);
        self.output.push(b"* ");
        self.output.push(&text);
    }

    /// Queues a tagged response, with which the command is done.
    pub(super) fn tagged(&mut self, tag: &[u8], text: &str) {
        self.before();
        let text = self.styled(text);
        self.output.push(tag);
        self.output.push(b" ");
        self.output.push(&text);
        for trouble in std::mem::take(&mut self.troubles) {
            if let Trouble::After(bytes) = trouble {
                self.output.push(&bytes);
            }
        }
    }

    /// The octets that are to come before each response.
    pub(super) fn before(&mut self) {
        for trouble in &self.troubles {
            if let Trouble::Before(bytes) = trouble {
                self.output.push(bytes);
            }
        }
    }

    pub(super) fn extra_spaces(&self) -> bool {
        self.troubles
            .iter()
            .any(|trouble| matches!(trouble, Trouble::ExtraSpaces))
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.server.options().has(capability)
    }

    /// A status response with its line end, as the troubles want it.
    fn styled(&self, text: &str) -> Vec<u8> {
        let mut out = text.to_owned();
        for trouble in &self.troubles {
            if matches!(trouble, Trouble::NoText) {
                out.truncate(bare_len(&out));
            } else if matches!(trouble, Trouble::ExtraSpaces) {
                out = format!(" {} ", out.replacen(' ', "  ", 1));
            }
        }
        let mut out = out.into_bytes();
        if self
            .troubles
            .iter()
            .any(|trouble| matches!(trouble, Trouble::EightBitText))
        {
            out.extend_from_slice(b" d\xe9j\xe0 vu \xff");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn line(&mut self, text: &str) {
        self.output.push(text.as_bytes());
        self.output.push(b"\r\n");
    }

    fn greet(&mut self) {
        let troubles = self.server.troubles(self.number, "GREETING");
        let options = self.server.options();
        let text = match options.greeting_capabilities {
            true => format!(
                "[CAPABILITY {}] {}",
                options.list(self.tls == Tls::On),
                options.greeting
            ),
            false => options.greeting.clone(),
        };
        let preauth = troubles.iter().find_map(|trouble| {
            if let Trouble::Preauth(user) = trouble {
                Some(user.clone())
            } else {
                None
            }
        });
        self.user = preauth;
        self.troubles = troubles;
        if !self.preempted(b"*") {
            let word = if self.user.is_some() { "PREAUTH" } else { "OK" };
            self.tagged(b"*", &format!("{word} {text}"));
        }
    }

    fn advance(&mut self) {
        while !self.hung && !self.ending && self.tls != Tls::Wanted && !self.output.is_cut() {
            if self.output.memory() >= OUTPUT_ROOM {
                return;
            }
            if let Some(fetch) = self.fetch.take() {
                self.fetch = self.fetch_on(fetch);
            } else if let Some(exchange) = self.exchange.take() {
                let Some(line) = self.input.next_line() else {
                    self.exchange = Some(exchange);
                    break;
                };
                self.authenticate_on(exchange, &line);
            } else {
                match self.input.next_command(self.literals()) {
                    Next::Nothing => break,
                    Next::Continue(line) => self.go_on(&line),
                    Next::Command(words) => self.execute(&words),
                    Next::Malformed(tag, fault) => self.tagged(&tag, &format!("BAD {fault}")),
                    Next::TooLong => self.bye("command too long"),
                }
            }
        }
        if self.input.len() > INPUT_LIMIT && !self.ending {
            self.bye("too much input");
        }
    }

    fn literals(&self) -> Literals {
        match (self.offers("LITERAL+"), self.offers("LITERAL-")) {
            (true, _) => Literals::Plus,
            (false, true) => Literals::Minus,
            (false, false) => Literals::Synchronising,
        }
    }

    /// A synchronising literal waits.
    fn go_on(&mut self, line: &[u8]) {
        let tag = line
            .split(|&byte| byte == b' ')
            .next()
            .unwrap_or(b"*")
            .to_vec();
        self.troubles = self.server.troubles(self.number, "LITERAL");
        if self.preempted(&tag) {
            self.input.refuse_literal();
        } else {
            self.output.push(b"+ OK\r\n");
        }
        self.troubles.clear();
    }

    /// The misbehaviours that take the place of the command.
    fn preempted(&mut self, tag: &[u8]) -> bool {
        let found = self.troubles.iter().find(|trouble| {
            matches!(
                trouble,
                Trouble::Answer(_)
                    | Trouble::Raw(_)
                    | Trouble::Hang
                    | Trouble::Drop
                    | Trouble::Bye(_)
            )
        });
        match found.cloned() {
            Some(Trouble::Answer(text)) => self.tagged(tag, &text),
            Some(Trouble::Raw(bytes)) => self.output.push(&bytes),
            Some(Trouble::Hang) => {
                self.hung = true;
                self.input.clear();
            }
            Some(Trouble::Drop) => self.output.push_cut(),
            Some(Trouble::Bye(text)) => self.bye(&text),
            _ => return false,
        }
        true
    }

    fn bye(&mut self, text: &str) {
        self.untagged_status(&format!("BYE {text}"));
        self.ending = true;
        self.input.clear();
    }

    fn execute(&mut self, words: &[Word]) {
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

    fn authenticate_on(&mut self, mut exchange: Exchange, line: &[u8]) {
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

/// How long `OK [CODE]` is in `OK [CODE] text`.
fn bare_len(text: &str) -> usize {
    let word = text.find(' ').unwrap_or(text.len());
    match text.get(word..).and_then(|rest| rest.strip_prefix(" [")) {
        Some(rest) => rest.find(']').map_or(word, |end| word + 3 + end),
        None => word,
    }
}
