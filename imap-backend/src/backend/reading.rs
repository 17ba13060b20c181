//! What the session wants to read, what was asked for, and what becomes of a body that comes.
//!
//! Owns these lists and the judgement; sends nothing and reads nothing.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pop3_proto::backend::{Part, Ticket};
use pop3_proto::time::Time;

use crate::client::{Client, Head};
use crate::grammar::Section;
use crate::read_ahead::ReadAhead;
use crate::table::Table;

/// The smallest first window of a TOP, and what a line is taken for.
const HEADER: u64 = 8 * 1024;
const LINE: u64 = 100;
/// The largest first window, and the largest of all.
const FIRST_WINDOW: u64 = 64 * 1024;
const WINDOW: u64 = 1024 * 1024;
/// From this size on a server finds the header of a message sooner than octets of the message.
const LARGE: u64 = 64 * 1024;

/// What the session wants to read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) read_ahead: ReadAhead,
    /// In the order of the requests; the first is the one that is served.
    pub(super) wanted: VecDeque<Wanted>,
    /// The FETCH commands that await their answer, in order.
    pub(super) fetches: VecDeque<Fetch>,
    /// The body that is being lent, for the first of `wanted`.
    pub(super) stream: Option<Stream>,
    /// That body, if it stood in its line.
    pub(super) inline: Option<(Vec<u8>, usize)>,
    /// Octets of it were taken that were not followed up.
    pub(super) taken: bool,
}

/// A message that the session wants.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) ticket: Ticket,
    pub(super) index: u32,
    /// Whether the session asked for all of it.
    pub(super) whole: bool,
    pub(super) plan: Plan,
    pub(super) started: bool,
    /// A connection was lost over it.
    pub(super) retried: bool,
    /// Nothing else may be asked for in the same command.
    pub(super) alone: bool,
}

/// How a message is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// In one piece, of which the first octets may be known already.
    Whole { skip: u64 },
    /// First its header, as the server sees it, and then in windows: the session alone knows where the
    /// header ends.
    Header,
    /// In windows; the next is this one.
    Window { offset: u64, length: u64 },
    /// Not at all: there is no such message.
    Nothing,
    /// Not before this moment: it could not be sent.
    Refused { until: Time },
}

/// A FETCH command under way.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) tag: u32,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// These messages are still to come.
    Whole { next: u32, end: u32, alone: bool },
    /// The header of this message is still to come.
    Header { index: u32 },
    /// This window is still to come.
    Window {
        index: u32,
        offset: u64,
        length: u64,
    },
    /// Nothing more of it is wanted.
    Spent,
}

/// The body that is being lent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) uid: u64,
    pub(super) size: u64,
    /// Octets that the session has already.
    pub(super) skip: u64,
    /// What comes after this piece.
    pub(super) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    End,
    Plan(Plan),
}

/// What becomes of a body.
pub(super) enum Verdict {
    Lend(Stream),
    Discard,
    /// It has not been asked for yet.
    Park,
}

