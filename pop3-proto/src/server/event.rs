//! What comes out of a session besides octets: events, the reason for its end, its summary.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;

use crate::backend::Request;

/// What the composition has to do for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Event {
    /// Hand this to the backend. An `Open` goes to a new one.
    Request(Request),
    /// Start the TLS handshake now: everything before it is on the wire.
    StartTls,
    /// Send what [`transmit`](super::Session::transmit) still shows, then close the connection.
    Close(Reason),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client said QUIT.
    Quit,
    /// The client closed or reset the connection.
    ClientGone,
    /// No successful login within the grace.
    LoginTimeout,
    /// Autologout after inactivity.
    IdleTimeout,
    /// The client left waiting octets unread.
    StalledReader,
    /// Too many failed logins.
    FailedLogins,
    /// Too many bad commands in a row, or an endless line.
    BadCommands,
    /// Another protocol came: HTTP, or TLS where none was expected.
    WrongProtocol,
    /// Octets in the clear came after STLS; they were not looked at.
    PlaintextAfterStls,
    /// A message broke off after its first octets were sent.
    BodyCut,
    /// The backend stayed silent.
    BackendSilent,
    /// Deletions could not be applied at QUIT, and the reply said so.
    UpdateFailed,
    /// The server shuts down.
    ShutDown,
    /// The client had not logged in, and its place was needed for another.
    TurnedOut,
}

impl Reason {
    /// A few words for the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::ClientGone => "client gone",
            Self::LoginTimeout => "login timeout",
            Self::IdleTimeout => "autologout",
            Self::StalledReader => "client does not read",
            Self::FailedLogins => "too many failed logins",
            Self::BadCommands => "too many bad commands",
            Self::WrongProtocol => "not POP3",
            Self::PlaintextAfterStls => "plaintext after STLS",
            Self::BodyCut => "message broke off",
            Self::BackendSilent => "mail store silent",
            Self::UpdateFailed => "deletion failed",
            Self::ShutDown => "shutdown",
            Self::TurnedOut => "made room for others before login",
        }
    }
}

/// The TLS version and cipher suite that were agreed on, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The protocol version, such as `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher suite's name.
    pub cipher: String,
}

impl TlsInfo {
    /// This version and this cipher suite.
    pub fn new(protocol: &'static str, cipher: impl Into<String>) -> Self {
        Self {
            protocol,
            cipher: cipher.into(),
        }
    }
}

/// What a session did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The user's name of the last login attempt, as the client gave it.
    pub user: Option<String>,
    /// How the client logged in or tried to: `PASS`, `APOP` or a mechanism's name.
    pub method: Option<Cow<'static, str>>,
    /// Whether the login succeeded.
    pub logged_in: bool,
    /// The TLS in force.
    pub tls: Option<Box<TlsInfo>>,
    /// Messages in the maildrop.
    pub messages: u32,
    /// Messages sent whole with RETR.
    pub retrieved: u64,
    /// Messages sent in part with TOP.
    pub tops: u64,
    /// Octets of messages sent, before stuffing.
    pub octets: u64,
    /// Messages that the backend confirmed as deleted.
    pub deleted: u64,
    /// Messages marked as deleted that the store keeps, as it is configured to.
    pub kept: u64,
    /// Messages marked as deleted whose marks were not applied.
    pub not_deleted: u64,
    /// Logins that did not succeed, whatever the reason.
    pub failed_logins: u32,
}
