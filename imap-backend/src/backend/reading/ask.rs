//! What is asked for next: the message that is served, one more after it, and what the client will probably
//! want then. Also what is left to do after an answer.

use alloc::string::String;
use core::ops::Range;

use super::Reading;
use super::plan::{Fetch, Plan, What};
use crate::read_ahead::Extent;
use crate::table::Table;
use crate::uid_set;

/// How many FETCH commands may await their answer.
const FETCHES: usize = 3;

/// What is to be asked for.
pub(in crate::backend) enum Ask {
    /// A window within this message.
    Window { what: What, index: u32 },
    /// This much of a message, and of those that the client will probably want next.
    Run {
        of: Extent,
        index: u32,
        guess: Range<u32>,
    },
}

/// What an answered FETCH leaves.
pub(in crate::backend) enum Left {
    /// Nothing to report.
    Nothing,
    /// The message that is served did not come with it, and will not come.
    Missed {
        /// Whether some of it came before.
        started: bool,
    },
}

impl Reading {
    /// What to ask for now, if anything: it is wanted and not on its way.
    pub(in crate::backend) fn ask(&self, table: &Table) -> Option<Ask> {
        let first = self.wanted.front()?;
        let index = first.index;
        let Some(extent) = first.plan.extent() else {
            let Plan::Window { offset, length } = first.plan else {
                return None;
            };
            let what = What::Window {
                index,
                offset,
                length,
            };
            let on_the_way = self.fetches.iter().any(|fetch| fetch.what == what);
            return (self.stream.is_none() && !on_the_way).then_some(Ask::Window { what, index });
        };
        if self.stream.is_none() && self.on_the_way(index, extent).is_none() {
            return Some(self.with_guess(table, index, extent, first.alone));
        }
        // the one after it, so that it costs no round trip of its own
        let second = self.wanted.get(1).filter(|_| extent == Extent::Whole)?;
        let wanted = second.plan.extent() == Some(extent)
            && self.fetches.len() < FETCHES
            && self.on_the_way(second.index, extent).is_none();
        wanted.then(|| self.with_guess(table, second.index, extent, second.alone))
    }

    /// If this message is on its way already, the next ones that are worth a command.
    pub(in crate::backend) fn ask_further(
        &mut self,
        table: &Table,
        index: u32,
        extent: Extent,
    ) -> Option<Range<u32>> {
        if self.fetches.len() >= FETCHES || !self.is_worth_a_guess(extent) {
            return None;
        }
        let reached = self.on_the_way(index, extent)?;
        let ahead = index.saturating_add(1)..reached;
        let octets = self.read_ahead.on_the_way(table, ahead)?;
        Some(self.read_ahead.guess(table, reached, extent, octets))
    }

    fn with_guess(&self, table: &Table, index: u32, of: Extent, alone: bool) -> Ask {
        let next = index.saturating_add(1);
        let guess = if alone || !self.is_worth_a_guess(of) {
            next..next
        } else {
            self.read_ahead.guess(table, next, of, 0)
        };
        Ask::Run { of, index, guess }
    }

    fn is_worth_a_guess(&self, extent: Extent) -> bool {
        self.windows || !matches!(extent, Extent::Octets(_))
    }

    /// This was asked for.
    pub(in crate::backend) fn asked(&mut self, tag: u32, what: What) {
        self.fetches.push_back(Fetch { tag, what });
    }

    /// The last of the messages from `index` on of which this much is on its way; `None` if that one's is not.
    fn on_the_way(&self, index: u32, extent: Extent) -> Option<u32> {
        let mut reached = index;
        for fetch in &self.fetches {
            if let What::Run {
                of,
                next,
                end,
                spent: false,
                ..
            } = fetch.what
                && of == extent
                && (next..end).contains(&reached)
            {
                reached = end;
            }
        }
        (reached > index).then_some(reached)
    }

    /// A FETCH is answered: what did not come with it will not come.
    pub(in crate::backend) fn answered(&mut self, tag: u32) -> Left {
        let Some(place) = self.fetches.iter().position(|fetch| fetch.tag == tag) else {
            return Left::Nothing;
        };
        let Some(Fetch { what, .. }) = self.fetches.remove(place) else {
            return Left::Nothing;
        };
        let Some(first) = self.wanted.front_mut() else {
            return Left::Nothing;
        };
        let (missed, last_word) = match what {
            What::Run {
                of,
                next,
                end,
                alone,
                spent: false,
            } if first.plan.extent() == Some(of) => ((next..end).contains(&first.index), alone),
            What::Window { index, .. } if matches!(first.plan, Plan::Window { .. }) => {
                (index == first.index, true)
            }
            What::Run { .. } | What::Window { .. } | What::Spent => (false, false),
        };
        if missed && first.plan == Plan::Header {
            // whatever is wrong with it, windows will show
            first.plan = Plan::FIRST;
            return Left::Nothing;
        }
        let (index, extent) = (first.index, first.plan.extent());
        if !missed || extent.is_some_and(|of| self.on_the_way(index, of).is_some()) {
            return Left::Nothing;
        }
        let Some(first) = self.wanted.front_mut() else {
            return Left::Nothing;
        };
        if last_word {
            let started = first.started;
            return Left::Missed { started };
        }
        // others were asked for in the same command: perhaps one of them is to blame
        first.alone = true;
        Left::Nothing
    }
}

impl What {
    /// This much of as many of these messages as fit into one command, and the set of their UIDs.
    pub(in crate::backend) fn run(
        table: &Table,
        of: Extent,
        indexes: Range<u32>,
    ) -> (Self, String) {
        let Range { start: next, end } = indexes;
        let (set, count) = uid_set::piece((next..end).map_while(|index| table.uid(index)));
        let what = Self::Run {
            of,
            next,
            end: next.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)),
            alone: count == 1,
            spent: false,
        };
        (what, set)
    }
}
