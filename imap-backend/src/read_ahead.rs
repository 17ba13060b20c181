//! Guesses which messages the client will want next, so that they come in the same flight.
//!
//! Owns the guess only: a wrong one costs traffic, and never changes what the client sees. The more
//! messages the client has taken in order, the further a guess goes, so a wrong one never costs much more
//! than the right ones have saved.

use core::ops::Range;

use crate::table::Table;

/// The most messages that are asked for ahead at once.
const COUNT: u32 = 256;
/// How many octets are worth a first guess.
const START: u64 = 256 * 1024;

#[derive(Debug, Default)]
pub(crate) struct ReadAhead {
    budget: u64,
    /// The last message that was asked for whole.
    last: Option<u32>,
    sequential: bool,
    /// The octets of the messages that were asked for in order.
    taken: u64,
}

impl ReadAhead {
    pub(crate) const fn new(budget: u64) -> Self {
        Self {
            budget,
            last: None,
            sequential: false,
            taken: 0,
        }
    }

    /// The client asks for this message whole.
    pub(crate) fn wanted(&mut self, table: &Table, index: u32) {
        self.sequential = self
            .last
            .is_some_and(|last| last.checked_add(1) == Some(index));
        self.last = Some(index);
        let before = if self.sequential { self.taken } else { 0 };
        let size = table.size(index).unwrap_or_default();
        self.taken = before.saturating_add(size);
    }

    /// The client did something else.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.budget);
    }

    /// The messages from `from` on that are worth asking for, while those of `ahead` are on their
    /// way. Empty if the guess is not worth a command.
    pub(crate) fn guess(&self, table: &Table, from: u32, ahead: Range<u32>) -> Range<u32> {
        let nothing = from..from;
        if !self.sequential {
            return nothing;
        }
        let window = self.budget.min(START.saturating_add(self.taken));
        let on_the_way: u64 = ahead.filter_map(|index| table.size(index)).sum();
        if on_the_way > window / 2 {
            return nothing;
        }
        let mut left = window - on_the_way;
        let mut to = from;
        while to - from < COUNT {
            match table.size(to) {
                Some(size) if size <= left => left -= size,
                Some(_) | None => break,
            }
            to += 1;
        }
        from..to
    }
}
