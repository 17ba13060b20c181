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
    /// The last count: from the first of these on, up to the last that is asked for, more is worth a command. It is
    /// kept once the window does not grow any more, because counting takes longer than all else.
    enough: Range<u32>,
}

impl ReadAhead {
    pub(crate) const fn new(budget: u64) -> Self {
        Self {
            budget,
            last: None,
            sequential: false,
            taken: 0,
            enough: 0..0,
        }
    }

    /// The client asks for this message whole.
    pub(crate) fn wanted(&mut self, table: &Table, index: u32) {
        self.sequential = self
            .last
            .is_some_and(|last| last.checked_add(1) == Some(index));
        self.last = Some(index);
        if !self.sequential {
            self.taken = 0;
        }
        let size = table.size(index).unwrap_or_default();
        self.taken = self.taken.saturating_add(size);
    }

    /// The client did something else.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.budget);
    }

    /// The octets of the messages that are on their way; `None` while that is enough.
    pub(crate) fn on_the_way(&mut self, table: &Table, ahead: Range<u32>) -> Option<u64> {
        let counted = ahead.end == self.enough.end && ahead.start < self.enough.start;
        if !self.sequential || counted {
            return None;
        }
        let window = self.window();
        let mut octets = 0_u64;
        for index in ahead.clone().rev() {
            octets = octets.saturating_add(table.size(index).unwrap_or_default());
            if octets > window / 2 {
                if window == self.budget {
                    self.enough = index..ahead.end;
                }
                return None;
            }
        }
        Some(octets)
    }

    fn window(&self) -> u64 {
        self.budget.min(START.saturating_add(self.taken))
    }

    /// The messages from `from` on that are worth asking for, while this many octets are on their way.
    pub(crate) fn guess(&self, table: &Table, from: u32, on_the_way: u64) -> Range<u32> {
        if !self.sequential {
            return from..from;
        }
        let mut left = self.window().saturating_sub(on_the_way);
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
