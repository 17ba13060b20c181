//! A session with a server: the client machine of `pop3-proto`, driven over a blocking connection.
//!
//! It owns the connection and knows the order of things (greeting, CAPA, STLS, login); what the octets
//! mean is the machine's, what they are good for the caller's. A body is handed on as it comes and is
//! whole only when [`Part::Whole`] says so. A session that failed in the middle of something is over.

mod ask;
mod error;
mod login;
mod pump;
mod transcript;

use std::time::{Duration, Instant};

pub use ask::Part;
pub use error::{Error, Refusal};
pub use login::{Identity, Preference, SecretKind};
pub use transcript::Transcript;

pub(crate) use pump::is_wait;

use pop3_proto::capability::Capability;
use pop3_proto::client::{Client, Config, Event};
use pop3_proto::command::Command;
use pop3_proto::time::Time;
use pop3_proto::trouble::{Place, Trouble, Words};

use crate::net::{Stream, TlsFacts, Trust, bare};
use pump::Step;

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
    endpoint: Endpoint,
    over: bool,
}

impl Endpoint {
    /// Host and port, as texts about them name them.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            host: bare(&self.host),
            port: self.port,
        }
    }
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
            endpoint: endpoint.clone(),
            over: false,
        };
        session.note_tls();
        session
            .await_greeting()
            .map_err(|error| session.early(error, None))?;
        session
            .ask_capabilities()
            .map_err(|error| session.early(error, Some("the answer to CAPA")))?;
        session
            .upgrade()
            .map_err(|error| session.early(error, Some("the answer to STLS")))?;
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

    /// Leaves without QUIT, so that the server removes nothing.
    pub fn abort(mut self) {
        self.stream.close();
    }

    /// The bare connection, for who wants to speak himself.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    pub(super) fn early(&self, error: Error, due: Option<&str>) -> Error {
        error.early(&self.endpoint, self.tls().is_some(), due)
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
    fn upgrade(&mut self) -> Result<(), Error> {
        let endpoint = self.endpoint.clone();
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
            Event::Refused { text, .. } => {
                let line = if offered { text.as_str() } else { "" };
                let trouble = Trouble::UpgradeRefused { line };
                Err(Error::NoStls(
                    trouble.text(endpoint.place(), &Words::COMMAND_LINE),
                ))
            }
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
            let oddities = facts.oddities();
            let TlsFacts {
                protocol,
                cipher,
                certificate,
                ..
            } = facts;
            self.transcript
                .note(&format!("{protocol}, {cipher}, certificate {certificate}"));
            for oddity in oddities {
                self.transcript.note(&oddity);
            }
        }
    }
}
