//! Accounts of upstreams that want to be left alone for a while.
//!
//! Owns until when, for this process; a node of a cluster leaves that to the cluster, so that all nodes know. What a
//! server says of it is read in `imap-backend`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use imap_backend::SharedBackoffs;

use crate::mailbox::imap::{Accounts, Upstream};

/// How many accounts are remembered at most; the one whose time ends first makes room.
const MOST: usize = 1000;

/// Those of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Backoffs(Arc<Mutex<HashMap<String, Instant>>>);

impl Backoffs {
    /// Those of an upstream's accounts, kept here.
    pub fn of(&self, upstream: &Upstream) -> SharedBackoffs {
        shared(upstream, self.clone())
    }

    /// This map is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of an upstream's accounts, kept for all nodes.
#[cfg(feature = "cluster")]
pub fn of_all_nodes(upstream: &Upstream, cluster: gateway_cluster::Cluster) -> SharedBackoffs {
    shared(upstream, cluster)
}

/// Where they are kept, by the account's name.
trait Kept: Send + Sync + 'static {
    fn left(&self, account: &str) -> Duration;
    fn back_off(&self, account: &str, span: Duration);
}

impl Kept for Backoffs {
    fn left(&self, account: &str) -> Duration {
        let until = self.lock().get(account).copied();
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    fn back_off(&self, account: &str, span: Duration) {
        let now = Instant::now();
        let Some(until) = now.checked_add(span) else {
            return;
        };
        let mut accounts = self.lock();
        accounts.retain(|_, until| *until > now);
        if accounts.len() >= MOST
            && let Some(first) = accounts.iter().min_by_key(|(_, until)| **until)
        {
            let first = first.0.clone();
            accounts.remove(&first);
        }
        let known = accounts.entry(account.to_owned()).or_insert(until);
        *known = until.max(*known);
    }
}

#[cfg(feature = "cluster")]
impl Kept for gateway_cluster::Cluster {
    fn left(&self, account: &str) -> Duration {
        self.wait_for(account)
    }

    fn back_off(&self, account: &str, span: Duration) {
        Self::back_off(self, account, span);
    }
}

/// Those of one upstream.
struct Own<K> {
    accounts: Accounts,
    kept: K,
}

impl<K> Own<K> {
    fn new(upstream: &Upstream, kept: K) -> Self {
        let accounts = upstream.accounts();
        Self { accounts, kept }
    }
}

fn shared(upstream: &Upstream, kept: impl Kept) -> SharedBackoffs {
    SharedBackoffs::new(Arc::new(Own::new(upstream, kept)))
}

impl<K: Kept> imap_backend::Backoffs for Own<K> {
    fn left(&self, user: &str) -> Duration {
        self.kept.left(&self.accounts.of(user))
    }

    fn back_off(&self, user: &str, span: Duration) {
        self.kept.back_off(&self.accounts.of(user), span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn upstream(host: &str) -> Upstream {
        let mut upstream = Upstream::new("main");
        upstream.imap = imap_backend::Config::new(host, 993, imap_backend::Security::Implicit);
        upstream
    }

    #[test]
    fn an_account_is_left_alone_for_the_longest_time_that_was_said() {
        let backoffs = Backoffs::default();
        let left = |account: &str| Kept::left(&backoffs, account);
        for minutes in [3, 5, 2] {
            backoffs.back_off("tim", minutes * MINUTE);
        }
        assert!(left("tim") > 4 * MINUTE && left("tim") <= 5 * MINUTE);
        assert_eq!(left("tom"), Duration::ZERO);
        backoffs.back_off("tom", Duration::MAX);
        assert_eq!(left("tom"), Duration::ZERO, "no moment is so late");
        for number in 0..2 * MOST {
            backoffs.back_off(&format!("user{number}"), 6 * MINUTE);
        }
        assert_eq!(left("tim"), Duration::ZERO);
        assert_eq!(backoffs.lock().len(), MOST);
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn all_nodes_leave_an_account_alone_and_no_other() {
        use gateway_cluster::{Cluster, ClusterKey, ClusterUrl, Memory, Options};
        use imap_backend::Backoffs as _;

        let memory = Memory::new();
        let key = ClusterKey::new(&b"what all nodes share"[..].into()).expect("long enough");
        let [one, two] = ["one", "two"].map(|name| {
            let url = ClusterUrl::memory(&memory);
            Cluster::start(&url, &key, Options::new(name)).expect("a node")
        });
        let accounts = |cluster: &Cluster, host: &str| Own::new(&upstream(host), cluster.clone());
        accounts(&one, "imap.example.org").back_off("Tim", MINUTE);
        let there = accounts(&two, "imap.example.org");
        while there.left("tim").is_zero() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(there.left("TIM") > MINUTE / 2);
        assert_eq!(there.left("tom"), Duration::ZERO);
        assert_eq!(
            accounts(&two, "imap.example.com").left("tim"),
            Duration::ZERO
        );
    }
}
