//! The client's side of a POP3 session as a pure state machine.
//!
//! [`Client`] turns commands into bytes for the server and the server's bytes into [`Event`]s. It never
//! does I/O, never reads a clock, never collects a message: the octets of a body are lent out as they
//! come. It does not know what a command is for; the caller decides their order.
//!
//! # The run loop
//!
//! After every call that changes something ([`send`](Client::send), [`log_in`](Client::log_in), any
//! `handle_*`, [`transmitted`](Client::transmitted)):
//!
//! 1. drain [`poll_event`](Client::poll_event) until `None`, acting on what comes; at
//!    [`Event::StartTls`] the TLS handshake begins, after [`Event::Closed`] the connection is closed;
//! 2. send what [`transmit`](Client::transmit) shows, and say so with [`transmitted`](Client::transmitted);
//! 3. wait for bytes from the server (only while [`input_room`](Client::input_room) is not 0), for room
//!    to write, or for the deadline of [`poll_timeout`](Client::poll_timeout).
//!
//! ```
//! use pop3_proto::client::{Client, Config, Event};
//! use pop3_proto::command::Command;
//! use pop3_proto::time::Time;
//!
//! let now = Time::ZERO;
//! let mut client = Client::new(Config::default(), now);
//! client.handle_input(now, b"+OK ready\r\n");
//! assert!(matches!(client.poll_event(), Some(Event::Greeting { .. })));
//!
//! let tag = client.send(now, &Command::Stat)?;
//! assert_eq!(client.transmit(), b"STAT\r\n");
//! client.transmitted(now, 6);
//!
//! client.handle_input(now, b"+OK 2 320\r\n");
//! assert_eq!(client.poll_event(), Some(Event::Stat { tag, messages: 2, octets: 320 }));
//! assert!(matches!(client.poll_event(), Some(Event::Done { .. })));
//! assert_eq!(client.poll_event(), None);
//! # Ok::<(), pop3_proto::client::SendError>(())
//! ```
//!
//! # What it guards
//!
//! * Commands are lines: CR, LF and NUL in an argument are refused before anything is queued.
//! * Without TLS there is no login, unless [`Config::clear_login`] says so.
//! * Commands are pipelined only where the server announced PIPELINING (by a CAPA that the caller sent);
//!   STLS, logins and raw commands always go alone.
//! * A response that nothing asked for, and clear text after the response to STLS, end the session:
//!   both could make one response pass for another.
//! * A body is whole only when [`Event::Done`] comes; if the connection ends before, it is
//!   [`Event::Lost`].
//! * Status lines and listings may end their lines with a bare LF; a body may not, see
//!   [`stuffing`](crate::stuffing).
//! * Everything that is kept is bounded: input, lines, capabilities, commands in flight.

mod event;
mod flight;
mod input;
mod login;
mod output;
mod reply;
mod state;
mod transcript;
mod wire;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

pub use event::{Close, Event, SendError, ServerFault, Tag};
pub use login::{Credentials, Method};

use crate::capability::Capability;
use crate::command::{Command, CommandError, Verb};
use crate::secret::Secret;
use crate::time::Time;
use crate::trace::Trace;
use flight::{Flight, Kind, Queued};
use input::Input;
use login::Flow;
use output::Output;
use state::Reading;
use transcript::Transcript;
use wire::Wire;

/// How a [`Client`] behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many octets from the server are held before they are read.
    pub input_limit: usize,
    /// The longest line (status lines, listings); RFC 1939 allows 512 octets, servers send more.
    pub line_limit: usize,
    /// How many commands may wait for their responses where the server announced PIPELINING; 1 or less
    /// means never to pipeline.
    pub window: usize,
    /// How long the server may be silent while a response is due. Logins can take minutes.
    pub patience: Duration,
    /// Whether logins are allowed without TLS.
    pub clear_login: bool,
}

setters! { Config:
    input_limit: usize,
    line_limit: usize,
    window: usize,
    patience: Duration,
    clear_login: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            input_limit: 64 * 1024,
            line_limit: 8 * 1024,
            window: 100,
            patience: Duration::from_secs(5 * 60),
            clear_login: false,
        }
    }
}

