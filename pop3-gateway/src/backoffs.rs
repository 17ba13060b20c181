//! Accounts of upstreams that want to be left alone for a while.
//!
//! Owns the clock for it, in this process; a node of a cluster leaves that to the cluster, so that all nodes know. What a
//! server says of it is read in `imap-backend`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use imap_backend::SharedBackoffs;
use pop3_proto::backoffs;
use pop3_proto::time::Time;

use crate::mailbox::imap::{Accounts, Upstream};

/// Those of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Backoffs {
    start: Instant,
    kept: Arc<Mutex<backoffs::Backoffs<String>>>,
}

impl Default for Backoffs {
    /// None yet. The clock starts now.
    fn default() -> Self {
        Self {
            start: Instant::now(),
            kept: Arc::default(),
        }
    }
}

impl Backoffs {
    /// Those of an upstream's accounts, kept here.
    pub fn of(&self, upstream: &Upstream) -> SharedBackoffs {
        shared(upstream, self.clone())
    }

    /// What is kept is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn with<T>(&self, what: impl FnOnce(&mut backoffs::Backoffs<String>, Time) -> T) -> T {
        let now = Time::from_start(self.start.elapsed());
        what(
            &mut self.kept.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
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
        self.with(|kept, now| kept.left(account, now))
    }

    fn back_off(&self, account: &str, span: Duration) {
        self.with(|kept, now| kept.back_off(account.to_owned(), span, now));
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
    fn the_sessions_of_a_process_leave_an_account_alone_and_no_other() {
        use imap_backend::Backoffs as _;

        let kept = Backoffs::default();
        let accounts = |host: &str| Own::new(&upstream(host), kept.clone());
        accounts("imap.example.org").back_off("Tim", MINUTE);
        let left = accounts("imap.example.org").left("tim");
        assert!(left > MINUTE / 2 && left <= MINUTE);
        for (host, user) in [("imap.example.org", "tom"), ("imap.example.com", "tim")] {
            assert_eq!(accounts(host).left(user), Duration::ZERO);
        }
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
