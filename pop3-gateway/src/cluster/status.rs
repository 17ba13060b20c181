//! `status --cluster`: which nodes there are, and what they hold.
//!
//! Takes part under a name of its own for a moment, because the engine answers nodes alone; it holds nothing.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use gateway_cluster::{Cluster, ClusterStatus, NodeStatus};
use serde_json::{Value, json};

use super::{parts, wrong};
use crate::cli::tools::Status;
use crate::config::Config;
use crate::{Failure, print};

/// How long the engine may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `status --cluster`.
pub fn run(arguments: &Status) -> Result<(), Failure> {
    let config = Config::load(&arguments.file.config)?;
    let Some(settings) = &config.cluster else {
        return Err(Failure::configuration(
            "there is no [cluster] in this configuration",
        ));
    };
    let (url, key, mut options) = parts(settings)?;
    url.probe(&key, &options).map_err(Failure::running)?;
    options.node = format!("status.{}", std::process::id());
    let own = options.node.clone();
    let cluster = Cluster::start(&url, &key, options).map_err(wrong)?;
    let end = Instant::now() + PATIENCE;
    let status = loop {
        let status = block_on(cluster.status());
        if status.answered || Instant::now() > end {
            break status;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    block_on(cluster.leave());
    if !status.answered {
        return Err(Failure::running(format!(
            "[cluster]: {url} gave no answer in time"
        )));
    }
    let mut nodes: Vec<_> = status
        .nodes
        .iter()
        .filter(|node| node.name != own)
        .collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    match arguments.json {
        true => print(format!("{:#}\n", as_json(&status, &nodes)).as_bytes()),
        false => print(as_text(&status, &nodes).as_bytes()),
    }
}

fn as_text(status: &ClusterStatus, nodes: &[&NodeStatus]) -> String {
    let mut text = format!("{}\n", status.engine);
    for node in nodes {
        let (name, holds, left) = (&node.name, node.holds, node.left.as_secs());
        // writing to a string cannot fail
        let _ = write!(
            text,
            "{name:<20} {holds} maildrops, lease ends in {left} s unless renewed"
        );
        if !node.degraded.is_zero() {
            let _ = write!(
                text,
                "; was without the engine for {} s",
                node.degraded.as_secs()
            );
        }
        text.push('\n');
    }
    if nodes.is_empty() {
        text.push_str("No node.\n");
    }
    text
}

fn as_json(status: &ClusterStatus, nodes: &[&NodeStatus]) -> Value {
    let node = |own: &&NodeStatus| {
        json!({
            "name": own.name,
            "lease": own.lease,
            "lease_ends_in": own.left.as_secs_f64(),
            "holds": own.holds,
            "was_degraded_for": own.degraded.as_secs_f64(),
        })
    };
    json!({
        "engine": status.engine,
        "fence": status.fence,
        "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
    })
}