/// A POP3 session seen from the client. See the [module](self) for how to run it.
pub struct Client {
    config: Config,
    reading: Reading,
    input: Input,
    output: Output,
    queue: VecDeque<Queued>,
    flights: VecDeque<Flight>,
    next_tag: u64,
    capabilities: Vec<Capability>,
    timestamp: Option<String>,
    transcript: Transcript,
    /// TLS is active.
    secure: bool,
    /// QUIT is queued or sent.
    quitting: bool,
    /// The server's last byte is in the input.
    eof: bool,
    /// The last sign of life.
    alive: Time,
    /// There was no room for input, so the server is not to blame for silence.
    paused: bool,
}

impl Client {
    /// Waits for the greeting. For implicit TLS run the handshake first and call
    /// [`handle_tls`](Self::handle_tls) before any input.
    pub fn new(config: Config, now: Time) -> Self {
        // the longest line must fit as a whole
        let input = Input::new(config.input_limit.max(config.line_limit.saturating_add(2)));
        Self {
            config,
            reading: Reading::Greeting,
            input,
            output: Output::default(),
            queue: VecDeque::new(),
            flights: VecDeque::new(),
            next_tag: 0,
            capabilities: Vec::new(),
            timestamp: None,
            transcript: Transcript::default(),
            secure: false,
            quitting: false,
            eof: false,
            alive: now,
            paused: false,
        }
    }

    /// Queues a command. AUTH sent this way yields [`Event::Challenge`]s.
    pub fn send(&mut self, now: Time, command: &Command) -> Result<Tag, SendError> {
        let verb = command.verb();
        match verb {
            Verb::User | Verb::Pass | Verb::Apop => self.check_clear_login()?,
            Verb::Auth if *command != Command::AuthList => self.check_clear_login()?,
            Verb::Stls if self.secure => return Err(SendError::AlreadyTls),
            Verb::Auth
            | Verb::Capa
            | Verb::Stls
            | Verb::Utf8
            | Verb::Lang
            | Verb::Xpro
            | Verb::Stat
            | Verb::List
            | Verb::Uidl
            | Verb::Retr
            | Verb::Top
            | Verb::Dele
            | Verb::Noop
            | Verb::Rset
            | Verb::Quit => {}
        }
        let alone = matches!(
            verb,
            Verb::User | Verb::Pass | Verb::Apop | Verb::Auth | Verb::Stls | Verb::Xpro
        );
        let tag = self.enqueue(now, Wire::command(command)?, Kind::of(command), alone)?;
        self.quitting |= verb == Verb::Quit;
        Ok(tag)
    }

    /// Queues a login; it may take several lines, and its tag ends once. APOP needs the greeting.
    pub fn log_in(&mut self, now: Time, credentials: &Credentials) -> Result<Tag, SendError> {
        self.check_clear_login()?;
        let (wire, flow) = Flow::start(credentials, self.timestamp.as_deref())?;
        self.enqueue(now, wire, Kind::Login(flow), true)
    }

    /// Queues a command that this client does not know. The caller says whether `+OK` begins a
    /// multi-line response, which then comes as a body.
    pub fn send_raw(&mut self, now: Time, line: &str, multi_line: bool) -> Result<Tag, SendError> {
        if Command::parse(line.as_bytes()) != Err(CommandError::Unknown) {
            return Err(SendError::NotRaw);
        }
        let verb = line.split([' ', '\t']).next().unwrap_or_default();
        if verb.is_empty() {
            return Err(SendError::Empty);
        }
        let label = alloc::format!("{} <raw>", reply::printable(verb.as_bytes()));
        let kind = if multi_line { Kind::Body } else { Kind::Line };
        self.enqueue(now, Wire::line(&[line.as_bytes()], label)?, kind, true)
    }

    /// Answers the last [`Event::Challenge`].
    pub fn answer(&mut self, now: Time, answer: &Secret) -> Result<(), SendError> {
        self.answer_with(now, Wire::answer(answer.expose())?)
    }

    /// Gives the SASL exchange up instead of answering the last [`Event::Challenge`].
    pub fn cancel(&mut self, now: Time) -> Result<(), SendError> {
        self.answer_with(now, Wire::cancel())
    }

    /// What the server said that it can do, the last time it was asked; empty before that, and after STLS.
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// How many octets there is room for. If it is 0, leave them in the socket and poll events.
    pub fn input_room(&self) -> usize {
        self.input.room()
    }

