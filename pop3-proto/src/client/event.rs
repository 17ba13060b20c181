//! What a [`Client`](super::Client) reports, and why it may refuse to do something.

use alloc::string::String;
use alloc::vec::Vec;

use crate::capability::Capability;
use crate::command::MessageNumber;
use crate::response::ResponseCode;

/// Names a command for as long as events about it can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub(super) u64);

/// What happened. Every tag ends with exactly one of [`Done`](Self::Done), [`Refused`](Self::Refused)
/// and [`Lost`](Self::Lost), in the order of the commands; what the server sent comes before it.
///
/// `text` is for people: control characters are replaced, the response code is taken off.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server is ready.
    Greeting {
        /// What it says.
        text: String,
        /// The timestamp that APOP needs, if there is one.
        timestamp: Option<String>,
    },
    /// The answer to STAT.
    Stat {
        /// Which command.
        tag: Tag,
        /// How many messages there are.
        messages: u64,
        /// Their octets.
        octets: u64,
    },
    /// A line of LIST.
    Size {
        /// Which command.
        tag: Tag,
        /// Which message.
        number: MessageNumber,
        /// Its octets.
        octets: u64,
    },
    /// A line of UIDL.
    UniqueId {
        /// Which command.
        tag: Tag,
        /// Which message.
        number: MessageNumber,
        /// Its unique-id as it came; [`unique_id::is_valid`](crate::unique_id::is_valid) says whether
        /// it keeps the rules.
        id: &'a [u8],
    },
    /// The answer to CAPA.
    Capabilities {
        /// Which command.
        tag: Tag,
        /// What the server says that it can do.
        capabilities: &'a [Capability],
    },
    /// A line of another multi-line response that is text: AUTH and LANG without arguments.
    Line {
        /// Which command.
        tag: Tag,
        /// The line, without stuffing and line end.
        bytes: &'a [u8],
    },
    /// A line that should hold a number, a size or an id and does not. The command goes on.
    Malformed {
        /// Which command.
        tag: Tag,
        /// The line.
        bytes: &'a [u8],
    },
    /// The octets of a message follow (RETR, TOP, raw multi-line commands). Until
    /// [`Done`](Self::Done) they are not a whole message.
    BodyStart {
        /// Which command.
        tag: Tag,
        /// The octets that the server says there are: a hint, often wrong.
        size: Option<u64>,
    },
    /// Octets of the message, without stuffing; cut anywhere, not empty.
    Body {
        /// Which command.
        tag: Tag,
        /// The octets.
        bytes: &'a [u8],
    },
    /// A SASL challenge to an AUTH that was sent as a command: go on with
    /// [`Client::answer`](super::Client::answer) or [`Client::cancel`](super::Client::cancel).
    Challenge {
        /// Which command.
        tag: Tag,
        /// The challenge, decoded.
        data: Vec<u8>,
    },
    /// The server agreed to STLS: run the TLS handshake now, then call
    /// [`Client::handle_tls`](super::Client::handle_tls), or
    /// [`Client::handle_eof`](super::Client::handle_eof) if it failed.
    StartTls {
        /// Which command.
        tag: Tag,
    },
    /// The command succeeded, and everything it yields has come.
    Done {
        /// Which command.
        tag: Tag,
        /// What the server says.
        text: String,
    },
    /// The server said `-ERR`.
    Refused {
        /// Which command.
        tag: Tag,
        /// The code, if it is one we know.
        code: Option<ResponseCode>,
        /// What the server says.
        text: String,
    },
    /// The connection ended before the response did. Whether the command was carried out is not known,
    /// except that no message is deleted without an answered QUIT; a body that began under this tag is
    /// cut and must not be kept.
    Lost {
        /// Which command.
        tag: Tag,
    },
    /// It is over. The last event.
    Closed(Close),
}

/// Why it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// QUIT was answered.
    Quit,
    /// The server greeted with `-ERR`.
    Rejected {
        /// The code, if it is one we know.
        code: Option<ResponseCode>,
        /// What the server says.
        text: String,
    },
    /// The connection ended.
    Eof,
    /// The server took too long to do this.
    Timeout(&'static str),
    /// The server does not speak POP3, or does not speak it safely.
    Server(ServerFault),
}

/// What a server did that a client cannot go on from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerFault {
    /// This should have been a status line.
    #[error("no POP3 response: {0:?}")]
    NoStatus(String),
    /// A line was longer than the limit.
    #[error("a line that is too long")]
    LineTooLong,
    /// A CAPA response is longer than any that makes sense.
    #[error("too many capabilities")]
    TooManyCapabilities,
    /// Something came that nothing asked for: what follows could be taken for the response to a later
    /// command.
    #[error("a response that nothing asked for: {0:?}")]
    Unasked(String),
    /// Something came in the clear after the agreement to STLS; somebody in between may have put it there.
    #[error("clear text after the response to STLS")]
    ClearTextAfterStls,
}

/// Why a command was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// CR, LF or NUL (or the separator of a SASL mechanism) in an argument.
    #[error("a character that may not stand in this argument")]
    Character,
    /// An argument that must not be empty is.
    #[error("an empty argument")]
    Empty,
    /// Longer than any server takes.
    #[error("the command is too long")]
    TooLong,
    /// A login without TLS, which the configuration does not allow.
    #[error("a login in clear text")]
    ClearText,
    /// STLS, although TLS is active already.
    #[error("TLS is active already")]
    AlreadyTls,
    /// APOP, but the greeting had no timestamp or did not come yet.
    #[error("the server does not offer APOP")]
    NoTimestamp,
    /// A raw command whose verb this client knows: send it as what it is.
    #[error("this command has a form of its own")]
    NotRaw,
    /// An answer, although no challenge waits for one.
    #[error("no challenge waits for an answer")]
    NotAsked,
    /// QUIT was sent, or the connection ended.
    #[error("the session is over")]
    Over,
}
