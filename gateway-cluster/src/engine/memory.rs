//! The engine in memory: for one process, and for tests in which several nodes share one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Common, Engine, Trouble};
use crate::ask::{Answer, Ask};
use crate::ledger::{Ledger, Terms, millis};

/// A ledger in this process. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    ledger: Ledger,
    start: Instant,
    /// Nobody can have held anything before it was made.
    fresh: bool,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Kept {
            ledger: Ledger::default(),
            start: Instant::now(),
            fresh: true,
        })))
    }

    /// Loses all, as an engine does that was started anew.
    pub fn lose_all(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.ledger = Ledger::default();
        kept.fresh = false;
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine for Memory {
    fn answer(&mut self, common: &Common, asks: &[Ask]) -> Result<Vec<Answer>, Trouble> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // a clock that began long before all leases
        let now = millis(kept.start.elapsed()).saturating_add(millis(common.timing.grace) + 1);
        let mut terms = Terms {
            timing: common.timing,
            check: common.check,
            server: "",
            now,
        };
        if std::mem::take(&mut kept.fresh) {
            terms.now = 0;
            kept.ledger.begin(terms);
            terms.now = now;
        }
        let answers = asks.iter().map(|ask| kept.ledger.answer(terms, ask));
        let answers = answers.collect();
        kept.ledger.sweep(now);
        Ok(answers)
    }
}
