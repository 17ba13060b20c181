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
/// What a header is taken to have at most.
const HEADER: u64 = 4 * 1024;

/// How much of each message the client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Header,
    /// This many of its first octets.
    Octets(u64),
}

impl Extent {
    /// How many octets of a message of this size that is; 0 stands for a size that is not known.
    fn octets(self, size: u64) -> u64 {
        let most = match self {
            Self::Whole => return size,
            Self::Header => HEADER,
            Self::Octets(octets) => octets,
        };
        if size == 0 { most } else { size.min(most) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct ReadAhead {
    budget: u64,
    /// The last message that was asked for, and how much of it.
    last: Option<(u32, Extent)>,
    sequential: bool,
    /// The octets of the messages that were asked for in order.
    taken: u64,
    /// The last count: from the first of these on, up to the last that is asked for, more is worth a command. It is
    /// kept once the window does not grow any more, because counting takes longer than all else.
    enough: Range<u32>,
    /// How often what came ahead was not enough of a message, so that the rest was in its way.
    misses: u32,
}

impl ReadAhead {
    pub(crate) const fn new(budget: u64) -> Self {
        Self {
            budget,
            last: None,
            sequential: false,
            taken: 0,
            enough: 0..0,
            misses: 0,
        }
    }

    /// The client asks for this much of this message.
    pub(crate) fn wanted(&mut self, table: &Table, index: u32, extent: Extent) {
        self.sequential = self.goes_on(index, extent);
        self.last = Some((index, extent));
        if !self.sequential {
            self.taken = 0;
        }
        let size = table.size(index).unwrap_or_default();
        self.taken = self.taken.saturating_add(extent.octets(size));
    }

    /// Whether the client asked for as much of the message before this one.
    pub(crate) fn goes_on(&self, index: u32, extent: Extent) -> bool {
        let before = index.checked_sub(1).map(|before| (before, extent));
        before.is_some() && self.last == before
    }

    fn extent(&self) -> Option<Extent> {
        let (_, extent) = self.last.filter(|_| self.sequential)?;
        Some(extent)
    }

    /// The client did something else.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            misses: self.misses,
            ..Self::new(self.budget)
        };
    }

    /// What came ahead was not enough. The next guesses are smaller for it.
    pub(crate) fn missed(&mut self) {
        self.misses = self.misses.saturating_add(1);
        self.taken = 0;
    }

    /// The octets of the messages that are on their way; `None` while that is enough.
    pub(crate) fn on_the_way(&mut self, table: &Table, ahead: Range<u32>) -> Option<u64> {
        let extent = self.extent()?;
        if ahead.end == self.enough.end && ahead.start < self.enough.start {
            return None;
        }
        let window = self.window();
        let mut octets = 0_u64;
        for index in ahead.clone().rev() {
            octets = octets.saturating_add(extent.octets(table.size(index).unwrap_or_default()));
            if octets > window / 2 {
                if window >= self.budget {
                    self.enough = index..ahead.end;
                }
                return None;
            }
        }
        Some(octets)
    }

    fn window(&self) -> u64 {
        let window = self.budget.min(START.saturating_add(self.taken));
        window
            .checked_shr(self.misses.saturating_mul(2))
            .unwrap_or(0)
    }

    /// The messages from `from` on of which this much is worth asking for, while this many octets are on their way.
    pub(crate) fn guess(
        &self,
        table: &Table,
        from: u32,
        extent: Extent,
        on_the_way: u64,
    ) -> Range<u32> {
        if self.extent() != Some(extent) {
            return from..from;
        }
        let mut left = self.window().saturating_sub(on_the_way);
        let mut to = from;
        while to - from < COUNT {
            match table.size(to).map(|size| extent.octets(size)) {
                Some(octets) if octets <= left => left -= octets,
                Some(_) | None => break,
            }
            to += 1;
        }
        from..to
    }
}
