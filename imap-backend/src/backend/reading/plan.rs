//! How a message is fetched: in one piece, its header first, or in windows.
//!
//! Owns the sizes; knows nothing of what is under way.

use pop3_proto::backend::{Part, Ticket};
use pop3_proto::time::Time;

use crate::read_ahead::Extent;
use crate::wire::Head;

/// The smallest first window of a TOP, and the assumed length of a line.
pub(super) const HEADER: u64 = 8 * 1024;
const LINE: u64 = 100;
/// The largest first window, and the largest of all.
const FIRST_WINDOW: u64 = 64 * 1024;
const WINDOW: u64 = 1024 * 1024;
/// From this size on a server is faster at finding the header of a message than octets of the message.
const LARGE: u64 = 64 * 1024;

/// A message that the session wants.
#[derive(Debug)]
pub(in crate::backend) struct Wanted {
    pub(in crate::backend) ticket: Ticket,
    pub(in crate::backend) index: u32,
    /// Whether the session asked for all of it.
    pub(in crate::backend) whole: bool,
    pub(in crate::backend) plan: Plan,
    pub(in crate::backend) started: bool,
    /// A connection was lost over it.
    pub(in crate::backend) retried: bool,
    /// Nothing else may be asked for in the same command.
    pub(in crate::backend) alone: bool,
}

/// How a message is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum Plan {
    /// In one piece; its first octets may be known already.
    Whole { skip: u64 },
    /// First its header, as the server sees it, and then in windows: only the session knows where the
    /// header ends.
    Header,
    /// In windows; the next is this one.
    Window { offset: u64, length: u64 },
    /// Not at all: there is no such message.
    Nothing,
    /// Not before this moment, because it could not be sent.
    Refused { until: Time },
}

/// A FETCH command under way.
#[derive(Debug)]
pub(in crate::backend) struct Fetch {
    pub(in crate::backend) tag: u32,
    pub(in crate::backend) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::backend) enum What {
    /// This much of these messages is still to come.
    Run {
        of: Extent,
        next: u32,
        end: u32,
        /// It is one message, which need not be named.
        alone: bool,
        /// Nothing of it is wanted. It is still known: octets that come for it must not pass for those of another.
        spent: bool,
    },
    /// This window is still to come; it is not the first.
    Window {
        index: u32,
        offset: u64,
        length: u64,
    },
    /// Nothing more of it is wanted.
    Spent,
}

impl What {
    /// Whether it is the first octets of messages.
    pub(super) const fn is_beginning(&self) -> bool {
        matches!(
            self,
            Self::Run {
                of: Extent::Octets(_),
                ..
            }
        )
    }
}

/// The body that is being lent.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Stream {
    pub(in crate::backend) uid: u64,
    pub(in crate::backend) size: u64,
    /// Octets that the session has already.
    pub(in crate::backend) skip: u64,
    /// What comes after this piece.
    pub(in crate::backend) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum Then {
    End,
    Plan(Plan),
}

/// What becomes of a body.
pub(in crate::backend) enum Verdict {
    Lend(Stream),
    Discard,
    /// It has not been asked for yet.
    Park,
}

impl Plan {
    /// From the beginning, where nothing is known of the message.
    pub(in crate::backend) const FIRST: Self = Self::Window {
        offset: 0,
        length: HEADER,
    };

    /// How this much of a message is fetched if its neighbours are fetched with it.
    pub(in crate::backend) const fn as_one_of(extent: Extent) -> Self {
        match extent {
            Extent::Whole => Self::Whole { skip: 0 },
            Extent::Header => Self::Header,
            Extent::Octets(length) => Self::Window { offset: 0, length },
        }
    }

    /// What is asked for first; `None` in the middle of a message, and where nothing is asked for.
    pub(in crate::backend) const fn extent(self) -> Option<Extent> {
        match self {
            Self::Whole { .. } => Some(Extent::Whole),
            Self::Header => Some(Extent::Header),
            Self::Window { offset: 0, length } => Some(Extent::Octets(length)),
            Self::Window { .. } | Self::Nothing | Self::Refused { .. } => None,
        }
    }

    /// How a part of a message of this announced size is fetched.
    pub(in crate::backend) fn of(part: Part, size: u64) -> Self {
        let enough = match part {
            Part::Whole => return Self::Whole { skip: 0 },
            Part::Top { lines } => enough(lines),
        };
        match size {
            1.. if size <= enough => Self::Whole { skip: 0 },
            LARGE.. if part == (Part::Top { lines: 0 }) => Self::Header,
            _ => Self::Window {
                offset: 0,
                length: enough.min(FIRST_WINDOW),
            },
        }
    }
}

/// What a header and this many lines are taken to have at most.
const fn enough(lines: u64) -> u64 {
    HEADER.saturating_add(lines.saturating_mul(LINE))
}

/// How much of a message of this announced size the client will take. Some clients say TOP for all of it.
pub(in crate::backend) fn extent(part: Part, size: u64) -> Extent {
    match part {
        Part::Whole => Extent::Whole,
        Part::Top { lines } if size > 0 && lines.saturating_mul(LINE) >= size => Extent::Whole,
        Part::Top { lines: 0 } => Extent::Header,
        Part::Top { lines } => Extent::Octets(enough(lines).min(FIRST_WINDOW)),
    }
}

/// How many octets at the front of a piece the session must not get, and what comes after the piece.
pub(super) fn window(head: Head, offset: u64, length: u64) -> (u64, Then) {
    let (size, end) = (head.size, offset.saturating_add(head.size));
    let longer = length.saturating_mul(4).min(WINDOW);
    match head.origin {
        Some(_) if size < length => (0, Then::End),
        Some(_) => (
            0,
            Then::Plan(Plan::Window {
                offset: end,
                length: longer,
            }),
        ),
        // the server does not know windows and sent the whole
        None if size > length => (offset, Then::End),
        None if offset == 0 && size < length => (0, Then::End),
        // a window without its label, or a whole message that happens to be as long
        None if offset == 0 => (0, Then::Plan(Plan::Whole { skip: size })),
        None => (size, Then::Plan(Plan::Whole { skip: offset })),
    }
}
