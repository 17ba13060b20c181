//! One hold, and all that can happen to it.
//!
//! ```text
//!            granted             lapsed            granted
//! Asked ────────────────▶ Held ─────────▶ Lost ────────────────▶ Held
//!   │  │                    │               │  │
//!   │  │ no engine, open    │ in use        │  │ asked again, no engine, open
//!   │  ▼                    ▼    in use     │  ▼
//!   │ Local ─────────────▶ Gone ◀───────────┘ Local ──granted──▶ Held
//!   │
//!   └ in use, or no engine and closed: the claim ends
//! ```

use pop3_proto::time::Time;

use crate::digest::Digest;
use crate::lease::{Lease, Proof};

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is held, and no other held it since it was lost.
    Held,
    /// Another holds it, or may have held it since it was lost.
    Busy,
    /// It may not be held any more, or cannot be asked for.
    Lost,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Nothing was answered yet.
    Asked,
    /// The engine granted it, and the lease that it is under has not lapsed.
    Held,
    /// Nobody but this process knows of it.
    Local,
    /// The lease that it was under has lapsed.
    Lost,
    /// Another has it, or may have had it.
    Gone,
}

/// A hold, or a claim to one.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) maildrop: Digest,
    pub(crate) stand: Stand,
    /// What the engine granted last.
    pub(crate) proof: Option<Proof>,
    /// Until when an answer is waited for: to the first question, or to one that was put again.
    pub(crate) until: Option<Time>,
    /// When the engine heard of it last.
    pub(crate) heard: Time,
}

impl Hold {
    pub(crate) fn new(maildrop: Digest, until: Time) -> Self {
        Self {
            maildrop,
            stand: Stand::Asked,
            proof: None,
            until: Some(until),
            heard: Time::ZERO,
        }
    }

    /// The lease because of which it is believed.
    pub(crate) fn believed_under(&self) -> Option<Lease> {
        let proof = self.proof.filter(|_| self.stand == Stand::Held)?;
        Some(proof.lease)
    }

    /// The engine granted it. `alive`: the lease that it is under has not lapsed since.
    pub(crate) fn granted(&mut self, proof: Proof, alive: bool, now: Time) -> Option<Outcome> {
        let waited = self.until.take().is_some();
        self.proof = Some(proof);
        self.heard = now;
        let before = self.stand;
        self.stand = if alive { Stand::Held } else { Stand::Lost };
        match (before, alive) {
            (Stand::Held | Stand::Local, true) if !waited => None,
            (Stand::Lost, false) if !waited => None,
            (_, true) => Some(Outcome::Held),
            (_, false) => Some(Outcome::Lost),
        }
    }

    /// The engine says that another has it, or may have had it.
    pub(crate) fn in_use(&mut self) -> Option<Outcome> {
        self.until = None;
        self.proof = None;
        self.stand = Stand::Gone;
        Some(Outcome::Busy)
    }

    /// The lease that it is under has lapsed.
    pub(crate) fn lapsed(&mut self) -> Option<Outcome> {
        (self.stand == Stand::Held).then(|| {
            self.stand = Stand::Lost;
            Outcome::Lost
        })
    }

    /// The session wants it again.
    pub(crate) fn again(&mut self, until: Time) -> Option<Outcome> {
        match self.stand {
            Stand::Held | Stand::Local => Some(Outcome::Held),
            Stand::Gone => Some(Outcome::Busy),
            Stand::Asked => None,
            Stand::Lost => {
                self.until = Some(until);
                None
            }
        }
    }

    /// The engine cannot be waited for any longer. `open`: then this process decides alone.
    pub(crate) fn without_engine(&mut self, open: bool) -> Option<Outcome> {
        self.until.take()?;
        if !open {
            if self.stand == Stand::Asked {
                self.stand = Stand::Gone;
            }
            return Some(Outcome::Lost);
        }
        self.stand = Stand::Local;
        Some(Outcome::Held)
    }
}
