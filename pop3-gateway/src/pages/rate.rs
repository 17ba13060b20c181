//! How often an address may ask.
//!
//! Owns the counts: a bucket for each address (or IPv6 network) and sort of request, which fills again with time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pop3_server::limit::Origin;

/// The most buckets that are kept. Full ones are no news and go first.
const MOST: usize = 20_000;

/// What is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// Sign-ins that begin: each takes a place in the state and asks the provider.
    Begin,
    /// Everything else that costs something.
    Act,
}

impl Sort {
    /// How many at once, and how long it takes until there is another one.
    const fn allows(self) -> (f64, Duration) {
        match self {
            Self::Begin => (10.0, Duration::from_secs(30)),
            Self::Act => (60.0, Duration::from_secs(1)),
        }
    }
}

/// How often it is looked which buckets are full: that takes its time when there are many.
const LOOK: Duration = Duration::from_secs(5);

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    all: HashMap<(Origin, Sort), Bucket>,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn refilled(&self, sort: Sort, now: Instant) -> f64 {
        let (most, each) = sort.allows();
        let since = now.saturating_duration_since(self.at);
        (self.left + since.as_secs_f64() / each.as_secs_f64()).min(most)
    }
}

impl Rates {
    /// Counts a request, and says whether it may go on.
    pub(super) fn allow(&self, address: IpAddr, sort: Sort) -> bool {
        self.allow_at(address, sort, Instant::now())
    }

    fn allow_at(&self, address: IpAddr, sort: Sort, now: Instant) -> bool {
        let key = (Origin::from(address.to_canonical()), sort);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.all.len() >= MOST && !buckets.all.contains_key(&key) {
            let looked = buckets.looked;
            if looked.is_none_or(|at| now.saturating_duration_since(at) >= LOOK) {
                buckets.looked = Some(now);
                let is_news =
                    |sort: Sort, bucket: &Bucket| bucket.refilled(sort, now) < sort.allows().0;
                buckets
                    .all
                    .retain(|(_, sort), bucket| is_news(*sort, bucket));
            }
            if buckets.all.len() >= MOST {
                // so many addresses at once: the bounds of the state have to do
                return true;
            }
        }
        let full = Bucket {
            left: sort.allows().0,
            at: now,
        };
        let bucket = buckets.all.entry(key).or_insert(full);
        let left = bucket.refilled(sort, now);
        let is_allowed = left >= 1.0;
        *bucket = Bucket {
            left: if is_allowed { left - 1.0 } else { left },
            at: now,
        };
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_was_used_up_comes_back_with_time() {
        let (rates, now) = (Rates::default(), Instant::now());
        let own: IpAddr = "192.0.2.1".parse().unwrap();
        let count = |address, now| {
            (0..100)
                .filter(|_| rates.allow_at(address, Sort::Begin, now))
                .count()
        };
        assert_eq!(count(own, now), 10);
        assert_eq!(count("192.0.2.2".parse().unwrap(), now), 10);
        assert_eq!(count("::ffff:192.0.2.1".parse().unwrap(), now), 0);
        assert!(rates.allow_at(own, Sort::Act, now));
        assert_eq!(count(own, now + Duration::from_secs(61)), 2);
        // an IPv6 host has a network of its own
        assert_eq!(count("2001:db8::1".parse().unwrap(), now), 10);
        assert_eq!(count("2001:db8::2".parse().unwrap(), now), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let (rates, now) = (Rates::default(), Instant::now());
        for number in 0..100_000_u32 {
            rates.allow_at(std::net::Ipv4Addr::from(number).into(), Sort::Act, now);
        }
        assert!(rates.0.lock().unwrap().all.len() <= MOST);
    }
}
