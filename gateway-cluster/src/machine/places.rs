//! Connections of upstream accounts: how many this node has, and who waits for one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use pop3_proto::time::Time;

use super::batch::{Batch, Purpose};
use super::{Machine, Report};
use crate::ask::{Answer, Ask, Post};
use crate::digest::Digest;
use crate::lease::Lease;

/// How often one that waits asks again.
pub(super) const AGAIN: Duration = Duration::from_millis(250);

#[derive(Clone, Default)]
pub(super) struct Places {
    counts: HashMap<Digest, u32>,
    /// Accounts of which the engine has to hear how many there are.
    unsaid: BTreeSet<Digest>,
    /// In the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
    /// Accounts that were said to be waited for, and until when. A place that becomes free here is not taken again at
    /// once then: those that wait at other nodes come to ask meanwhile.
    contended: HashMap<Digest, Time>,
}

#[derive(Clone)]
struct Waiting {
    account: Digest,
    cap: u32,
    until: Time,
    /// When to ask; `None` while an answer is waited for.
    at: Option<Time>,
    /// The holders of unused connections were told.
    told: bool,
}

impl Places {
    pub(super) fn all(&self) -> u64 {
        self.counts.values().map(|count| u64::from(*count)).sum()
    }

    /// `idle`: no answer is waited for, so something can be asked.
    pub(super) fn deadline(&self, idle: bool) -> Option<Time> {
        let moment = |waiting: &Waiting| {
            let at = waiting.at.filter(|_| idle);
            at.map_or(waiting.until, |at| at.min(waiting.until))
        };
        self.waiting.values().map(moment).min()
    }

    /// The engine is to hear of all: a new lease knows of none, and what is old becomes litter.
    pub(super) fn say_all(&mut self) {
        self.unsaid = self.counts.keys().copied().collect();
    }

    pub(super) fn said(&mut self, account: Digest, answer: &Answer) {
        if *answer == Answer::NoLease {
            self.unsaid.insert(account);
        }
    }

    pub(super) fn unanswered(&mut self, id: u64) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.at = Some(Time::ZERO);
        }
    }

    /// A login somewhere waits for a connection of this account, for so long at most.
    pub(super) fn contends(&mut self, account: Digest, until: Time, now: Time) {
        self.contended.retain(|_, until| *until > now);
        let known = self.contended.entry(account).or_default();
        *known = until.max(*known);
    }

    fn is_contended(&self, account: Digest, now: Time) -> bool {
        let until = self.contended.get(&account);
        until.is_some_and(|until| *until > now)
    }

    fn count(&self, account: Digest) -> u32 {
        self.counts.get(&account).copied().unwrap_or_default()
    }

    fn add(&mut self, account: Digest) {
        *self.counts.entry(account).or_default() += 1;
    }
}

impl Machine {
    /// A connection of this account is wanted, within this time.
    pub(crate) fn enter(&mut self, id: u64, account: Digest, cap: u32, until: Time, now: Time) {
        let contended = self.places.is_contended(account, now);
        let at = if contended { now + AGAIN } else { now };
        let waiting = Waiting {
            account,
            cap,
            until,
            at: Some(at),
            told: false,
        };
        self.places.waiting.insert(id, waiting);
        self.tick_places(now, self.is_gone());
    }

    /// Nobody waits for it any more.
    pub(crate) fn enter_no_more(&mut self, id: u64) {
        self.places.waiting.remove(&id);
    }

    /// A connection of this account was closed.
    pub(crate) fn exit(&mut self, account: Digest, now: Time) {
        if let Some(count) = self.places.counts.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                self.places.counts.remove(&account);
            }
        }
        self.places.unsaid.insert(account);
        if self.places.is_contended(account, now) {
            return;
        }
        let waiting = self.places.waiting.values_mut();
        if let Some(next) = waiting.into_iter().find(|next| next.account == account) {
            next.at = next.at.map(|_| now);
        }
    }

    /// Without the engine this node counts for itself.
    pub(super) fn tick_places(&mut self, now: Time, alone: bool) {
        let mut ended = Vec::new();
        for (id, waiting) in &mut self.places.waiting {
            let count = self.places.counts.get(&waiting.account);
            if alone && count.copied().unwrap_or_default() < waiting.cap {
                *self.places.counts.entry(waiting.account).or_default() += 1;
                ended.push((*id, true));
            } else if waiting.until <= now {
                ended.push((*id, false));
            } else if alone && !waiting.told {
                waiting.told = true;
                self.reports.push(Report::Wanted(waiting.account));
            }
        }
        for (id, place) in ended {
            self.places.waiting.remove(&id);
            self.reports.push(Report::Place(id, place));
        }
    }

    pub(super) fn count_places(&mut self, lease: Lease, batch: &mut Batch) {
        while !batch.is_full()
            && let Some(account) = self.places.unsaid.pop_first()
        {
            let count = self.places.count(account);
            let ask = Ask::Count {
                lease,
                account,
                count,
            };
            batch.push(Purpose::Count(account), ask);
        }
    }

    pub(super) fn enter_places(&mut self, lease: Lease, batch: &mut Batch, now: Time) {
        for (id, waiting) in &mut self.places.waiting {
            if batch.is_full() || waiting.at.is_none_or(|at| at > now) {
                continue;
            }
            waiting.at = None;
            let (account, cap) = (waiting.account, waiting.cap);
            let ask = Ask::Enter {
                lease,
                account,
                cap,
            };
            batch.push(Purpose::Enter(*id, account), ask);
        }
    }

    pub(super) fn entered(&mut self, id: u64, account: Digest, answer: &Answer, now: Time) {
        let waiting = self.places.waiting.get_mut(&id);
        match (answer, waiting) {
            (Answer::Done, Some(_)) => {
                self.places.waiting.remove(&id);
                self.places.add(account);
                self.reports.push(Report::Place(id, true));
            }
            // nobody waited for it: the engine has to hear the right number
            (Answer::Done, None) => {
                self.places.unsaid.insert(account);
            }
            (_, Some(waiting)) => {
                waiting.at = Some(now + AGAIN);
                if *answer == Answer::InUse {
                    let (first, left) = (!waiting.told, waiting.until.since(now));
                    waiting.told = true;
                    self.reports.push(Report::Wanted(account));
                    if first {
                        self.post(Post::Wanted, account, left, now);
                    }
                }
            }
            (_, None) => {}
        }
    }
}
