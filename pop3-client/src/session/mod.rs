//! A session with a server: the client machine of `pop3-proto`, driven over a blocking connection.
//!
//! It owns the connection and knows the order of things (greeting, CAPA, STLS, login); what the octets
//! mean is the machine's, what they are good for the caller's. A body is handed on as it comes and is
//! whole only when [`Part::Whole`] says so. A session that failed in the middle of something is over.

mod error;
mod login;
mod transcript;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

pub use error::{Error, Refusal};
pub use login::{Identity, Preference, SecretKind};
pub use transcript::Transcript;

use pop3_proto::capability::Capability;
use pop3_proto::client::{Client, Close, Config, Event, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::time::Time;

use crate::net::{Stream, TlsFacts, Trust};

/// Where a server is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// Whose certificate is believed.
    pub trust: Trust,
    /// How long to wait for a connection, and for a server that does nothing.
    pub patience: Duration,
    /// How many commands go out ahead of their responses where the server announces PIPELINING.
    pub window: usize,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// At once (port 995).
    #[default]
    Implicit,
    /// By STLS; without it the session ends (port 110).
    Starttls,
    /// By STLS if the server offers it: an attacker can make it look as if it did not.
    IfOffered,
    /// Never.
    None,
}

/// A session with a server.
pub struct Session {
    client: Client,
    stream: Stream,
    clock: Instant,
    transcript: Transcript,
    timestamp: Option<String>,
    greeting: String,
    window: usize,
    over: bool,
}

/// What comes in answer to one of several commands.
#[derive(Debug)]
pub enum Part<'a> {
    /// A message begins; the server says that it has so many octets.
    Start(Option<u64>),
    /// Octets of it.
    Octets(&'a [u8]),
    /// The command succeeded; a message that began is whole.
    Whole,
    /// The server refused the command.
    Refused(Refusal),
}

/// Whether more is expected.
enum Step {
    More,
    Enough,
}

impl TlsMode {
    /// The port that belongs to it.
    pub const fn port(self) -> u16 {
        match self {
            Self::Implicit => 995,
            Self::Starttls | Self::IfOffered | Self::None => 110,
        }
    }
}

impl Session {
    /// Connects, starts TLS as wanted and asks for the capabilities.
    pub fn connect(endpoint: &Endpoint, transcript: Transcript) -> Result<Self, Error> {
        let mut stream = Stream::dial(&endpoint.host, endpoint.port, endpoint.patience)?;
        transcript.note(&format!(
            "connected to {} ({})",
            endpoint.host,
            stream.peer()
        ));
        // logins without TLS are this crate's to judge, see `login`
        let config = Config {
            patience: endpoint.patience,
            clear_login: true,
            window: endpoint.window,
            ..Config::default()
        };
        let mut client = Client::new(config, Time::ZERO);
        if transcript.is_on() {
            client.record();
        }
        if endpoint.tls == TlsMode::Implicit {
            stream.start_tls(&endpoint.host, &endpoint.trust, endpoint.patience)?;
            client.handle_tls(Time::ZERO);
        }
        let mut session = Self {
            client,
            stream,
            clock: Instant::now(),
            transcript,
            timestamp: None,
            greeting: String::new(),
            window: endpoint.window.max(1),
            over: false,
        };
        session.note_tls();
        session.await_greeting()?;
        session.ask_capabilities()?;
        session.upgrade(endpoint)?;
        Ok(session)
    }

    /// What the server says it can.
    pub fn capabilities(&self) -> &[Capability] {
        self.client.capabilities()
    }

    /// Whether the server announced this.
    pub fn can(&self, capability: &Capability) -> bool {
        self.capabilities().contains(capability)
    }

    /// What the server greeted with.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Whether nothing can be said any more.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What TLS came to, if there is TLS.
    pub fn tls(&self) -> Option<TlsFacts> {
        self.stream.tls()
    }

    /// How many messages there are, and their octets.
    pub fn stat(&mut self) -> Result<(u64, u64), Error> {
        let mut found = None;
        self.ask(&Command::Stat, &mut |event| {
            if let Event::Stat {
                messages, octets, ..
            } = event
            {
                found = Some((messages, octets));
            }
        })?;
        found.ok_or_else(|| nonsense(&Command::Stat, b""))
    }

    /// The messages and their sizes.
    pub fn sizes(&mut self) -> Result<BTreeMap<u32, u64>, Error> {
        let mut sizes = BTreeMap::new();
        self.ask(&Command::List(None), &mut |event| {
            if let Event::Size { number, octets, .. } = event {
                sizes.insert(number.0, octets);
            }
        })?;
        Ok(sizes)
    }

    /// The size of one message.
    pub fn size(&mut self, number: u32) -> Result<u64, Error> {
        let mut size = None;
        let command = Command::List(Some(MessageNumber(number)));
        self.ask(&command, &mut |event| {
            if let Event::Size { octets, .. } = event {
                size = Some(octets);
            }
        })?;
        size.ok_or_else(|| nonsense(&command, b""))
    }

