//! This process as one of several in front of the same mailboxes.
//!
//! Owns the node: it begins before the first login and leaves after the last one. `holder` gives sessions their
//! maildrops, `failures` shares failed logins. What is said to the engine, and when, is the crate's matter; what a session
//! does without a hold is `pop3-server`'s. A node stays as it is until the program ends: another engine or another name
//! needs a restart.

mod failures;
mod holder;
pub mod status;
#[cfg(feature = "oauth")]
mod turns;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_lite::FutureExt as _;
use futures_lite::future::block_on;
use gateway_cluster::{
    ClusterError, ClusterKey, ClusterUrl, Ending, Memory, Notice, Options, Timing,
};
use pop3_proto::secret::Secret;
use pop3_server::lock::Locks;
use pop3_server::server::{Builder, Server};

use crate::Failure;
use crate::config::Cluster as Settings;
use failures::Failures;
use holder::NodeHolder;

/// The length of a lease in milliseconds; all other times follow it. For tests: nobody waits for 30 seconds there.
const LEASE: &str = "POP3_GATEWAY_TEST_LEASE";

/// How long the start waits for a lease of an engine that answers.
const JOINING: Duration = Duration::from_secs(2);

/// How long the end of the program waits for what it held to be given back.
const LEAVING: Duration = Duration::from_secs(2);

/// This process as a node.
#[derive(Clone, Debug)]
pub struct Node {
    cluster: gateway_cluster::Cluster,
    /// Another node has its name.
    is_double: Arc<AtomicBool>,
}

impl Node {
    /// Joins. An engine that does not answer is no reason not to start: it may come back. One that refuses this node is.
    pub fn join(settings: &Settings) -> Result<Self, Failure> {
        let (url, key, options) = parts(settings)?;
        let answers = match url.probe(&key, &options) {
            Ok(()) => true,
            Err(error @ ClusterError::Unavailable(_)) => {
                tracing::warn!(%error, "started without the cluster's engine");
                false
            }
            Err(error) => return Err(wrong(error)),
        };
        let node = options.node.clone();
        let cluster = gateway_cluster::Cluster::start(&url, &key, options).map_err(wrong)?;
        // before it has its lease it would decide alone, though others are there
        let end = Instant::now() + JOINING;
        while answers && !cluster.figures().joined && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        tracing::info!(engine = %url, node, "joined the cluster");
        Ok(Self::of(cluster))
    }

    /// A node that takes part already.
    pub fn of(cluster: gateway_cluster::Cluster) -> Self {
        Self {
            cluster,
            is_double: Arc::default(),
        }
    }

    /// What it is called by.
    pub fn handle(&self) -> &gateway_cluster::Cluster {
        &self.cluster
    }

    /// A server whose sessions share maildrops and failed logins with those of other nodes.
    pub fn serving(&self, server: Builder) -> Builder {
        let locks = Locks::new();
        server
            .locks(locks.clone())
            .holder(NodeHolder::new(locks, self.cluster.clone()))
            .others(Failures::new(self.cluster.clone()))
    }

    /// One refresh at a time for each grant, over all nodes.
    #[cfg(feature = "oauth")]
    pub fn turns(&self) -> Arc<dyn crate::oauth::Turns> {
        Arc::new(turns::NodeTurns(self.cluster.clone()))
    }

    /// Lets the server end if another, older node has this one's name.
    pub fn watch(&self, server: &Server) -> Result<(), Failure> {
        let (node, shutdown) = (self.clone(), server.shutdown().clone());
        let watch = move || {
            let Ending::Namesake = block_on(node.cluster.ended()) else {
                return;
            };
            tracing::error!("{}", Ending::Namesake);
            node.is_double.store(true, Ordering::SeqCst);
            shutdown.advance();
        };
        let thread = std::thread::Builder::new().name("cluster-watch".into());
        thread.spawn(watch).map_err(Failure::running)?;
        Ok(())
    }

    /// Gives back what it holds, once all sessions have ended.
    pub fn leave(&self) -> Result<(), Failure> {
        let late = async {
            let (late, wait) = std::sync::mpsc::channel::<()>();
            // an end of the channel is as good as the end of the time
            let _ = blocking::unblock(move || wait.recv_timeout(LEAVING)).await;
            drop(late);
        };
        block_on(self.cluster.leave().or(late));
        match self.is_double.load(Ordering::SeqCst) {
            true => Err(Failure::configuration(Ending::Namesake)),
            false => Ok(()),
        }
    }
}

/// The only node of a cluster in this process: what counts for all nodes counts here.
pub fn alone() -> Result<gateway_cluster::Cluster, ClusterError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| ClusterError::System(error.to_string()))?;
    let key = ClusterKey::new(&Secret::from(&secret[..]))?;
    let url = ClusterUrl::memory(&Memory::new());
    gateway_cluster::Cluster::start(&url, &key, Options::new("alone"))
}

/// Tries the engine, as `check --connect` does.
pub fn probe(settings: &Settings) -> Result<(), Failure> {
    let (url, key, options) = parts(settings)?;
    url.probe(&key, &options).map_err(Failure::running)
}

/// Reads what the configuration names; connects to nothing.
pub fn parts(settings: &Settings) -> Result<(ClusterUrl, ClusterKey, Options), Failure> {
    let of = |error: String| Failure::configuration(format!("[cluster]: {error}"));
    let url = settings.place().map_err(of)?;
    let key = ClusterKey::new(&settings.secret().map_err(of)?).map_err(wrong)?;
    let mut options = Options::new(settings.node());
    options.on_failure = settings.on_failure;
    if let Some(name) = &settings.name {
        options.cluster.clone_from(name);
    }
    if let Some(timing) = timing() {
        options.timing = timing;
    }
    options.notice = Arc::new(say);
    Ok((url, key, options))
}

fn wrong(error: ClusterError) -> Failure {
    Failure::configuration(format!("[cluster]: {error}"))
}

fn say(notice: &Notice) {
    match notice.is_problem() {
        true => tracing::warn!("{notice}"),
        false => tracing::info!("{notice}"),
    }
}

/// Shorter times, in the proportions of the usual ones.
fn timing() -> Option<Timing> {
    static TIMING: OnceLock<Option<Timing>> = OnceLock::new();
    *TIMING.get_or_init(|| {
        let millis = std::env::var(LEASE).ok()?.parse().ok()?;
        let mut timing = Timing::default();
        let usual = timing.lease.as_secs_f64();
        let lease = Duration::from_millis(millis);
        let factor = lease.as_secs_f64() / usual;
        timing.lease = lease;
        timing.margin = timing.margin.mul_f64(factor);
        timing.renew = timing.renew.mul_f64(factor);
        timing.grace = timing.grace.mul_f64(factor);
        timing.probe = timing.probe.mul_f64(factor);
        Some(timing)
    })
}
