//! What is asked for next: the message that is served, one more after it, and what the client will probably
//! want then. Also what is left to do after an answer.

use alloc::string::String;
use core::ops::Range;

use super::Reading;
use super::plan::{Fetch, Plan, What};
use crate::table::Table;
use crate::uid_set;

/// How many FETCH commands may await their answer.
const FETCHES: usize = 3;

/// What is to be asked for.
pub(in crate::backend) enum Ask {
    /// A header or octets.
    Part(What),
    /// A message whole, and with it those that the client will probably want next.
    Whole { index: u32, guess: Range<u32> },
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
        let what = match first.plan {
            Plan::Header => Some(What::Header { index }),
            Plan::Window { offset, length } => Some(What::Window {
                index,
                offset,
                length,
            }),
            Plan::Whole { .. } => None,
            Plan::Nothing | Plan::Refused { .. } => return None,
        };
        if let Some(what) = what {
            let on_the_way = self.fetches.iter().any(|fetch| fetch.what == what);
            return (self.stream.is_none() && !on_the_way).then_some(Ask::Part(what));
        }
        if self.stream.is_none() && self.on_the_way(index).is_none() {
            return Some(self.with_guess(table, index, first.alone));
        }
        // the one after it, so that it costs no round trip of its own
        let second = self.wanted.get(1)?;
        let wanted = matches!(second.plan, Plan::Whole { .. })
            && self.fetches.len() < FETCHES
            && self.on_the_way(second.index).is_none();
        wanted.then(|| self.with_guess(table, second.index, second.alone))
    }

    /// If this message is on its way already, the next ones that are worth a command.
    pub(in crate::backend) fn ask_further(
        &mut self,
        table: &Table,
        index: u32,
    ) -> Option<Range<u32>> {
        if self.fetches.len() >= FETCHES {
            return None;
        }
        let reached = self.on_the_way(index)?;
        let ahead = index.saturating_add(1)..reached;
        let octets = self.read_ahead.on_the_way(table, ahead)?;
        Some(self.read_ahead.guess(table, reached, octets))
    }

    fn with_guess(&self, table: &Table, index: u32, alone: bool) -> Ask {
        let next = index.saturating_add(1);
        let guess = if alone {
            next..next
        } else {
            self.read_ahead.guess(table, next, 0)
        };
        Ask::Whole { index, guess }
    }

    /// This was asked for.
    pub(in crate::backend) fn asked(&mut self, tag: u32, what: What) {
        self.fetches.push_back(Fetch { tag, what });
    }

    /// The last of the messages from `index` on that are on their way; `None` if that one is not.
    fn on_the_way(&self, index: u32) -> Option<u32> {
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

    /// A FETCH is answered: what did not come with it will not come.
    pub(in crate::backend) fn answered(&mut self, tag: u32) -> Left {
        let Some(place) = self.fetches.iter().position(|fetch| fetch.tag == tag) else {
            return Left::Nothing;
        };
        let Some(Fetch { what, .. }) = self.fetches.remove(place) else {
            return Left::Nothing;
        };
        if let What::Header { index } = what {
            // whatever is wrong with it, windows will show
            let first = self.wanted.front_mut();
            if let Some(wanted) = first.filter(|w| w.index == index && w.plan == Plan::Header) {
                wanted.plan = Plan::FIRST;
            }
            return Left::Nothing;
        }
        let Some(first) = self.wanted.front() else {
            return Left::Nothing;
        };
        let (missed, last_word) = match (what, first.plan) {
            (What::Whole { next, end, alone }, Plan::Whole { .. }) => {
                ((next..end).contains(&first.index), alone)
            }
            (What::Window { index, .. }, Plan::Window { .. }) => (index == first.index, true),
            _ => (false, false),
        };
        if !missed || self.on_the_way(first.index).is_some() {
            return Left::Nothing;
        }
        if last_word {
            let started = first.started;
            return Left::Missed { started };
        }
        // others were asked for in the same command: perhaps one of them is to blame
        if let Some(first) = self.wanted.front_mut() {
            first.alone = true;
        }
        Left::Nothing
    }
}

impl What {
    /// As many of these messages as fit into one command, and the set of their UIDs.
    pub(in crate::backend) fn whole(table: &Table, indexes: Range<u32>) -> (Self, String) {
        let Range { start: next, end } = indexes;
        let (set, count) = uid_set::piece((next..end).map_while(|index| table.uid(index)));
        let what = Self::Whole {
            next,
            end: next.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)),
            alone: count == 1,
        };
        (what, set)
    }
}