    /// The messages and their unique-ids; octets that may not stand in one are escaped.
    pub fn unique_ids(&mut self) -> Result<BTreeMap<u32, String>, Error> {
        let mut ids = BTreeMap::new();
        self.ask(&Command::Uidl(None), &mut |event| {
            if let Event::UniqueId { number, id, .. } = event {
                ids.insert(number.0, escaped(id));
            }
        })?;
        Ok(ids)
    }

    /// Sends a command that yields nothing but success.
    pub fn run(&mut self, command: &Command) -> Result<(), Error> {
        self.ask(command, &mut |_| {})
    }

    /// Sends commands whose answers are messages or nothing, several ahead where the server allows it,
    /// and hands on what comes: `take(position of the command, part)`. An error of `take` ends the
    /// session.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    pub fn run_all(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        take: &mut dyn FnMut(usize, Part<'_>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut commands = commands.into_iter().enumerate().peekable();
        let mut waiting: VecDeque<(Tag, usize)> = VecDeque::new();
        loop {
            while waiting.len() < self.window {
                let Some((position, command)) = commands.next() else {
                    break;
                };
                waiting.push_back((self.send(&command)?, position));
            }
            let Some(&(tag, position)) = waiting.front() else {
                return Ok(());
            };
            self.pump(&mut |event| {
                let (part, step) = match event {
                    Event::BodyStart { size, .. } => (Part::Start(size), Step::More),
                    Event::Body { bytes, .. } => (Part::Octets(bytes), Step::More),
                    Event::Done { tag: of, .. } if of == tag => (Part::Whole, Step::Enough),
                    Event::Refused {
                        tag: of,
                        code,
                        text,
                    } if of == tag => (Part::Refused(Refusal { code, text }), Step::Enough),
                    _ => return Ok(Step::More),
                };
                take(position, part).map_err(Error::Local)?;
                Ok(step)
            })?;
            waiting.pop_front();
        }
    }

    /// Reads a whole message, or its first lines.
    pub fn message(&mut self, number: u32, lines: Option<u64>) -> Result<Vec<u8>, Error> {
        let number = MessageNumber(number);
        let command = lines.map_or(Command::Retr(number), |lines| Command::Top(number, lines));
        let what = command.to_string();
        let mut message = Vec::new();
        let mut refused = None;
        self.run_all([command], &mut |_, part| {
            match part {
                Part::Octets(octets) => message.extend_from_slice(octets),
                Part::Refused(refusal) => refused = Some(refusal),
                Part::Start(_) | Part::Whole => {}
            }
            Ok(())
        })?;
        match refused {
            Some(refusal) => Err(Error::Refused { what, refusal }),
            None => Ok(message),
        }
    }

    /// Marks messages as deleted and says which of them the server refuses, and why. QUIT deletes.
    pub fn delete(&mut self, numbers: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
        let mut refused = BTreeMap::new();
        let commands = numbers
            .iter()
            .map(|number| Command::Dele(MessageNumber(*number)));
        self.run_all(commands, &mut |position, part| {
            if let (Part::Refused(refusal), Some(number)) = (part, numbers.get(position)) {
                refused.insert(*number, refusal.to_string());
            }
            Ok(())
        })?;
        Ok(refused)
    }

    /// Ends the session; the server removes what was marked, and says whether it did.
    pub fn quit(&mut self) -> Result<String, Error> {
        let tag = self.send(&Command::Quit)?;
        let mut answer = None;
        self.until(tag, &Command::Quit, &mut |event| {
            if let Event::Done { text, .. } = event {
                answer = Some(text);
            }
        })?;
        self.over = true;
        self.stream.close();
        Ok(answer.unwrap_or_default())
    }

    /// Leaves without QUIT, so that the server removes nothing.
    pub fn abort(mut self) {
        self.stream.close();
    }

    /// The bare connection, for who wants to speak himself.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Asks for the capabilities (again); a server without CAPA has none.
    pub fn ask_capabilities(&mut self) -> Result<(), Error> {
        match self.run(&Command::Capa) {
            Err(Error::Refused { .. }) => Ok(()),
            other => other,
        }
    }

    fn await_greeting(&mut self) -> Result<(), Error> {
        let mut greeted = None;
        self.pump(&mut |event| {
            if let Event::Greeting { text, timestamp } = event {
                greeted = Some((text, timestamp));
                return Ok(Step::Enough);
            }
            Ok(Step::More)
        })?;
        (self.greeting, self.timestamp) = greeted.unwrap_or_default();
        Ok(())
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    fn upgrade(&mut self, endpoint: &Endpoint) -> Result<(), Error> {
        let offered = self.can(&Capability::Stls);
        match endpoint.tls {
            TlsMode::Implicit | TlsMode::None => return Ok(()),
            TlsMode::IfOffered if !offered => return Ok(()),
            // a server may have it and not announce it
            TlsMode::IfOffered | TlsMode::Starttls => {}
        }
        let tag = self.send(&Command::Stls)?;
        let mut start = false;
        let agreed = self.pump(&mut |event| match event {
            Event::StartTls { .. } => {
                start = true;
                Ok(Step::Enough)
            }
            Event::Refused { text, .. } => Err(Error::NoStls(format!(" ({text})"))),
            _ => Ok(Step::More),
        });
        agreed?;
        self.stream
            .start_tls(&endpoint.host, &endpoint.trust, endpoint.patience)?;
        self.client.handle_tls(self.now());
        self.note_tls();
        self.until(tag, &Command::Stls, &mut |_| {})?;
        self.ask_capabilities()
    }

    fn note_tls(&self) {
        if let Some(facts) = self.tls() {
            let TlsFacts {
                protocol,
                cipher,
                certificate,
            } = facts;
            self.transcript
                .note(&format!("{protocol}, {cipher}, certificate {certificate}"));
        }
    }

    fn send(&mut self, command: &Command) -> Result<Tag, Error> {
        self.client
            .send(self.now(), command)
            .map_err(|cause| Error::Unsendable {
                what: command.to_string(),
                cause,
            })
    }

    /// Sends a command and waits for its end.
    fn ask(&mut self, command: &Command, take: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        let tag = self.send(command)?;
        self.until(tag, command, take)
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    fn until(
        &mut self,
        tag: Tag,
        command: &Command,
        take: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let mut verdict = Ok(());
        self.pump(&mut |event| {
            let step = match &event {
                Event::Done { tag: of, .. } if *of == tag => Step::Enough,
                Event::Refused {
                    tag: of,
                    code,
                    text,
                } if *of == tag => {
                    verdict = Err(Error::Refused {
                        what: command.to_string(),
                        refusal: Refusal {
                            code: *code,
                            text: text.clone(),
                        },
                    });
                    Step::Enough
                }
                Event::Malformed { bytes, .. } => {
                    verdict = Err(nonsense(command, bytes));
                    Step::More
                }
                _ => Step::More,
            };
            take(event);
            Ok(step)
        })?;
        verdict
    }

    /// Moves octets and events until `take` has enough. Any error is the end of the session.
    fn pump(
        &mut self,
        take: &mut dyn FnMut(Event<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        if self.over {
            return Err(Error::Closed(Close::Eof));
        }
        let outcome = self.exchange(take);
        self.over |= outcome.is_err();
        outcome
    }

    fn exchange(
        &mut self,
        take: &mut dyn FnMut(Event<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let mut enough = false;
            while let Some(event) = (!enough).then(|| self.client.poll_event()).flatten() {
                if let Event::Closed(close) = event {
                    self.log();
                    return Err(Error::Closed(close));
                }
                let step = take(event);
                self.log();
                enough = matches!(step?, Step::Enough);
            }
            self.log();
            self.flush()?;
            if enough {
                return Ok(());
            }
            self.read(&mut buffer)?;
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        while !self.client.transmit().is_empty() {
            match self.stream.write(self.client.transmit()) {
                Ok(0) => return Err(Error::Broken(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.client.transmitted(self.now(), n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Broken(error)),
            }
        }
        self.stream.flush().map_err(Error::Broken)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let now = self.now();
        let wait = match self.client.poll_timeout() {
            Some((deadline, _)) if deadline <= now => {
                self.client.handle_timeout(now);
                return Ok(());
            }
            Some((deadline, _)) => deadline.since(now),
            // nothing is expected: an event is due that lets the loop go on
            None => Duration::from_secs(1),
        };
        self.stream.set_patience(wait).map_err(Error::Broken)?;
        let room = buffer.len().min(self.client.input_room());
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => self.client.handle_eof(self.now()),
            Ok(n) => {
                let now = self.now();
                self.client.handle_input(now, &buffer[..n]);
            }
            Err(error) if is_wait(&error) => {}
            Err(error) => return Err(Error::Broken(error)),
        }
        Ok(())
    }

    fn log(&mut self) {
        while let Some(trace) = self.client.poll_trace() {
            self.transcript.trace(&trace);
        }
    }

    fn now(&self) -> Time {
        Time::from_start(self.clock.elapsed())
    }
}

/// A unique-id as text; two ids never give the same text.
pub(crate) fn escaped(id: &[u8]) -> String {
    let mut text = String::with_capacity(id.len());
    for &octet in id {
        if octet.is_ascii_graphic() && octet != b'%' {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
    }
    text
}

pub(crate) fn is_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn nonsense(command: &Command, line: &[u8]) -> Error {
    Error::Nonsense {
        what: command.to_string(),
        line: crate::text::one_line(&String::from_utf8_lossy(line)),
    }
}
