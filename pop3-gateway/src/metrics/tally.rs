//! Counters: one, and one for each word of a list.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        if more > 0 {
            self.0.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(super) fn one(&self) {
        self.add(1);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A count for each of these words. All of them are shown from the start, so that a first one is seen as an increase.
#[derive(Debug)]
pub(super) struct Tally {
    words: &'static [&'static str],
    counts: Box<[Count]>,
}

impl Tally {
    pub(super) fn of(words: &'static [&'static str]) -> Self {
        Self {
            words,
            counts: words.iter().map(|_| Count::default()).collect(),
        }
    }

    /// Counts a word; one that is not in the list counts as its last.
    pub(super) fn one(&self, word: &str) {
        let own = self.words.iter().position(|own| *own == word);
        let place = own.unwrap_or_else(|| self.words.len().saturating_sub(1));
        if let Some(count) = self.counts.get(place) {
            count.one();
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counts.iter().map(Count::get);
        self.words.iter().copied().zip(counts)
    }
}
