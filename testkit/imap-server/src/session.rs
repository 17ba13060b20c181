//! One connection: octets in, octets out.
//!
//! Owns the course of the dialogue. `command` dispatches the commands; `folder`, `message`, `fetch` and
//! `search` carry out those on folders and messages, on what is in `state`.

mod command;

use super::Server;
use super::auth::Exchange;
use super::fault::Trouble;
use super::fetch::Fetch;
use super::input::{Input, Literals, Next};
use super::state::State;

/// No further response is produced while this much waits.
const OUTPUT_ROOM: usize = 16 * 1024;
/// More unread input than this ends the connection.
const INPUT_LIMIT: usize = 1024 * 1024;

/// One connection. See the [module](super) for how to run it.
#[derive(Debug)]
pub struct ServerSession {
    state: State,
    number: u32,
    input: Input,
    exchange: Option<Exchange>,
    fetch: Option<Fetch>,
    /// The tag of IDLE, until DONE.
    idle: Option<Vec<u8>>,
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
            state: State::new(server),
            number,
            input: Input::default(),
            exchange: None,
            fetch: None,
            idle: None,
            tls: if tls { Tls::On } else { Tls::Off },
            hung: false,
            ending: false,
        };
        session.state.output.limit(session.state.server.cut(number));
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

    /// Tells a client that idles what is new. For drivers to call now and then.
    pub fn look(&mut self) {
        if self.idle.is_some() {
            self.state.sync(true);
        }
    }

    /// What can go to the client at once. Empty: nothing to send now.
    pub fn transmit(&self) -> &[u8] {
        self.state.output.front()
    }

    /// The first `n` octets of [`transmit`](Self::transmit) went out.
    pub fn transmitted(&mut self, n: usize) {
        self.state.output.sent(n);
        self.advance();
    }

    /// Whether input is worth reading now; a driver that reads on is served as well, to a point.
    pub fn wants_input(&self) -> bool {
        !self.ending && self.tls != Tls::Wanted && self.input.len() < INPUT_LIMIT / 2
    }

    /// Whether the connection is to be closed: nothing more comes.
    pub fn is_closed(&self) -> bool {
        self.state.output.is_cut() || (self.ending && self.transmit().is_empty())
    }

    /// How many octets of memory wait in buffers.
    pub fn buffered(&self) -> usize {
        self.state.output.memory() + self.input.len()
    }

    fn greet(&mut self) {
        let troubles = self.state.server.troubles(self.number, "GREETING");
        let options = self.state.server.options();
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
        self.state.user = preauth;
        self.state.troubles = troubles;
        if !self.preempted(b"*") {
            let word = if self.state.user.is_some() {
                "PREAUTH"
            } else {
                "OK"
            };
            self.state.tagged(b"*", &format!("{word} {text}"));
        }
    }

    fn advance(&mut self) {
        while !self.hung && !self.ending && self.tls != Tls::Wanted && !self.state.output.is_cut() {
            if self.state.output.memory() >= OUTPUT_ROOM {
                return;
            }
            if let Some(fetch) = self.fetch.take() {
                self.fetch = self.state.fetch_on(fetch);
            } else if let Some(tag) = self.idle.take() {
                let Some(line) = self.input.next_line() else {
                    self.idle = Some(tag);
                    break;
                };
                self.state.sync(true);
                let done = line.eq_ignore_ascii_case(b"DONE");
                let text = if done {
                    "OK done"
                } else {
                    "BAD this is not DONE"
                };
                self.state.tagged(&tag, text);
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
                    Next::Malformed(tag, fault) => self.state.tagged(&tag, &format!("BAD {fault}")),
                    Next::TooLong => self.bye("command too long"),
                }
            }
        }
        if self.input.len() > INPUT_LIMIT && !self.ending {
            self.bye("too much input");
        }
    }

    fn literals(&self) -> Literals {
        match (self.state.offers("LITERAL+"), self.state.offers("LITERAL-")) {
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
        self.state.troubles = self.state.server.troubles(self.number, "LITERAL");
        if self.preempted(&tag) {
            self.input.refuse_literal();
        } else {
            self.state.output.push(b"+ OK\r\n");
        }
        self.state.troubles.clear();
    }

    /// The misbehaviours that replace the command.
    fn preempted(&mut self, tag: &[u8]) -> bool {
        let found = self.state.troubles.iter().find(|trouble| {
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
            Some(Trouble::Answer(text)) => self.state.tagged(tag, &text),
            Some(Trouble::Raw(bytes)) => self.state.output.push(&bytes),
            Some(Trouble::Hang) => {
                self.hung = true;
                self.input.clear();
            }
            Some(Trouble::Drop) => self.state.output.push_cut(),
            Some(Trouble::Bye(text)) => self.bye(&text),
            _ => return false,
        }
        true
    }

    fn bye(&mut self, text: &str) {
        self.state.untagged_status(&format!("BYE {text}"));
        self.ending = true;
        self.input.clear();
    }
}
