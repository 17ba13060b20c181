//! How long things took: counts of durations by their length.
//!
//! The library's own takes a lock to count.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest of each bucket, in seconds; there is one more for all that is longer.
const BOUNDS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Durations that were seen.
#[derive(Debug)]
pub(super) struct Span {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            buckets: array::from_fn(|_| AtomicU64::default()),
            micros: AtomicU64::default(),
        }
    }
}

impl Span {
    pub(super) fn seen(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = BOUNDS.partition_point(|longest| *longest < seconds);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Each bucket with its bound, how many there are in all, and how many seconds.
    pub(super) fn now(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let counts = self.buckets.iter();
        let counts = counts.map(|bucket| bucket.load(Ordering::Relaxed));
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let micros = Duration::from_micros(self.micros.load(Ordering::Relaxed));
        (buckets, count, micros.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_is_long_enough() {
        let span = Span::default();
        for millis in [0, 1, 2, 1000, 1001, 90_000] {
            span.seen(Duration::from_millis(millis));
        }
        let (buckets, count, sum) = span.now();
        let filled: Vec<_> = buckets
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        let expected = [
            (0.001, 2),
            (0.0025, 1),
            (1.0, 1),
            (2.5, 1),
            (f64::INFINITY, 1),
        ];
        assert_eq!((filled.as_slice(), count), (expected.as_slice(), 6));
        assert!((sum - 92.004).abs() < 1e-9, "{sum}");
    }
}
