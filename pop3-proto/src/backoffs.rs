//! Accounts of servers that want to be left alone for a while: until when each is, for a process that remembers alone and
//! for several that do it together.
//!
//! Owns the longest wish of each account, for a bounded number of them. Reads no clock, and does not know how a server
//! says what it wants.
//!
//! ```
//! use core::time::Duration;
//! use pop3_proto::backoffs::Backoffs;
//! use pop3_proto::time::Time;
//!
//! let (mut backoffs, now, minute) = (Backoffs::default(), Time::ZERO, Duration::from_secs(60));
//! backoffs.back_off("tim", 5 * minute, now);
//! backoffs.back_off("tim", minute, now);
//! assert_eq!(backoffs.left("tim", now + minute), 4 * minute);
//! assert_eq!(backoffs.left("tom", now), Duration::ZERO);
//! ```

use alloc::collections::BTreeMap;
use core::borrow::Borrow;
use core::time::Duration;

use crate::time::Time;

/// How many accounts are left alone at most; the one whose time ends first makes room.
pub const MOST: usize = 1000;

/// Until when accounts are left alone, by whatever names them.
#[derive(Clone, Debug)]
pub struct Backoffs<K>(BTreeMap<K, Time>);

impl<K> Default for Backoffs<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Backoffs<K> {
    /// An account is to be left alone for so long; of several wishes the one that ends last counts.
    pub fn back_off(&mut self, account: K, span: Duration, now: Time) {
        if let Some(until) = self.0.get_mut(&account) {
            *until = (now + span).max(*until);
            return;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, until| *until > now);
        }
        let first = self.0.iter().min_by_key(|(_, until)| **until);
        let first = first.filter(|_| self.0.len() >= MOST);
        if let Some(first) = first.map(|(account, _)| account.clone()) {
            self.0.remove(&first);
        }
        self.0.insert(account, now + span);
    }

    /// For how long this account still is left alone; zero: it is not.
    pub fn left<Q: Ord + ?Sized>(&self, account: &Q, now: Time) -> Duration
    where
        K: Borrow<Q>,
    {
        let until = self.0.get(account);
        until.map_or(Duration::ZERO, |until| until.since(now))
    }

    /// All that are left alone, and for how long still.
    pub fn all(&self, now: Time) -> impl Iterator<Item = (&K, Duration)> {
        let left = self
            .0
            .iter()
            .map(move |(account, until)| (account, until.since(now)));
        left.filter(|(_, left)| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_account_is_left_alone_for_the_longest_time_that_was_said() {
        let (mut backoffs, now) = (Backoffs::default(), Time::ZERO);
        for minutes in [3, 5, 2] {
            backoffs.back_off(0, minutes * MINUTE, now);
        }
        assert_eq!(backoffs.left(&0, now + MINUTE), 4 * MINUTE);
        assert_eq!(backoffs.left(&0, now + 6 * MINUTE), Duration::ZERO);
        assert_eq!(backoffs.left(&1, now), Duration::ZERO);
        assert_eq!(backoffs.all(now + 5 * MINUTE).count(), 0);
        backoffs.back_off(1, Duration::MAX, now);
        assert!(
            backoffs.left(&1, now) > 1_000_000 * MINUTE,
            "the clock's end"
        );
    }

    #[test]
    fn the_one_whose_time_ends_first_makes_room_and_one_that_is_known_needs_none() {
        let (mut backoffs, now) = (Backoffs::default(), Time::ZERO);
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        for account in 0..most {
            backoffs.back_off(account, MINUTE * (account + 1), now);
        }
        backoffs.back_off(7, MINUTE, now);
        assert_eq!(backoffs.left(&0, now), MINUTE, "nobody had to go");
        backoffs.back_off(most, MINUTE, now);
        assert_eq!(backoffs.left(&0, now), Duration::ZERO);
        assert_eq!(backoffs.left(&1, now), 2 * MINUTE);
        // those whose time is over go before all others
        let later = now + 10 * MINUTE;
        backoffs.back_off(most + 1, MINUTE, later);
        assert_eq!(backoffs.left(&10, later), MINUTE);
        assert_eq!(backoffs.all(later).count(), MOST - 10 + 1);
    }
}
