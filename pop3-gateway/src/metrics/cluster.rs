//! What this node shares with others. Without a cluster there are names, and no rows.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use gateway_cluster::{Cluster, Figures, Latency};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::out::{Family, Out};

/// The cluster that this process is a node of, if any.
#[derive(Debug, Default)]
pub struct Node(OnceLock<Cluster>);

impl Node {
    /// This process takes part. It does so until it ends.
    pub fn joined(&self, cluster: Cluster) {
        // there is one at most
        let _ = self.0.set(cluster);
    }
}

impl Collector for Node {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.get().map(Cluster::figures);
        let figures = figures.as_ref();
        let mut out = Out(encoder);
        let flag =
            |is: fn(&Figures) -> bool| figures.map(|own| ([("", ""); 0], i64::from(is(own))));
        out.gauges(
            Family::new(
                "cluster_joined",
                "Whether this node has a lease at the cluster's engine",
            ),
            flag(|own| own.joined),
        )?;
        out.gauges(
            Family::new(
                "cluster_degraded",
                "Whether the cluster's engine does not answer",
            ),
            flag(|own| own.degraded.is_some()),
        )?;
        let now = figures.map(|own| {
            [
                ("engine", own.held),
                ("alone", own.alone),
                ("lost", own.lost),
            ]
        });
        out.gauges(
            Family::new(
                "cluster_holds",
                "Maildrops of sessions of this node: held by the engine's word, by this node alone, or lost",
            ),
            rows("held", now).map(|(label, count)| (label, i64::try_from(count).unwrap_or(i64::MAX))),
        )?;
        let places = figures.map(|own| [("", own.places)]);
        out.gauges(
            Family::new(
                "cluster_places",
                "Connections of upstream accounts that are counted",
            ),
            places
                .into_iter()
                .flatten()
                .map(|(_, count)| ([("", ""); 0], i64::try_from(count).unwrap_or(i64::MAX))),
        )?;
        let claims = figures.map(|own| {
            [
                ("granted", own.granted),
                ("busy", own.busy),
                ("alone", own.alone_granted),
                ("refused", own.refused),
            ]
        });
        out.counters(
            Family::new(
                "cluster_claims",
                "Claims for maildrops, by what came of them",
            ),
            rows("result", claims),
        )?;
        let losses = figures.map(|own| [("lapsed", own.lapsed), ("taken_over", own.taken_over)]);
        out.counters(
            Family::new(
                "cluster_holds_lost",
                "Holds that were lost while sessions ran, and those that another had when they were wanted again",
            ),
            rows("how", losses),
        )?;
        let asked = figures.map(|own| {
            [
                ("batches", own.batches),
                ("questions", own.questions),
                ("failures", own.failures),
                ("leases", own.leases),
            ]
        });
        out.counters(
            Family::new(
                "cluster_engine",
                "What the engine was asked: batches, questions in them, batches that failed or were late, leases taken",
            ),
            rows("what", asked),
        )?;
        out.histogram(
            Family::new(
                "cluster_engine_answer",
                "How long the engine took to answer a batch of questions",
            ),
            figures.map(|own| latency(&own.latency)),
        )
    }
}

fn latency(seen: &Latency) -> (Vec<(f64, u64)>, f64) {
    let seconds = |bound: Option<Duration>| bound.map_or(f64::INFINITY, |own| own.as_secs_f64());
    let buckets = seen.counts().map(|(bound, count)| (seconds(bound), count));
    (buckets.collect(), seen.total().as_secs_f64())
}

/// A row for each word.
fn rows<const N: usize>(
    name: &'static str,
    counts: Option<[(&'static str, u64); N]>,
) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
    let counts = counts.into_iter().flatten();
    counts.map(move |(word, count)| ([(name, word)], count))
}
