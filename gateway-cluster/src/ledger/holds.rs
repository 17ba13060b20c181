//! Maildrops: taken, kept, given back.

use super::{Book, FENCE, hold_row, number};
use crate::ask::Answer;
use crate::digest::Digest;
use crate::lease::{Foreign, Lease, Proof};
use crate::timing::LITTER;

/// What stands in the row of a maildrop.
fn read(value: &str) -> Result<Proof, Foreign> {
    let mut words = value.split(' ');
    Ok(Proof {
        lease: words.next().ok_or(Foreign)?.parse()?,
        session: number(&mut words)?,
        fence: number(&mut words)?,
    })
}

impl Book<'_, '_> {
    pub(super) fn acquire(
        &mut self,
        lease: Lease,
        maildrop: Digest,
        session: u64,
    ) -> Result<Answer, Foreign> {
        let Some(grace) = self.standing(lease)? else {
            return Ok(Answer::NoLease);
        };
        if !grace.is_zero() {
            return Ok(Answer::Grace(grace));
        }
        let holder = self.hold(maildrop)?;
        if holder.is_some_and(|holder| self.lives(holder.lease)) {
            return Ok(Answer::InUse);
        }
        let fence = self.fence()?.saturating_add(1);
        self.set(FENCE, fence.to_string(), None);
        let proof = Proof {
            lease,
            session,
            fence,
        };
        self.set(&hold_row(maildrop), proof.to_string(), Some(LITTER));
        Ok(Answer::Granted { fence })
    }

    pub(super) fn keep(
        &mut self,
        lease: Lease,
        maildrop: Digest,
        (session, fence): (u64, u64),
        sure: bool,
    ) -> Result<Answer, Foreign> {
        let Some(grace) = self.standing(lease)? else {
            return Ok(Answer::NoLease);
        };
        let last = self.fence()?;
        let proof = Proof {
            lease,
            session,
            fence,
        };
        let holder = self.hold(maildrop)?;
        // it may have come farther than its process heard, and never goes back: what is late is not to undo what is newer
        let same = holder.is_some_and(|holder| {
            let older = holder.lease.generation <= lease.generation;
            holder.lease.boot == lease.boot && older && proof == Proof { lease, ..holder }
        });
        if !same {
            // the engine may not know what it knew, and this node does
            let newer = holder.is_none_or(|holder| holder.fence < fence);
            if !sure || grace.is_zero() || !newer {
                return Ok(Answer::InUse);
            }
        }
        if last < fence {
            self.set(FENCE, fence.to_string(), None);
        }
        self.set(&hold_row(maildrop), proof.to_string(), Some(LITTER));
        Ok(Answer::Granted { fence })
    }

    pub(super) fn release(&mut self, maildrop: Digest, proof: Proof) -> Result<Answer, Foreign> {
        if self.hold(maildrop)? == Some(proof) {
            self.delete(&hold_row(maildrop));
        }
        Ok(Answer::Done)
    }

    fn hold(&self, maildrop: Digest) -> Result<Option<Proof>, Foreign> {
        self.get(&hold_row(maildrop)).map(read).transpose()
    }
}
