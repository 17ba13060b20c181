//! What is asked next, all that waits in one batch.

use std::mem;

use pop3_proto::time::Time;

use super::{Hold, Link, Machine, Record, Stand};
use crate::ask::Ask;
use crate::digest::Digest;
use crate::lease::Lease;
use crate::timing::REPEAT;

/// The most questions of a batch: an engine is to answer it well within the time of an answer.
pub(super) const BATCH: usize = 500;

/// Why something is asked, to know what its answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Open(Lease),
    Renew(Lease),
    Close(Lease),
    Acquire(u64, Lease, Digest),
    Keep(u64, Lease, Digest),
    Release(u64),
    Errand(Option<u64>),
    Count(Digest),
    Enter(u64, Digest),
    Turn(u64, Lease, Digest),
}

/// A batch in the making.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) asks: Vec<Ask>,
    purposes: Vec<Purpose>,
}

impl Batch {
    pub(super) fn push(&mut self, purpose: Purpose, ask: Ask) {
        self.purposes.push(purpose);
        self.asks.push(ask);
    }

    pub(super) fn is_full(&self) -> bool {
        self.asks.len() >= BATCH
    }
}

impl Machine {
    /// What is to be asked now; `None`: nothing, or an answer is still waited for, or more questions are.
    pub(crate) fn batch(&mut self, now: Time) -> Option<Vec<Ask>> {
        if self.flight.is_some() || now < self.rest {
            return None;
        }
        let mut batch = Batch::default();
        let lease = match self.link {
            Link::Apart { at, .. } if at <= now && !self.leaving => self.open(&mut batch, now),
            Link::Joined { lease, renew } => {
                if renew <= now && !self.leaving {
                    let node = self.node(now);
                    batch.push(Purpose::Renew(lease), Ask::Renew { lease, node });
                }
                lease
            }
            Link::Apart { .. } | Link::Left => return None,
        };
        self.say_again(now);
        self.keep(lease, &mut batch, now);
        // older leases end only after all is known to be under the new one
        if batch.purposes.is_empty() || matches!(batch.purposes[..], [Purpose::Renew(_)]) {
            self.close_older(lease, &mut batch);
            self.release_some(&mut batch);
            self.count_places(lease, &mut batch);
            if !self.leaving {
                self.run_errands(&mut batch);
                self.acquire(lease, &mut batch, now);
                self.enter_places(lease, &mut batch, now);
                self.ask_turns(lease, &mut batch, now);
            } else if !batch.is_full() {
                batch.push(Purpose::Close(lease), Ask::Close { lease });
            }
        }
        if batch.asks.is_empty() {
            return None;
        }
        self.sent = now;
        self.flight = Some(batch.purposes);
        self.figures.batches += 1;
        self.figures.questions += batch.asks.len() as u64;
        Some(batch.asks)
    }

    /// Until when what is to be asked waits for more; `None`: for nothing. Somebody has to come back then.
    pub(crate) fn rest(&self, now: Time) -> Option<Time> {
        let rests = self.flight.is_none() && now < self.rest;
        rests.then_some(self.rest)
    }

    /// Whether sessions wait to ask something.
    pub(super) fn has_questions(&self) -> bool {
        !(self.releases.is_empty() && self.errands.is_empty() && self.wanted.is_empty())
    }

    /// Asks for a new lease. All that is held is to be said under it.
    fn open(&mut self, batch: &mut Batch, now: Time) -> Lease {
        self.generation += 1;
        let lease = Lease {
            boot: self.boot,
            generation: self.generation,
        };
        self.records.push(Record {
            lease,
            until: Time::ZERO,
            ended: now + self.timing.lease + self.timing.answer,
            held: 0,
        });
        let node = self.node(now);
        batch.push(Purpose::Open(lease), Ask::Open { lease, node });
        let known = self.holds.iter().filter(|(_, hold)| hold.proof.is_some());
        self.unkept = known.map(|(id, _)| *id).collect();
        self.places.say_all();
        lease
    }

    /// What the engine heard of long ago would become litter there.
    fn say_again(&mut self, now: Time) {
        if now.since(self.repeated) < REPEAT / 2 {
            return;
        }
        self.repeated = now;
        let old = |hold: &Hold| hold.proof.is_some() && now.since(hold.heard) >= REPEAT / 2;
        let old = self.holds.iter().filter(|(_, hold)| old(hold));
        self.unkept.extend(old.map(|(id, _)| *id));
        self.places.say_all();
    }

    fn keep(&mut self, lease: Lease, batch: &mut Batch, now: Time) {
        while let Some(id) = self.unkept.first().copied()
            && !batch.is_full()
        {
            self.unkept.remove(&id);
            let Some(hold) = self.holds.get(&id) else {
                continue;
            };
            let Some(proof) = hold.proof else {
                continue;
            };
            let maildrop = hold.maildrop;
            let ask = Ask::Keep {
                lease,
                maildrop,
                session: proof.session,
                fence: proof.fence,
                sure: hold.stand == Stand::Held && self.believed(proof.lease) > now,
            };
            batch.push(Purpose::Keep(id, lease, maildrop), ask);
        }
    }

    /// Nothing is under them any more that this process still wants.
    fn close_older(&mut self, current: Lease, batch: &mut Batch) {
        for record in self.records.iter().filter(|record| record.lease != current) {
            let lease = record.lease;
            if !batch.is_full() {
                batch.push(Purpose::Close(lease), Ask::Close { lease });
            }
        }
    }

    fn release_some(&mut self, batch: &mut Batch) {
        while !batch.is_full()
            && let Some((id, maildrop, proof)) = self.releases.pop_front()
        {
            batch.push(Purpose::Release(id), Ask::Release { maildrop, proof });
        }
    }

    fn run_errands(&mut self, batch: &mut Batch) {
        while !batch.is_full()
            && let Some(errand) = self.errands.pop_front()
        {
            batch.push(Purpose::Errand(errand.id), errand.ask);
        }
    }

    fn acquire(&mut self, lease: Lease, batch: &mut Batch, now: Time) {
        if now < self.grace {
            return;
        }
        let wanted = mem::take(&mut self.wanted);
        for id in wanted {
            let Some(hold) = self.holds.get(&id) else {
                continue;
            };
            let maildrop = hold.maildrop;
            if batch.is_full() {
                self.wanted.push_back(id);
                continue;
            }
            let ask = Ask::Acquire {
                lease,
                maildrop,
                session: id,
            };
            batch.push(Purpose::Acquire(id, lease, maildrop), ask);
        }
    }
}
