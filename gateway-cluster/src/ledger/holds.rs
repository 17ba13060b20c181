//! Maildrops: taken, kept, given back.

use super::{Book, FENCE, hold_row, number};
use crate::ask::Answer;
use crate::digest::Digest;
use crate::lease::{Foreign, Lease, Proof};
use crate::timing::LITTER;

/// A row of a maildrop.
struct Hold {
    /// `None`: it is free.
    lease: Option<Lease>,
    session: u64,
    fence: u64,
    /// A hold before this one was taken from a lease that had ended, so somebody may still come back for it.
    broken: bool,
}

impl Hold {
    fn read(value: &str) -> Result<Self, Foreign> {
        let mut words = value.split(' ');
        let lease = match words.next().ok_or(Foreign)? {
            "-" => None,
            lease => Some(lease.parse()?),
        };
        Ok(Self {
            lease,
            session: number(&mut words)?,
            fence: number(&mut words)?,
            broken: number(&mut words)? != 0,
        })
    }

    fn is(&self, proof: Proof) -> bool {
        let Proof {
            lease,
            session,
            fence,
        } = proof;
        self.lease == Some(lease) && self.session == session && self.fence == fence
    }

    fn write(&self) -> String {
        let lease = self
            .lease
            .map_or_else(|| "-".into(), |lease| lease.to_string());
        let (session, fence, broken) = (self.session, self.fence, u8::from(self.broken));
        format!("{lease} {session} {fence} {broken}")
    }
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
        let hold = self.hold(maildrop)?;
        let holder = hold.as_ref().and_then(|hold| hold.lease);
        if holder.is_some_and(|holder| self.lives(holder)) {
            return Ok(Answer::InUse);
        }
        let fence = self.fence()?.saturating_add(1);
        self.set(FENCE, fence.to_string(), None);
        let hold = Hold {
            lease: Some(lease),
            session,
            fence,
            broken: hold.is_some(),
        };
        self.set(&hold_row(maildrop), hold.write(), Some(LITTER));
        Ok(Answer::Granted { fence })
    }

    pub(super) fn keep(
        &mut self,
        lease: Lease,
        maildrop: Digest,
        proof: Proof,
        sure: bool,
    ) -> Result<Answer, Foreign> {
        let Some(grace) = self.standing(lease)? else {
            return Ok(Answer::NoLease);
        };
        let last = self.fence()?;
        let anew = Proof { lease, ..proof };
        let hold = match self.hold(maildrop)? {
            Some(hold) if hold.is(proof) || hold.is(anew) => hold,
            // the engine does not know what it knew, and this node does
            older if sure && !grace.is_zero() => {
                let newer = older.as_ref().is_none_or(|hold| hold.fence < proof.fence);
                if !newer {
                    return Ok(Answer::InUse);
                }
                let Proof { session, fence, .. } = proof;
                Hold {
                    lease: None,
                    session,
                    fence,
                    broken: older.is_some(),
                }
            }
            Some(_) | None => return Ok(Answer::InUse),
        };
        let fence = hold.fence;
        let hold = Hold {
            lease: Some(lease),
            ..hold
        };
        if last < fence {
            self.set(FENCE, fence.to_string(), None);
        }
        self.set(&hold_row(maildrop), hold.write(), Some(LITTER));
        Ok(Answer::Granted { fence })
    }

    pub(super) fn release(&mut self, maildrop: Digest, proof: Proof) -> Result<Answer, Foreign> {
        let hold = self.hold(maildrop)?.filter(|hold| hold.is(proof));
        match hold {
            Some(hold) if hold.broken => {
                let free = Hold {
                    lease: None,
                    session: 0,
                    ..hold
                };
                self.set(&hold_row(maildrop), free.write(), Some(LITTER));
            }
            Some(_) => self.delete(&hold_row(maildrop)),
            None => {}
        }
        Ok(Answer::Done)
    }

    fn hold(&self, maildrop: Digest) -> Result<Option<Hold>, Foreign> {
        self.get(&hold_row(maildrop)).map(Hold::read).transpose()
    }
}
