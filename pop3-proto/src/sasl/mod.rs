//! Server-side SASL exchanges (RFC 4422, RFC 5034) as tiny machines.
//!
//! An [`Exchange`] takes the client's decoded answers and says what comes next: a challenge, a
//! [`Login`] for the backend, or that the answer makes no sense. It never checks a secret: only a
//! backend does that. Base64, `*` and the limits of lines are left to the session.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::backend::{Login, Mechanism};
//! use pop3_proto::sasl::{Exchange, Step};
//! use pop3_proto::secret::Secret;
//!
//! let mechanism = Mechanism::new("PLAIN").ok_or("no name")?;
//! let mut exchange = Exchange::new(&mechanism, "");
//! assert_eq!(exchange.start(None), Step::Challenge(Vec::new()));
//! let answer = Secret::from(&b"\0tim\0tanstaaf"[..]);
//! assert!(matches!(exchange.answer(&answer), Step::Login(Login::Password { .. })));
//! # Ok::<(), &str>(())
//! ```

mod bearer;
mod cram_md5;
mod login;
mod plain;
mod relay;

use alloc::string::String;
use alloc::vec::Vec;

pub use bearer::ERROR_STATUS;
pub use cram_md5::verify as verify_cram_md5;

use crate::backend::{Login, Mechanism};
use crate::secret::Secret;

/// A mechanism's exchange with a client, from `AUTH` to a [`Login`].
#[derive(Debug)]
pub enum Exchange {
    /// PLAIN (RFC 4616): one message from the client.
    Plain,
    /// LOGIN: the name, then the password.
    Login {
        /// The name, once it was given.
        user: Option<String>,
    },
    /// XOAUTH2 and OAUTHBEARER (RFC 7628): one message from the client.
    Bearer(Mechanism),
    /// CRAM-MD5 (RFC 2195): a challenge, one answer.
    CramMd5 {
        /// The challenge, a fresh message-id.
        challenge: String,
    },
    /// A mechanism that is only passed through.
    Relay(Mechanism),
}

/// What comes next in an [`Exchange`].
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this challenge (maybe empty) and hand the answer back in.
    Challenge(Vec<u8>),
    /// Ask the backend.
    Login(Login),
    /// The client's message is not what the mechanism wants.
    Malformed,
}

impl Exchange {
    /// The exchange for a mechanism by its name; unknown names are passed through.
    /// `stamp` is a fresh message-id, for mechanisms that start with a challenge.
    pub fn new(mechanism: &Mechanism, stamp: &str) -> Self {
        match mechanism.as_str() {
            "PLAIN" => Self::Plain,
            "LOGIN" => Self::Login { user: None },
            "XOAUTH2" | "OAUTHBEARER" => Self::Bearer(mechanism.clone()),
            "CRAM-MD5" => Self::CramMd5 {
                challenge: stamp.into(),
            },
            _ => Self::Relay(mechanism.clone()),
        }
    }

    /// The first step, with the initial response if the client sent one.
    pub fn start(&mut self, initial: Option<Secret>) -> Step {
        match (&*self, initial) {
            // The client speaks first here: its message names the user before the backend is asked.
            (Self::Relay(mechanism), None) if relay::client_speaks_first(mechanism) => {
                Step::Challenge(Vec::new())
            }
            (Self::Relay(mechanism), initial) => Step::Login(relay::login(mechanism, initial)),
            (Self::CramMd5 { challenge }, None) => Step::Challenge(challenge.clone().into_bytes()),
            // a mechanism that starts with the server takes no initial response (RFC 5034 section 4)
            (Self::CramMd5 { .. }, Some(_)) => Step::Malformed,
            (Self::Login { .. }, None) => Step::Challenge(login::USER_PROMPT.to_vec()),
            (Self::Plain | Self::Bearer(_), None) => Step::Challenge(Vec::new()),
            (Self::Plain | Self::Login { .. } | Self::Bearer(_), Some(initial)) => {
                self.answer(&initial)
            }
        }
    }

    /// The client's decoded answer to the last challenge.
    pub fn answer(&mut self, answer: &Secret) -> Step {
        let login = match self {
            Self::Plain => plain::read(answer.expose()),
            Self::Login { user } => return login::answer(user, answer),
            Self::Bearer(mechanism) => bearer::read(mechanism, answer.expose()),
            Self::CramMd5 { challenge } => cram_md5::read(challenge, answer.expose()),
            Self::Relay(mechanism) => Some(relay::login(mechanism, Some(answer.clone()))),
        };
        login.map_or(Step::Malformed, Step::Login)
    }
}

/// A name or password as a backend may have it: not empty, UTF-8, no control character.
fn text(bytes: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(bytes).ok()?;
    let clean = !text.is_empty() && !text.bytes().any(|b| b < b' ' || b == 0x7F);
    clean.then(|| text.into())
}

/// A password as a backend may have it: not empty, no NUL, CR or LF. It should be UTF-8 (RFC 4616), but
/// old clients send it in the charset of their system, and a password that was set that way can only be
/// proved that way.
fn password(bytes: &[u8]) -> Option<Secret> {
    let clean = !bytes.is_empty() && !bytes.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
    clean.then(|| Secret::from(bytes))
}
