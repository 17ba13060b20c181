//! What can be said of a cluster, for people and for metrics.

use std::time::Duration;

/// Counters since the process started, and what is the case now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Claims for a maildrop.
    pub asked: u64,
    /// Claims and renewed holds that the engine granted.
    pub granted: u64,
    /// Claims that were refused because another session has the maildrop.
    pub busy: u64,
    /// Maildrops held by this process alone, without the engine's word.
    pub alone_granted: u64,
    /// Claims that failed because the engine was gone.
    pub refused: u64,
    /// Holds that were lost because the lease lapsed.
    pub lapsed: u64,
    /// Holds that another had when they were wanted again.
    pub taken_over: u64,
    /// Batches that were sent.
    pub batches: u64,
    /// Questions in them.
    pub questions: u64,
    /// Batches that failed or were late.
    pub failures: u64,
    /// Leases that were taken.
    pub leases: u64,
    /// Values in the engine that were not this crate's.
    pub foreign: u64,
    /// Claims that wait for an answer.
    pub waiting: u64,
    /// Maildrops that are held by the engine's word.
    pub held: u64,
    /// Maildrops that are held by this process alone.
    pub alone: u64,
    /// Sessions whose hold is lost.
    pub lost: u64,
    /// Connections of upstream accounts that are counted.
    pub places: u64,
    /// Whether there is a lease.
    pub joined: bool,
    /// For how long the engine has been gone.
    pub degraded: Option<Duration>,
    /// How long the engine took to answer batches; those that it did not answer are in `failures`.
    pub latency: Latency,
}

/// The longest of each count of a [`Latency`], in microseconds; there is one more for all that took longer.
const BOUNDS: [u64; 11] = [
    250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
];

/// How long answers took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    counts: [u64; BOUNDS.len() + 1],
    total: Duration,
}

impl Latency {
    pub(crate) fn saw(&mut self, took: Duration) {
        let place = BOUNDS.partition_point(|longest| u128::from(*longest) < took.as_micros());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.total = self.total.saturating_add(took);
    }

    /// How many took this long and no longer than the next shorter bound; `None`: longer than all.
    pub fn counts(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let bounds = BOUNDS
            .iter()
            .map(|micros| Some(Duration::from_micros(*micros)));
        bounds.chain([None]).zip(self.counts.iter().copied())
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }
}

/// What the engine knows of all nodes, or this node of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The name of this node.
    pub name: String,
    /// The address of the engine, without its password.
    pub engine: String,
    /// Whether the engine answered. Otherwise `nodes` is this one alone.
    pub answered: bool,
    /// For how long the engine has been gone.
    pub degraded: Option<Duration>,
    /// The last fence that was given: so many times a maildrop was taken.
    pub fence: Option<u64>,
    /// The nodes with a lease.
    pub nodes: Vec<NodeStatus>,
    /// The figures of this node.
    pub figures: Figures,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its lease: the process and which of its leases.
    pub lease: String,
    /// How long the lease lives if it is not renewed.
    pub left: Duration,
    /// The maildrops that it holds, as it said with the last renewal.
    pub holds: u32,
    /// How long it was without the engine the last time.
    pub degraded: Duration,
    /// Whether it is this one.
    pub own: bool,
}