    /// Takes octets from the server and returns how many; the rest must be offered again.
    pub fn handle_input(&mut self, now: Time, bytes: &[u8]) -> usize {
        let taken = match self.reading {
            Reading::Ending(_) | Reading::Closed => bytes.len(),
            Reading::Handshake if !bytes.is_empty() => {
                self.end(Close::Server(ServerFault::ClearTextAfterStls));
                bytes.len()
            }
            Reading::Greeting
            | Reading::Status
            | Reading::Lines(_)
            | Reading::Body { .. }
            | Reading::Finished
            | Reading::Answer
            | Reading::Handshake => self.input.push(bytes),
        };
        if taken > 0 {
            self.alive = now;
        }
        self.paused = self.input.room() == 0;
        taken
    }

    /// The connection ended; nothing can be sent or will be received any more.
    pub fn handle_eof(&mut self, now: Time) {
        self.alive = now;
        self.eof = true;
    }

    /// The TLS handshake is done, after [`Event::StartTls`] or before the greeting.
    pub fn handle_tls(&mut self, now: Time) {
        self.alive = now;
        self.secure = true;
        if matches!(self.reading, Reading::Handshake) {
            self.capabilities.clear();
            self.reading = Reading::Finished;
        }
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        let Some((_, reason)) = self.poll_timeout().filter(|(deadline, _)| *deadline <= now) else {
            return;
        };
        if self.paused {
            self.paused = false;
            self.alive = now;
        } else {
            self.end(Close::Timeout(reason));
        }
    }

    /// What is to be sent; empty if nothing is.
    pub fn transmit(&self) -> &[u8] {
        self.output.unsent()
    }

    /// The first `n` octets of [`transmit`](Self::transmit) were sent.
    pub fn transmitted(&mut self, now: Time, n: usize) {
        if n > 0 {
            self.alive = now;
        }
        self.output.sent(n);
    }

    /// The next event. Poll until `None` after every call that changes something; an event may let the
    /// next command out, so look at [`transmit`](Self::transmit) afterwards.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        self.step()
            .map(|step| step.lend(&self.input, &self.capabilities))
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, and what the server is late
    /// with then.
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let reason = match self.reading {
            Reading::Greeting => "greeting",
            Reading::Handshake => "TLS handshake",
            Reading::Status if !self.flights.is_empty() => "response",
            Reading::Lines(_) | Reading::Body { .. } => "rest of a response",
            Reading::Status
            | Reading::Finished
            | Reading::Answer
            | Reading::Ending(_)
            | Reading::Closed => return None,
        };
        (self.input.room() > 0).then(|| (self.alive + self.config.patience, reason))
    }

    /// Switches the recording of [`Trace`] lines on. Off from the start.
    pub fn record(&mut self) {
        self.transcript.record();
    }

    /// The next recorded line of the dialogue.
    pub fn poll_trace(&mut self) -> Option<Trace> {
        self.transcript.next()
    }

    fn check_clear_login(&self) -> Result<(), SendError> {
        let allowed = self.secure || self.config.clear_login;
        allowed.then_some(()).ok_or(SendError::ClearText)
    }

    fn enqueue(
        &mut self,
        now: Time,
        wire: Wire,
        kind: Kind,
        alone: bool,
    ) -> Result<Tag, SendError> {
        if self.quitting || matches!(self.reading, Reading::Ending(_) | Reading::Closed) {
            return Err(SendError::Over);
        }
        if self.queue.is_empty()
            && self.flights.is_empty()
            && !matches!(self.reading, Reading::Greeting)
        {
            self.alive = now;
        }
        let tag = Tag(self.next_tag);
        self.next_tag += 1;
        self.queue.push_back(Queued {
            wire,
            flight: Flight::new(tag, kind, alone),
        });
        self.advance();
        Ok(tag)
    }

    fn answer_with(&mut self, now: Time, wire: Wire) -> Result<(), SendError> {
        if !matches!(self.reading, Reading::Answer) {
            return Err(SendError::NotAsked);
        }
        self.alive = now;
        self.reading = Reading::Status;
        self.write(&wire);
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("reading", &self.reading)
            .field("queued", &self.queue.len())
            .field("in_flight", &self.flights.len())
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}
