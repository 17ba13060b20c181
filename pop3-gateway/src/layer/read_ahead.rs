//! How much may be fetched ahead for all sessions together.
//!
//! A session takes its [`Share`] when it begins and gives it back when it is dropped; a session that
//! begins when little is left gets little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pop3_proto::backend::layer::Layer;

/// What is taken right now. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<AtomicUsize>);

/// A part of the budget, given back when dropped: with the session, as a layer around its mailbox.
#[derive(Debug)]
#[must_use]
pub struct Share {
    octets: usize,
    budget: Budget,
}

impl Budget {
    /// Takes as much of `total` as is left, at most `wanted`.
    pub fn take(&self, wanted: usize, total: usize) -> Share {
        let fitting = |taken: usize| wanted.min(total.saturating_sub(taken));
        let before = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                taken.checked_add(fitting(taken))
            });
        // `taken` and what fits beside it never exceed a usize together, so the sum always exists
        let octets = before.map_or(0, fitting);
        Share {
            octets,
            budget: self.clone(),
        }
    }
}

impl Share {
    /// How much it is.
    pub fn octets(&self) -> usize {
        self.octets
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.octets, Ordering::AcqRel);
    }
}

impl<B> Layer<B> for Share {
    type Done = ();

    fn hears(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_never_exceeded_and_everything_comes_back() {
        let budget = Budget::default();
        let first = budget.take(60, 100);
        let second = budget.take(60, 100);
        let third = budget.take(60, 100);
        assert_eq!(
            [first.octets(), second.octets(), third.octets()],
            [60, 40, 0]
        );
        drop(first);
        assert_eq!(budget.take(70, 100).octets(), 60);
        drop((second, third));
        assert_eq!(budget.take(100, 100).octets(), 100);
        assert_eq!(
            budget.take(10, 5).octets(),
            5,
            "the total may have shrunk meanwhile"
        );
    }
}
