//! One connection: octets in, octets out.
//!
//! Owns the state of the dialogue, and the form of responses. `command` dispatches the commands;
//! `folder`, `message`, `fetch` and `search` carry out those on folders and messages.

mod command;

use super::Server;
use super::auth::Exchange;
use super::fault::Trouble;
use super::fetch::Fetch;
use super::folder::Selected;
use super::input::{Input, Literals, Next};
use super::output::Output;

/// No further response is produced while this much waits.
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

    /// The TLS handshake is done: everything after it is protected.
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

    /// The octets that come before each response.
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

    /// The misbehaviours that replace the command.
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
}

/// How long `OK [CODE]` is in `OK [CODE] text`.
fn bare_len(text: &str) -> usize {
    let word = text.find(' ').unwrap_or(text.len());
    match text.get(word..).and_then(|rest| rest.strip_prefix(" [")) {
        Some(rest) => rest.find(']').map_or(word, |end| word + 3 + end),
        None => word,
    }
}
