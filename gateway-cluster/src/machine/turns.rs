//! The turns to refresh grants: one node has it, the others wait a little and look again.

use std::collections::BTreeMap;

use pop3_proto::time::Time;

use super::batch::{Batch, Purpose};
use super::places::AGAIN;
use super::{Machine, Report, Turned};
use crate::ask::{Answer, Ask};
use crate::digest::Digest;
use crate::lease::Lease;

#[derive(Clone, Default)]
pub(super) struct Turns(BTreeMap<u64, Waiting>);

#[derive(Clone)]
struct Waiting {
    grant: Digest,
    until: Time,
    /// When to ask; `None` while an answer is waited for.
    at: Option<Time>,
    /// Without any answer until then, this process goes on alone.
    answer: Time,
    /// Another had it meanwhile.
    waited: bool,
}

impl Turns {
    /// `idle`: no answer is waited for, so something can be asked.
    pub(super) fn deadline(&self, idle: bool) -> Option<Time> {
        let moment = |waiting: &Waiting| {
            let (at, ends) = (waiting.at.filter(|_| idle), waiting.ends());
            at.map_or(ends, |at| at.min(ends))
        };
        self.0.values().map(moment).min()
    }

    pub(super) fn unanswered(&mut self, id: u64) {
        if let Some(waiting) = self.0.get_mut(&id) {
            waiting.at = Some(Time::ZERO);
        }
    }
}

impl Waiting {
    fn ends(&self) -> Time {
        match self.waited {
            true => self.until,
            false => self.until.min(self.answer),
        }
    }
}

impl Machine {
    /// The turn to refresh a grant is wanted, within this time.
    pub(crate) fn turn(&mut self, id: u64, grant: Digest, until: Time, now: Time) {
        let waiting = Waiting {
            grant,
            until,
            at: Some(now),
            answer: now + self.timing.answer,
            waited: false,
        };
        self.turns.0.insert(id, waiting);
        self.tick_turns(now, self.is_gone());
    }

    /// Nobody waits for it any more.
    pub(crate) fn turn_no_more(&mut self, id: u64) {
        self.turns.0.remove(&id);
    }

    pub(super) fn tick_turns(&mut self, now: Time, alone: bool) {
        let turns = std::mem::take(&mut self.turns.0);
        for (id, waiting) in turns {
            if !alone && waiting.ends() > now {
                self.turns.0.insert(id, waiting);
                continue;
            }
            let turned = match waiting.waited {
                true => Turned::Waited,
                false => Turned::Alone,
            };
            self.reports.push(Report::Turn(id, turned));
        }
    }

    pub(super) fn ask_turns(&mut self, lease: Lease, batch: &mut Batch, now: Time) {
        let span = self.timing.lease;
        for (id, waiting) in &mut self.turns.0 {
            if batch.is_full() || waiting.at.is_none_or(|at| at > now) {
                continue;
            }
            waiting.at = None;
            let grant = waiting.grant;
            let ask = Ask::Refresh {
                lease,
                grant,
                turn: *id,
                span,
            };
            batch.push(Purpose::Turn(*id, lease, grant), ask);
        }
    }

    pub(super) fn turned(
        &mut self,
        id: u64,
        (lease, grant): (Lease, Digest),
        answer: &Answer,
        now: Time,
    ) {
        let waited = self.turns.0.get(&id).map(|waiting| waiting.waited);
        match (answer, waited) {
            (Answer::Done, Some(false)) => {
                self.turns.0.remove(&id);
                self.reports.push(Report::Turn(id, Turned::Yours(lease)));
            }
            // another has refreshed, or nobody wants it any more
            (Answer::Done, waited) => {
                if waited.is_some() {
                    self.turns.0.remove(&id);
                    self.reports.push(Report::Turn(id, Turned::Waited));
                }
                let turn = id;
                self.errand(None, Ask::Refreshed { lease, grant, turn }, now);
            }
            (answer, Some(_)) => {
                if let Some(waiting) = self.turns.0.get_mut(&id) {
                    waiting.at = Some(now + AGAIN);
                    waiting.waited |= *answer == Answer::InUse;
                }
            }
            (_, None) => {}
        }
    }
}
