//! What the session wants to read, what was asked for, and the message that is under way.
//!
//! Owns these lists and the body that is lent. Decides what to ask for next and what becomes of a body that
//! comes. Sends nothing, reads nothing, and never knows why a message has to be asked for alone.

mod ask;
mod lend;
mod plan;
#[cfg(test)]
mod tests;
mod verdict;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem;

use pop3_proto::backend::{Failure, FailureKind, Ticket};

use super::maildrop::Maildrop;
use super::reply::{Answer, Answers};
use crate::framer::{Expected, SHORT};
use crate::read_ahead::{Extent, ReadAhead};
use crate::table::Table;
use crate::wire::Wire;

pub(super) use ask::{Ask, Left};
pub(super) use lend::Begun;
use lend::Inline;
use plan::Fetch;
pub(super) use plan::{Plan, Stream, Verdict, Wanted, What, extent};

/// What the session wants to read.
#[derive(Debug)]
pub(super) struct Reading {
    read_ahead: ReadAhead,
    /// In the order of the requests; the first is the one that is served.
    wanted: VecDeque<Wanted>,
    /// The FETCH commands that await their answer, in order.
    fetches: VecDeque<Fetch>,
    /// The body that is being lent, for the first of `wanted`.
    stream: Option<Stream>,
    /// That body, if it was within its line: few are.
    inline: Option<Box<Inline>>,
    /// Octets were taken that were not followed up.
    taken: bool,
    /// The server has sent a window as one. Another may send whole messages instead, and none is worth a guess then.
    windows: bool,
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
            windows: false,
        }
    }

    // what is wanted

    pub(super) fn has_work(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The message that is served.
    pub(super) fn first(&self) -> Option<&Wanted> {
        self.wanted.front()
    }

    /// One more message, of which the client will take this much.
    pub(super) fn want(&mut self, table: &Table, wanted: Wanted, extent: Extent) {
        self.read_ahead.wanted(table, wanted.index, extent);
        self.wanted.push_back(wanted);
    }

    /// Whether the client asked for as much of the message before this one.
    pub(super) fn goes_on(&self, index: u32, extent: Extent) -> bool {
        self.read_ahead.goes_on(index, extent)
    }

    /// The client has what it wants of this message. Returns whether it was being lent.
    pub(super) fn cancel(&mut self, ticket: Ticket) -> bool {
        let Some(place) = self.wanted.iter().position(|w| w.ticket == ticket) else {
            return false;
        };
        let index = self.wanted.remove(place).map(|wanted| wanted.index);
        for Fetch { what, .. } in &mut self.fetches {
            if let What::Run { next, spent, .. } = what
                && index == Some(*next)
            {
                // what may still come of it holds nothing up, and is known for what it is
                *spent = true;
            }
        }
        if self.wanted.is_empty() {
            // a client that looks into messages does not take whole ones in order
            self.give_up(|what| !matches!(what, What::Run { of, .. } if *of != Extent::Whole));
        }
        place == 0 && self.stop_lending()
    }

    /// Nothing is wanted any more. Returns whether something was being lent.
    pub(super) fn end(&mut self) -> bool {
        self.wanted.clear();
        self.give_up_guesses();
        self.stop_lending()
    }

    /// The message that is served is finished, in whatever way.
    pub(super) fn finish_first(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// What was asked for on a guess is not wanted after all.
    pub(super) fn give_up_guesses(&mut self) {
        self.read_ahead.forget();
        self.give_up(|_| true);
    }

    /// What was asked for of each message is not enough of this one: the others would come before the rest of it.
    fn lacks_more(&mut self) {
        let is_ahead = |fetch: &Fetch| match fetch.what {
            What::Run {
                next, end, spent, ..
            } => next < end && !spent,
            What::Window { .. } | What::Spent => false,
        };
        if self.fetches.iter().any(is_ahead) {
            self.read_ahead.missed();
            self.give_up(|_| true);
        }
    }

    /// Gives back what was needed while something was wanted; nothing is any more.
    pub(super) fn shed(&mut self) {
        self.wanted = VecDeque::new();
        self.fetches = VecDeque::new();
        self.inline = None;
    }

    fn give_up(&mut self, of_these: impl Fn(&What) -> bool) {
        for Fetch { what, .. } in &mut self.fetches {
            match what {
                what if !of_these(what) => {}
                What::Run { spent, .. } => *spent = true,
                What::Window { .. } | What::Spent => *what = What::Spent,
            }
        }
    }

    // lost connections

    /// A message that had begun has failed, the others get one more try.
    pub(super) fn interrupted(
        &mut self,
        maildrop: &Maildrop,
        failure: &Failure,
        answers: &mut Answers,
    ) {
        self.forget_fetches();
        let mut kept = VecDeque::new();
        for mut wanted in mem::take(&mut self.wanted) {
            // in the order in which they were asked for: none may fail before one that is tried again
            if kept.is_empty() && (wanted.started || wanted.retried) {
                answers.push(failed(maildrop, &wanted, failure));
            } else {
                wanted.retried = true;
                wanted.alone = true;
                if wanted.plan == Plan::Header {
                    // perhaps this is what the server could not take
                    wanted.plan = Plan::FIRST;
                }
                kept.push_back(wanted);
            }
        }
        self.wanted = kept;
    }

    /// No connection can be made.
    pub(super) fn failed(&mut self, maildrop: &Maildrop, failure: &Failure, answers: &mut Answers) {
        self.forget_fetches();
        for wanted in mem::take(&mut self.wanted) {
            answers.push(failed(maildrop, &wanted, failure));
        }
    }

    fn forget_fetches(&mut self) {
        self.fetches = VecDeque::new();
        self.stop_lending();
    }

    /// The message that the session waits for, if it is on its way and next in what was asked for.
    pub(super) fn awaited(&self) -> Option<u32> {
        let index = self.first()?.index;
        let brings = |what: &What| match what {
            What::Run { next, spent, .. } => *next == index && !spent,
            What::Window { index: asked, .. } => *asked == index,
            What::Spent => false,
        };
        let mut fetches = self.fetches.iter();
        let comes = self.stream.is_some() || fetches.any(|fetch| brings(&fetch.what));
        comes.then_some(index)
    }

    /// The message that is to blame for a lost connection, unless it gets another try.
    pub(super) fn to_blame(&self) -> Option<u32> {
        let first = self.first().filter(|w| w.started || w.retried);
        first.and_then(|_| self.awaited())
    }

    // states

    /// Whether anything is wanted or on its way.
    pub(super) fn is_busy(&self) -> bool {
        !self.wanted.is_empty() || !self.fetches.is_empty() || self.stream.is_some()
    }

    /// How much the upstream is about to send.
    pub(super) fn expected(&self, table: &Table) -> Expected {
        if !self.is_busy() {
            return Expected::Line;
        }
        let lent = self.stream.as_ref().is_none_or(|s| s.size <= SHORT);
        let is_short = |fetch: &Fetch| match fetch.what {
            What::Run {
                of,
                next,
                end,
                spent: false,
                ..
            } if end <= next.saturating_add(1) => match of {
                Extent::Whole => table.size(next).is_some_and(|size| size <= SHORT),
                Extent::Header => true,
                Extent::Octets(length) => length <= SHORT,
            },
            What::Window { length, .. } => length <= SHORT,
            What::Spent => self.stream.is_some(),
            // what was asked for on a guess may be anything
            What::Run { .. } => false,
        };
        if lent && self.fetches.iter().all(is_short) {
            Expected::Short
        } else {
            Expected::Much
        }
    }

    /// Whether a body within its line is being handed out.
    pub(super) fn is_serving(&self) -> bool {
        self.inline.as_ref().is_some_and(|inline| inline.has_more())
    }

    /// Whether a message that was not asked for holds everything up.
    pub(super) fn is_parked(&self, wire: &Wire) -> bool {
        wire.head().is_some() && self.wanted.is_empty()
    }

    /// Whether the session could take octets now.
    pub(super) fn has_body(&self, wire: &Wire) -> bool {
        self.is_serving() || self.stream.is_some() && wire.can_lend()
    }
}

fn failed(maildrop: &Maildrop, wanted: &Wanted, failure: &Failure) -> Answer {
    let failure = maildrop.about(wanted.index, FailureKind::Temporary, &failure.detail);
    Answer::body_failed(wanted.ticket, failure)
}
