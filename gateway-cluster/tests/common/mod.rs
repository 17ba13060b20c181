//! Real engines, and nodes with times that a test can wait for.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses its own part"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use gateway_cluster::{
    Cluster, ClusterKey, ClusterUrl, Notice, OnFailure, Options, Outcome, Timing,
};
use pop3_proto::secret::Secret;
use testkit_databases::{Kind, Redis, Server};

/// However busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A real server, and what can befall it.
pub trait Engine {
    fn url(&self) -> String;
    fn kill(&mut self);
    fn restart(&mut self);
    fn pause(&self);
    fn go_on(&self);
    fn lose_all(&self);
}

impl Engine for Redis {
    fn url(&self) -> String {
        self.url()
    }

    fn kill(&mut self) {
        self.kill();
    }

    fn restart(&mut self) {
        self.restart();
    }

    fn pause(&self) {
        self.pause();
    }

    fn go_on(&self) {
        self.go_on();
    }

    fn lose_all(&self) {
        assert_eq!(self.cli(&["FLUSHALL"]).trim(), "OK");
    }
}

impl Engine for Server {
    fn url(&self) -> String {
        self.url()
    }

    fn kill(&mut self) {
        self.kill();
    }

    fn restart(&mut self) {
        self.restart();
    }

    fn pause(&self) {
        self.pause();
    }

    fn go_on(&self) {
        self.go_on();
    }

    fn lose_all(&self) {
        self.sql("test", "TRUNCATE gateway_cluster").unwrap();
    }
}

pub fn postgres() -> Server {
    Server::start(Kind::Postgres)
}

/// Quick, and yet with room for a busy machine.
pub fn timing() -> Timing {
    let mut timing = Timing::default();
    timing.lease = Duration::from_secs(6);
    timing.margin = Duration::from_secs(1);
    timing.renew = Duration::from_millis(500);
    timing.grace = Duration::from_millis(1500);
    timing.answer = Duration::from_millis(1000);
    timing.probe = Duration::from_millis(300);
    timing
}

pub fn key() -> ClusterKey {
    ClusterKey::new(&Secret::from(&b"a secret of all nodes"[..])).unwrap()
}

/// A node that notes what an operator would read.
pub struct Node {
    pub cluster: Cluster,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Node {
    pub fn start(url: &str, name: &str, on_failure: OnFailure) -> Self {
        Self::start_with(url, name, b"a secret of all nodes", on_failure)
    }

    pub fn start_with(url: &str, name: &str, secret: &[u8], on_failure: OnFailure) -> Self {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let mut options = Options::new(name);
        options.on_failure = on_failure;
        options.timing = timing();
        let noted = Arc::clone(&notices);
        options.notice = Arc::new(move |notice| noted.lock().unwrap().push(notice.clone()));
        let url: ClusterUrl = url.parse().unwrap();
        let key = ClusterKey::new(&Secret::from(secret)).unwrap();
        let cluster = Cluster::start(&url, &key, options).unwrap();
        Self { cluster, notices }
    }

    pub fn take(&self, maildrop: &str) -> Outcome {
        block_on(self.cluster.take(maildrop).next_outcome())
    }

    /// Has a lease, and no grace holds it up.
    pub fn is_ready(&self) {
        until("a maildrop is granted", || {
            let granted = self.cluster.figures().granted;
            self.take("nobody's") == Outcome::Held && self.cluster.figures().granted > granted
        });
    }

    pub fn noticed(&self, what: fn(&Notice) -> bool) -> bool {
        self.notices.lock().unwrap().iter().any(what)
    }
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
