//! Why a session could not do something: the thing, the cause, the remedy.

use std::fmt;
use std::io;

use pop3_proto::client::{Close, SendError, ServerFault};
use pop3_proto::command::Command;
use pop3_proto::response::ResponseCode;

use pop3_proto::trouble::Trouble;

use crate::endpoint::Endpoint;
use crate::tls::TlsError;

/// What went wrong, in words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection: the place, the cause, the remedy.
    #[error("{text}")]
    Dial {
        /// Where, why, and what may help.
        text: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// TLS is wanted, but the server does not offer it.
    #[error("{0}")]
    NoStls(String),
    /// The session ended before the login.
    #[error("{text}")]
    Early {
        /// Where, why, and what may help.
        text: String,
        /// What happened.
        #[source]
        cause: Box<Self>,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The session ended.
    #[error("{}", Ended(.0))]
    Closed(Close),
    /// The server refused something.
    #[error("the server refuses {what}: {refusal}")]
    Refused {
        /// What was asked.
        what: String,
        /// What it says.
        refusal: Refusal,
    },
    /// The server refused the login.
    #[error(
        "{place} refuses the login of '{user}' by {method}: {refusal}{}",
        login_hint(refusal)
    )]
    Login {
        /// Where: host and port.
        place: String,
        /// Whose.
        user: String,
        /// How it was tried.
        method: &'static str,
        /// What it says.
        refusal: Refusal,
    },
    /// The server's answer makes no sense.
    #[error("the server's answer to {what} makes no sense: {line:?}")]
    Nonsense {
        /// What was asked.
        what: String,
        /// The line.
        line: String,
    },
    /// It cannot be sent.
    #[error("{what} cannot be sent: {cause}")]
    Unsendable {
        /// What.
        what: String,
        /// Why.
        #[source]
        cause: SendError,
    },
    /// There is no way to log in that the account allows.
    #[error("{0}")]
    NoLogin(String),
    /// What came could not be stored.
    #[error("{0}")]
    Local(#[source] io::Error),
}

/// What a server says when it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, if it is one we know.
    pub code: Option<ResponseCode>,
    /// The text.
    pub text: String,
}

impl Error {
    pub(crate) fn refused(command: &Command, refusal: Refusal) -> Self {
        Self::Refused {
            what: command.to_string(),
            refusal,
        }
    }

    /// Whether a new connection may do better.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::Early { cause, .. } => cause.is_loss(),
            Self::Broken(_) | Self::Dial { .. } | Self::Closed(Close::Eof | Close::Timeout(_)) => {
                true
            }
            Self::Refused { refusal, .. } | Self::Login { refusal, .. } => refusal.is_passing(),
            Self::Closed(Close::Rejected { code, .. }) => is_passing(*code),
            Self::Closed(_)
            | Self::Tls(_)
            | Self::NoStls(_)
            | Self::Nonsense { .. }
            | Self::Unsendable { .. }
            | Self::NoLogin(_)
            | Self::Local(_) => false,
        }
    }

    /// Whether it shows that the server's answers do not match our commands, so that earlier answers are
    /// doubtful, too.
    pub const fn is_out_of_step(&self) -> bool {
        matches!(self, Self::Closed(Close::Server(_)) | Self::Nonsense { .. })
    }

    /// The same, before the login: with the place, and with what may help. `due` is what was expected;
    /// without it, that was the greeting.
    pub(crate) fn early(self, endpoint: &Endpoint, tls: bool, due: Option<&str>) -> Self {
        let place = endpoint.place();
        let waited = endpoint.patience;
        let line;
        let trouble = match (&self, due) {
            (Self::Closed(Close::Timeout(_)), None) => Trouble::GreetingSilent { waited, tls },
            (Self::Closed(Close::Timeout(_)), Some(due)) => Trouble::Silent { waited, due },
            (Self::Closed(Close::Eof) | Self::Broken(_), None) => Trouble::GreetingClosed { tls },
            (Self::Closed(Close::Rejected { code, text }), _) => {
                let (code, text) = (*code, text.clone());
                line = Refusal { code, text }.to_string();
                Trouble::GreetingRefused { line: &line }
            }
            (Self::Closed(Close::Server(ServerFault::NoStatus(said))), None) => {
                Trouble::GreetingForeign { line: said }
            }
            (Self::Closed(_) | Self::Broken(_) | Self::Nonsense { .. }, Some(due)) => {
                return Self::Early {
                    text: format!("{place}: {self}, while waiting for {due}; look at its own log"),
                    cause: Box::new(self),
                };
            }
            _ => return self,
        };
        Self::Early {
            text: trouble.text(place, &endpoint.words.remedies),
            cause: Box::new(self),
        }
    }

    /// Whether the name or the password is wrong.
    pub const fn is_bad_login(&self) -> bool {
        matches!(self, Self::Login { refusal, .. } if !refusal.is_passing())
    }
}

impl Refusal {
    /// Whether another try may do better.
    pub const fn is_passing(&self) -> bool {
        is_passing(self.code)
    }
}

const fn is_passing(code: Option<ResponseCode>) -> bool {
    matches!(
        code,
        Some(ResponseCode::InUse | ResponseCode::SysTemp | ResponseCode::LoginDelay)
    )
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {}", self.text),
            None if self.text.is_empty() => f.write_str("it does not say why"),
            None => f.write_str(&self.text),
        }
    }
}

/// The end of a session in words.
struct Ended<'a>(&'a Close);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Close::Quit => f.write_str("the session is over"),
            Close::Rejected { code, text } => {
                let refusal = Refusal {
                    code: *code,
                    text: text.clone(),
                };
                write!(f, "the server refuses the connection: {refusal}")
            }
            Close::Eof => f.write_str("the server closed the connection"),
            Close::Timeout(what) => write!(f, "the server took too long ({what})"),
            Close::Server(fault) => write!(f, "the server does not keep to the protocol: {fault}"),
            _ => f.write_str("the session ended"),
        }
    }
}

/// What the user can check when a login is refused for good.
const fn login_hint(refusal: &Refusal) -> &'static str {
    if refusal.is_passing() {
        "; try again later"
    } else {
        " (is the name right? Some servers want the whole address. And the password? Some want one that is made \
         for programs)"
    }
}
