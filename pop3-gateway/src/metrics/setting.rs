//! What is configured now, how reloads went, and what writers of lines had no room for.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pop3_server::limit::Limits;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::out::{Family, Out, number};
use super::tally::Tally;

/// How a reload went.
const RESULTS: [&str; 2] = ["ok", "failed"];

/// The configuration as a scrape shows it.
#[derive(Debug)]
pub struct Setting {
    now: Mutex<Now>,
    loaded: AtomicI64,
    reloads: Tally,
}

#[derive(Debug, Default)]
struct Now {
    runtime: &'static str,
    limits: Limits,
    /// Lines that were lost, by who writes them.
    lost: Vec<(&'static str, Arc<AtomicU64>)>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            now: Mutex::default(),
            loaded: AtomicI64::default(),
            reloads: Tally::of(&RESULTS),
        }
    }
}

impl Setting {
    /// The server starts with this runtime.
    pub fn starts(&self, runtime: &'static str) {
        self.with(|now| now.runtime = runtime);
    }

    /// This is in force from now on.
    pub fn in_force(&self, limits: Limits) {
        self.with(|now| now.limits = limits);
        self.loaded.store(seconds(), Ordering::Relaxed);
    }

    /// A reload has ended.
    pub fn reloaded(&self, well: bool) {
        self.reloads.one(if well { "ok" } else { "failed" });
    }

    /// Lines that this writer loses are counted here, in the place of one of that name before.
    pub fn writes(&self, writer: &'static str, lost: Arc<AtomicU64>) {
        self.with(|now| {
            now.lost.retain(|(name, _)| *name != writer);
            now.lost.push((writer, lost));
        });
    }

    fn with<R>(&self, act: impl FnOnce(&mut Now) -> R) -> R {
        act(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Collector for Setting {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        let (runtime, limits, lost) = self.with(|now| {
            let lost = now.lost.iter();
            let lost = lost.map(|(name, lost)| (*name, lost.load(Ordering::Relaxed)));
            (now.runtime, now.limits, lost.collect::<Vec<_>>())
        });
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("runtime", runtime)];
        out.info(Family::new("build", "The program that runs"), &labels)?;
        let limits = [
            ("total", limits.total),
            ("strangers", limits.strangers),
            ("address", limits.per_address),
            ("user", limits.per_user),
        ];
        let row = |(limit, most)| ([("limit", limit)], number(most));
        out.gauges(
            Family::new(
                "connections_limit",
                "The most connections at once that are configured; 0 is no limit",
            ),
            limits.map(row),
        )?;
        let family = Family::new(
            "config_loaded_timestamp",
            "When the configuration in force was read, in seconds since 1970",
        );
        let loaded = self.loaded.load(Ordering::Relaxed);
        out.gauge(family.seconds(), loaded)?;
        let reloads = self.reloads.all();
        out.counters(
            Family::new("reloads", "Reloads of the configuration, by how they went"),
            reloads.map(|(result, count)| ([("result", result)], count)),
        )?;
        out.counters(
            Family::new(
                "lines_lost",
                "Lines of the log and of transcripts that came faster than they could be written",
            ),
            lost.into_iter()
                .map(|(writer, lost)| ([("writer", writer)], lost)),
        )
    }
}

fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