impl Reading {
    pub(super) fn new(read_ahead: u64) -> Self {
        Self {
            read_ahead: ReadAhead::new(read_ahead),
            wanted: VecDeque::new(),
            fetches: VecDeque::new(),
            stream: None,
            inline: None,
            taken: false,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether anything is wanted or on its way.
    pub(super) fn is_busy(&self) -> bool {
        !self.wanted.is_empty() || !self.fetches.is_empty() || self.stream.is_some()
    }

    /// Whether a body that stood in its line is being handed out.
    pub(super) fn is_serving(&self) -> bool {
        self.inline.is_some()
    }

    /// Whether a message that was not asked for holds everything up.
    pub(super) fn is_parked(&self, client: &Client) -> bool {
        client.head().is_some() && self.wanted.is_empty()
    }

    /// Whether the session could take something and has not.
    pub(super) fn awaits_client(&self, client: &Client) -> bool {
        self.has_body(client)
    }

    pub(super) fn has_body(&self, client: &Client) -> bool {
        self.inline.is_some() || self.stream.is_some() && client.can_lend()
    }

    /// What was asked for on a guess is not wanted.
    pub(super) fn give_up_guesses(&mut self) {
        self.read_ahead.forget();
        for fetch in &mut self.fetches {
            fetch.what = What::Spent;
        }
    }

    /// Up to which message those from `index` on are on their way; `None` if that one is not.
    pub(super) fn on_the_way(&self, index: u32) -> Option<u32> {
        let mut reached = index;
        for fetch in &self.fetches {
            if let What::Whole { next, end, .. } = fetch.what
                && (next..end).contains(&reached)
            {
                reached = end;
            }
        }
        (reached > index).then_some(reached)
    }

    /// The header that was asked for does not come: octets of the message do.
    pub(super) fn give_up_header(&mut self, index: u32) {
        let first = self.wanted.front_mut();
        if let Some(wanted) = first.filter(|w| w.index == index && w.plan == Plan::Header) {
            wanted.plan = Plan::FIRST;
        }
    }

    /// What becomes of a body: it is lent if it is what the session waits for.
    pub(super) fn verdict(&mut self, table: &Table, head: Head) -> Verdict {
        let Self {
            wanted, fetches, ..
        } = self;
        let mut wanted = wanted.front_mut();
        for (place, fetch) in fetches.iter_mut().enumerate() {
            // where the server leaves the UID out, only one message may be meant
            let is_next = place == 0;
            match (&mut fetch.what, head.section) {
                (What::Whole { next, end, alone }, Section::Whole)
                    if head.origin.unwrap_or(0) == 0 =>
                {
                    let index = match head.uid {
                        Some(uid) => table.find(uid),
                        None => (*alone && is_next).then_some(*next),
                    };
                    let Some(index) = index.filter(|index| (*next..*end).contains(index)) else {
                        continue;
                    };
                    let Some(wanted) = &mut wanted else {
                        return Verdict::Park;
                    };
                    let Plan::Whole { skip } = wanted.plan else {
                        *next = *end;
                        return Verdict::Discard;
                    };
                    if wanted.index == index {
                        *next = index + 1;
                        let uid = table.uid(index).unwrap_or_default();
                        return Verdict::Lend(Stream {
                            uid,
                            size: head.size,
                            skip,
                            then: Then::End,
                        });
                    }
                    if (*next..index).contains(&wanted.index) {
                        // out of order or left out: what is asked for alone is sure to be seen
                        wanted.alone = true;
                    }
                    // passed over by the client, or the guess was wrong altogether
                    let passed_over = (index..*end).contains(&wanted.index);
                    *next = if passed_over { index + 1 } else { *end };
                    return Verdict::Discard;
                }
                (What::Header { index }, Section::Header) => {
                    let uid = table.uid(*index).unwrap_or_default();
                    let mine = head.uid.map_or(is_next, |named| named == uid);
                    let Some(wanted) = wanted
                        .as_deref_mut()
                        .filter(|w| mine && w.index == *index && w.plan == Plan::Header)
                    else {
                        continue;
                    };
                    fetch.what = What::Spent;
                    if head.size == 0 {
                        // NIL, or a header that is none: nothing is known yet
                        wanted.plan = Plan::FIRST;
                        return Verdict::Discard;
                    }
                    let then = Then::Plan(Plan::Window {
                        offset: head.size,
                        length: HEADER,
                    });
                    return Verdict::Lend(Stream {
                        uid,
                        size: head.size,
                        skip: 0,
                        then,
                    });
                }
                (
                    What::Window {
                        index,
                        offset,
                        length,
                    },
                    Section::Whole,
                ) => {
                    let uid = table.uid(*index).unwrap_or_default();
                    let (index, offset, length) = (*index, *offset, *length);
                    let mine = head.uid.map_or(is_next, |named| named == uid)
                        && head.origin.is_none_or(|origin| origin == offset);
                    let plan = Plan::Window { offset, length };
                    if !mine
                        || !wanted
                            .as_ref()
                            .is_some_and(|w| w.index == index && w.plan == plan)
                    {
                        continue;
                    }
                    let (skip, then) = window(head, offset, length);
                    fetch.what = What::Spent;
                    return Verdict::Lend(Stream {
                        uid,
                        size: head.size,
                        skip,
                        then,
                    });
                }
                (
                    What::Whole { .. } | What::Header { .. } | What::Window { .. } | What::Spent,
                    Section::Whole | Section::Header,
                ) => {}
            }
        }
        Verdict::Discard
    }
}

impl Plan {
    /// From the beginning, where nothing is known of what is there.
    pub(super) const FIRST: Self = Self::Window {
        offset: 0,
        length: HEADER,
    };

    /// How a part of a message of this announced size is fetched.
    pub(super) fn of(part: Part, size: u64) -> Self {
        let enough = match part {
            Part::Whole => return Self::Whole { skip: 0 },
            Part::Top { lines } => HEADER.saturating_add(lines.saturating_mul(LINE)),
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

/// Whether the client will take all of the message: RETR, or the TOP that some clients use for it.
pub(super) fn takes_all(part: Part, size: u64) -> bool {
    match part {
        Part::Whole => true,
        Part::Top { lines } => size > 0 && lines.saturating_mul(LINE) >= size,
    }
}

/// How many octets at the front of a piece the session must not get, and what comes after it.
fn window(head: Head, offset: u64, length: u64) -> (u64, Then) {
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
        // a window without its label, or the whole that happens to be as long
        None if offset == 0 => (0, Then::Plan(Plan::Whole { skip: size })),
        None => (size, Then::Plan(Plan::Whole { skip: offset })),
    }
}
