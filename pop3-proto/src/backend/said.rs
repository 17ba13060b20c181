//! Replies that are kept until the session takes them.
//!
//! Owns what a [`Reply`] only borrows, and lends it out again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::{Access, Failure, Refusal, Reply, Ticket};

/// Replies in their order.
#[derive(Default)]
pub(super) struct Replies {
    waiting: VecDeque<Owned>,
    /// What is lent with a reply, or was lent with the last one.
    lent: Vec<u8>,
}

/// A reply that owns what it says.
enum Owned {
    Challenge(Vec<u8>),
    Authenticated,
    Entry { size: u64, unique_id: Vec<u8> },
    Opened { access: Access },
    Refused(Refusal),
    BodyStart { ticket: Ticket, size: Option<u64> },
    Body { ticket: Ticket, bytes: Vec<u8> },
    BodyEnd { ticket: Ticket },
    BodyFailed { ticket: Ticket, failure: Failure },
    Updated,
    Kept,
    Failed(Failure),
}

impl Replies {
    /// Keeps a reply after those that wait. An empty piece of a body says nothing.
    pub(super) fn push(&mut self, reply: Reply<'_>) {
        let mut own = |bytes: &[u8]| {
            // entries pass one after the other: they share the allocation of the first
            let mut kept = mem::take(&mut self.lent);
            kept.clear();
            kept.extend_from_slice(bytes);
            kept
        };
        let owned = match reply {
            Reply::Challenge(bytes) => Owned::Challenge(own(bytes)),
            Reply::Authenticated => Owned::Authenticated,
            Reply::Entry { size, unique_id } => Owned::Entry {
                size,
                unique_id: own(unique_id),
            },
            Reply::Opened { access } => Owned::Opened { access },
            Reply::Refused(refusal) => Owned::Refused(refusal),
            Reply::BodyStart { ticket, size } => Owned::BodyStart { ticket, size },
            Reply::Body { bytes: [], .. } => return,
            Reply::Body { ticket, bytes } => Owned::Body {
                ticket,
                bytes: own(bytes),
            },
            Reply::BodyEnd { ticket } => Owned::BodyEnd { ticket },
            Reply::BodyFailed { ticket, failure } => Owned::BodyFailed { ticket, failure },
            Reply::Updated => Owned::Updated,
            Reply::Kept => Owned::Kept,
            Reply::Failed(failure) => Owned::Failed(failure),
        };
        self.waiting.push_back(owned);
    }

    /// The next reply, a piece of a body of at most `room` octets.
    pub(super) fn pop(&mut self, room: usize) -> Option<Reply<'_>> {
        if let Some(Owned::Body { ticket, bytes }) = self.waiting.front_mut()
            && bytes.len() > room
        {
            if room == 0 {
                return None;
            }
            let ticket = *ticket;
            let rest = bytes.split_off(room);
            self.lent = mem::replace(bytes, rest);
            let bytes = &self.lent;
            return Some(Reply::Body { ticket, bytes });
        }
        Some(match self.waiting.pop_front()? {
            Owned::Challenge(bytes) => {
                self.lent = bytes;
                Reply::Challenge(&self.lent)
            }
            Owned::Authenticated => Reply::Authenticated,
            Owned::Entry { size, unique_id } => {
                self.lent = unique_id;
                let unique_id = &self.lent;
                Reply::Entry { size, unique_id }
            }
            Owned::Opened { access } => Reply::Opened { access },
            Owned::Refused(refusal) => Reply::Refused(refusal),
            Owned::BodyStart { ticket, size } => Reply::BodyStart { ticket, size },
            Owned::Body { ticket, bytes } => {
                self.lent = bytes;
                let bytes = &self.lent;
                Reply::Body { ticket, bytes }
            }
            Owned::BodyEnd { ticket } => Reply::BodyEnd { ticket },
            Owned::BodyFailed { ticket, failure } => Reply::BodyFailed { ticket, failure },
            Owned::Updated => Reply::Updated,
            Owned::Kept => Reply::Kept,
            Owned::Failed(failure) => Reply::Failed(failure),
        })
    }

    /// Whether a backend is finished with the next one.
    pub(super) fn next_is_last(&self) -> bool {
        match self.waiting.front() {
            Some(Owned::Refused(_) | Owned::Updated | Owned::Kept | Owned::Failed(_)) => true,
            None
            | Some(
                Owned::Challenge(_)
                | Owned::Authenticated
                | Owned::Entry { .. }
                | Owned::Opened { .. }
                | Owned::BodyStart { .. }
                | Owned::Body { .. }
                | Owned::BodyEnd { .. }
                | Owned::BodyFailed { .. },
            ) => false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
