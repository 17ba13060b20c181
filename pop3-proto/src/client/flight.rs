//! Commands on their way, what their responses look like, and what is reported about them.

use alloc::string::String;
use core::ops::Range;

use super::event::{Event, Tag};
use super::input::Input;
use super::login::Flow;
use super::wire::Wire;
use crate::capability::Capability;
use crate::command::{Command, MessageNumber};

/// A command that was not sent yet.
pub(super) struct Queued {
    pub(super) wire: Wire,
    pub(super) flight: Flight,
}

/// A command that waits for its response, or for the rest of it.
pub(super) struct Flight {
    pub(super) tag: Tag,
    pub(super) kind: Kind,
    /// No other command may be in flight beside it.
    pub(super) alone: bool,
    /// The text of the status line, kept until the response is complete.
    pub(super) text: String,
}

impl Flight {
    pub(super) const fn new(tag: Tag, kind: Kind, alone: bool) -> Self {
        Self {
            tag,
            kind,
            alone,
            text: String::new(),
        }
    }
}

/// What follows a `+OK`.
pub(super) enum Kind {
    /// Nothing.
    Line,
    /// Nothing, and the session is over.
    Quit,
    /// Two numbers in the status line.
    Stat,
    /// A listing entry in the status line.
    Size,
    UniqueId,
    /// Lines.
    Listing(Listing),
    /// A message.
    Body,
    /// A TLS handshake.
    Tls,
    /// Nothing, but challenges may come before.
    Challenges,
    /// More lines to send.
    Login(Flow),
}

/// The kind of lines in a multi-line response that is not a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listing {
    Capabilities,
    Sizes,
    UniqueIds,
    /// Text.
    Lines,
}

impl Kind {
    pub(super) const fn of(command: &Command) -> Self {
        match command {
            Command::User(_)
            | Command::Pass(_)
            | Command::Apop { .. }
            | Command::Utf8
            | Command::Lang(Some(_))
            | Command::Xpro
            | Command::Dele(_)
            | Command::Noop
            | Command::Rset => Self::Line,
            Command::AuthList | Command::Lang(None) => Self::Listing(Listing::Lines),
            Command::Auth { .. } => Self::Challenges,
            Command::Capa => Self::Listing(Listing::Capabilities),
            Command::Stls => Self::Tls,
            Command::Stat => Self::Stat,
            Command::List(None) => Self::Listing(Listing::Sizes),
            Command::List(Some(_)) => Self::Size,
            Command::Uidl(None) => Self::Listing(Listing::UniqueIds),
            Command::Uidl(Some(_)) => Self::UniqueId,
            Command::Retr(_) | Command::Top(..) => Self::Body,
            Command::Quit => Self::Quit,
        }
    }
}

/// An event, with places in the input instead of the text there.
pub(super) enum Step {
    Whole(Event<'static>),
    Capabilities(Tag),
    UniqueId(Tag, MessageNumber, Range<usize>),
    Line(Tag, Range<usize>),
    Malformed(Tag, Range<usize>),
    Body(Tag, Range<usize>),
}

impl Step {
    pub(super) fn lend<'a>(self, input: &'a Input, capabilities: &'a [Capability]) -> Event<'a> {
        match self {
            Self::Whole(event) => event,
            Self::Capabilities(tag) => Event::Capabilities { tag, capabilities },
            Self::UniqueId(tag, number, id) => Event::UniqueId {
                tag,
                number,
                id: input.at(id),
            },
            Self::Line(tag, line) => Event::Line {
                tag,
                bytes: input.at(line),
            },
            Self::Malformed(tag, line) => Event::Malformed {
                tag,
                bytes: input.at(line),
            },
            Self::Body(tag, bytes) => Event::Body {
                tag,
                bytes: input.at(bytes),
            },
        }
    }
}
