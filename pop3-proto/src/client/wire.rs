//! Commands as they go over the wire. Everything that leaves here is one line.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::event::SendError;
use crate::apop;
use crate::command::Command;

/// A line for the server, and how a transcript shows it.
pub(super) struct Wire {
    /// With its CRLF. Wiped when dropped: it may hold a secret.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) label: String,
}

/// Longer lines are refused: a bearer token takes a few thousand octets, everything else less than 255.
const MAX_LINE: usize = 64 * 1024;

impl Wire {
    /// A line made of these parts, which must not be able to end it.
    pub(super) fn line(parts: &[&[u8]], label: impl Into<String>) -> Result<Self, SendError> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + 2;
        if length > MAX_LINE {
            return Err(SendError::TooLong);
        }
        if parts
            .iter()
            .any(|part| part.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)))
        {
            return Err(SendError::Character);
        }
        // the whole length at once: growing would leave copies in memory
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        parts
            .iter()
            .chain(&[&b"\r\n"[..]])
            .for_each(|part| bytes.extend_from_slice(part));
        Ok(Self {
            bytes,
            label: label.into(),
        })
    }

    pub(super) fn command(command: &Command) -> Result<Self, SendError> {
        let verb = command.verb().as_str().as_bytes();
        let label = format!("{command}");
        let argument = |argument: &[u8]| {
            if argument.is_empty() {
                return Err(SendError::Empty);
            }
            Self::line(&[verb, b" ", argument], label.as_str())
        };
        match command {
            Command::User(name) => argument(name.as_bytes()),
            Command::Pass(password) => argument(password.expose()),
            Command::Apop { user, digest } if !user.is_empty() => {
                let digest = apop::to_hex(digest);
                Self::line(
                    &[verb, b" ", user.as_bytes(), b" ", digest.as_bytes()],
                    label,
                )
            }
            Command::Apop { .. } => Err(SendError::Empty),
            Command::Auth {
                mechanism,
                initial: None,
            } => argument(mechanism.as_str().as_bytes()),
            Command::Auth {
                mechanism,
                initial: Some(initial),
            } if !initial.is_empty() => {
                let mechanism = mechanism.as_str().as_bytes();
                Self::line(&[verb, b" ", mechanism, b" ", initial.expose()], label)
            }
            Command::Auth {
                initial: Some(_), ..
            } => Err(SendError::Empty),
            Command::Lang(Some(tag)) => argument(tag.as_bytes()),
            Command::List(Some(_))
            | Command::Uidl(Some(_))
            | Command::Retr(_)
            | Command::Top(..)
            | Command::Dele(_)
            | Command::AuthList
            | Command::Capa
            | Command::Stls
            | Command::Utf8
            | Command::Lang(None)
            | Command::Xpro
            | Command::Stat
            | Command::List(None)
            | Command::Uidl(None)
            | Command::Noop
            | Command::Rset
            | Command::Quit => Self::line(&[label.as_bytes()], label.as_str()),
        }
    }

    /// AUTH with an initial response; `None` if that makes a line longer than RFC 5034 section 4 allows
    /// to send.
    pub(super) fn auth_initial(mechanism: &str, initial: &[u8]) -> Option<Self> {
        let encoded = base64(initial);
        let initial = if encoded.is_empty() {
            b"="
        } else {
            encoded.as_slice()
        };
        let label = format!("AUTH {mechanism} <initial response>");
        let wire = Self::line(&[b"AUTH ", mechanism.as_bytes(), b" ", initial], label).ok()?;
        (wire.bytes.len() <= 255).then_some(wire)
    }

    /// An answer to a SASL challenge.
    pub(super) fn answer(data: &[u8]) -> Result<Self, SendError> {
        Self::line(&[&base64(data)], "<response>")
    }

    /// The end of a SASL exchange (RFC 5034 section 4).
    pub(super) fn cancel() -> Self {
        let bytes = Zeroizing::new(b"*\r\n".to_vec());
        Self {
            bytes,
            label: String::from("*"),
        }
    }
}

fn base64(data: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(BASE64_STANDARD.encode(data).into_bytes())
}
