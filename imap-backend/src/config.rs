//! What an operator decides about one upstream.
//!
//! Owns nothing but values; every default is the safe one.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use pop3_proto::backend::Endpoint;
use pop3_proto::trouble::{Place, Trouble, Words};

use crate::backoff::SharedBackoffs;
use crate::learned::Learned;

/// One IMAP upstream and how its mailbox is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// How the connection is protected.
    pub security: Security,
    /// The name that the server's certificate must prove.
    pub server_name: String,
    /// The folder that is the maildrop.
    pub folder: String,
    /// What becomes of the messages that the client deleted.
    pub delete: DeletePolicy,
    /// Whether messages that were sent whole get `\Seen` at QUIT.
    pub mark_seen: bool,
    /// How many octets of the following messages are asked for ahead of the client; 0 asks for none.
    pub read_ahead: u64,
    /// The largest message that is passed on, in octets.
    pub max_literal: u64,
    /// The most messages that a maildrop may have.
    pub max_messages: u32,
    /// How long connecting may take: TCP, the TLS handshake and the greeting.
    pub connect_timeout: Duration,
    /// How long the client waits for its login if the server falls silent in it.
    pub login_timeout: Duration,
    /// How long the server may say nothing while an answer is due.
    pub response_timeout: Duration,
    /// After how long without traffic a NOOP keeps the connection open; zero sends none.
    pub keep_alive: Duration,
    /// How long a connection may wait after a session for the next login with the same credential; zero for not at
    /// all. It needs a driver that takes it.
    pub park: Duration,
    /// How long a session may need nothing of the server before its connection is put aside, to wait as one of a session
    /// that has ended or to be logged out of; the next thing that is needed brings one back. Zero keeps it. Only a login by
    /// password is repeated so late, or one by token that can get another one. It needs a driver that takes connections.
    pub rest: Duration,
    /// How long the server's yes to a credential counts for logins that take up a connection which waited.
    pub trust_login: Duration,
    /// Whether a server that offers IDLE is believed to say by itself what is new, while a connection waits: then a login
    /// that finds nothing new asks it nothing. What the server says late is seen late.
    pub trust_idle: bool,
    /// How a user's name and password are sent.
    pub auth: AuthPreference,
    /// The name of the program, as the server hears it in ID (RFC 2971).
    pub client_name: String,
    /// How this server differs from others.
    pub quirks: Quirks,
    /// Whether the server is the operator's own, and may learn where the client connects from.
    pub own: bool,
    /// What earlier sessions learned of the server.
    pub learned: Learned,
    /// Which accounts the server wants to be left alone.
    pub backoffs: SharedBackoffs,
}

impl Config {
    /// An upstream with default settings: INBOX, expunge, 1 MiB of read-ahead.
    pub fn new(host: &str, port: u16, security: Security) -> Self {
        Self {
            endpoint: Endpoint {
                host: host.into(),
                port,
            },
            security,
            server_name: host.into(),
            folder: "INBOX".into(),
            delete: DeletePolicy::Expunge,
            mark_seen: false,
            read_ahead: 1024 * 1024,
            max_literal: u64::MAX,
            max_messages: 2_000_000,
            connect_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(9 * 60),
            park: Duration::ZERO,
            rest: Duration::ZERO,
            trust_login: Duration::from_secs(60 * 60),
            trust_idle: false,
            auth: AuthPreference::Auto,
            client_name: "imap-backend".into(),
            quirks: Quirks::default(),
            own: false,
            learned: Learned::default(),
            backoffs: SharedBackoffs::default(),
        }
    }

    /// The text of a trouble with this upstream.
    pub(crate) fn in_words(&self, trouble: Trouble<'_>) -> String {
        let place = Place {
            host: &self.endpoint.host,
            port: self.endpoint.port,
        };
        trouble.text(place, &Words::CONFIGURATION)
    }
}

/// How the upstream connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all: credentials and mail go in the clear.
    Clear,
    /// By STARTTLS, before anything else; without it there is no login.
    StartTls,
    /// By TLS from the first byte.
    Implicit,
}

/// What becomes of the messages that the client deleted, at QUIT and never before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeletePolicy {
    /// They are removed for good.
    #[default]
    Expunge,
    /// They go to the folder that the server marks as `\Trash`, else to the one named here.
    Trash {
        /// The folder for servers that do not say which one it is.
        fallback: String,
    },
    /// They go to this folder.
    Move(String),
    /// They get `\Seen`; messages that have it are hidden from the client.
    Seen,
    /// They get this keyword; messages that have it are hidden from the client.
    Keyword(String),
    /// Nothing: they are there again at the next login.
    Keep,
}

/// How a user's name and password are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthPreference {
    /// LOGIN where it is allowed and the credentials are ASCII, else AUTHENTICATE PLAIN.
    #[default]
    Auto,
    /// LOGIN, or not at all.
    Login,
    /// AUTHENTICATE PLAIN, or not at all.
    Plain,
}

/// How a server differs from others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// Capabilities that the server announces and that are not used, in any case (`SASL-IR`, `MOVE`).
    pub masked_capabilities: Vec<String>,
    /// Whether SELECT and the scan are sent right after LOGIN without waiting for its answer. Only done
    /// where the capabilities are known.
    pub pipeline_login: PipelineLogin,
    /// Whether ID is sent after the login where it is offered; some servers refuse SELECT without it.
    pub send_id: bool,
}

/// Whether commands are sent right after LOGIN in the same flight.
///
/// IMAP allows it, but servers that check the login in one program and hand the connection over to
/// another (Courier, some proxies) lose what they have read by then, and then both sides wait for
/// ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PipelineLogin {
    /// Where the greeting names a server that is known to keep what it has read: Dovecot or Cyrus. A proxy
    /// in between may lose it all the same; that is noticed, repaired and remembered.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl PipelineLogin {
    /// Whether to do it with a server that has this greeting.
    pub(crate) fn suits(self, greeting: &str) -> bool {
        let greeting = greeting.to_ascii_lowercase();
        match self {
            Self::Auto => greeting.contains("dovecot") || greeting.contains("cyrus"),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            masked_capabilities: Vec::new(),
            pipeline_login: PipelineLogin::Auto,
            send_id: false,
        }
    }
}
