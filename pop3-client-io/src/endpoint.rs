//! Where a server is and how it is spoken to. Opens nothing.

use std::time::Duration;

use pop3_proto::trouble::Place;

use crate::tls::Trust;
use crate::transcript::Transcript;
use crate::words::Words;

/// Where a server is and how it is spoken to.
///
/// ```
/// use pop3_client_io::{Endpoint, TlsMode};
///
/// let at_once = Endpoint::new("pop.example.org");
/// assert_eq!((at_once.port, at_once.tls), (995, TlsMode::Implicit));
/// let by_stls = Endpoint::new("pop.example.org").tls(TlsMode::Starttls);
/// assert_eq!(by_stls.port, 110);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// Which certificates are trusted.
    pub trust: Trust,
    /// How long to wait for a connection, and for a server that does nothing.
    pub patience: Duration,
    /// How many commands go out ahead of their responses where the server announces PIPELINING.
    pub window: usize,
    /// Where the dialogue is written down.
    pub transcript: Transcript,
    /// How errors name the settings that would help.
    pub words: Words,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
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

impl Endpoint {
    /// TLS at once on port 995, with the authorities of the system; a minute of patience; ten commands ahead.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: TlsMode::Implicit.port(),
            tls: TlsMode::Implicit,
            trust: Trust::System,
            patience: Duration::from_secs(60),
            window: 10,
            transcript: Transcript::default(),
            words: Words::LIBRARY,
        }
    }

    /// TLS at another time, and the port that belongs to it; name another port afterwards.
    #[must_use]
    pub fn tls(self, tls: TlsMode) -> Self {
        let port = tls.port();
        Self { tls, port, ..self }
    }

    /// Another port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Other certificates.
    #[must_use]
    pub fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// More or less patience.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Writes the dialogue down.
    #[must_use]
    pub fn transcript(self, transcript: Transcript) -> Self {
        Self { transcript, ..self }
    }

    /// Host and port, as texts about them name them.
    pub fn place(&self) -> Place<'_> {
        let host = self.host.as_str();
        // an IPv6 address may stand in brackets
        let inside = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Place {
            host: inside.unwrap_or(host),
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
