//! Which node refreshes a grant.

use std::time::Duration;

use futures_lite::future::block_on;
use gateway_cluster::{Cluster, Refresh};
use gateway_state::GrantId;

use crate::oauth::{Turn, Turns};

/// How long another node is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns of all nodes.
pub(super) struct NodeTurns(pub(super) Cluster);

impl Turns for NodeTurns {
    fn turn(&self, id: &GrantId) -> Turn {
        let grant = format!("{}\n{}", id.grant, id.owner);
        match block_on(self.0.refresh(&grant, PATIENCE)) {
            Refresh::Yours(lease) => Turn::Ours(Some(Box::new(lease))),
            Refresh::Waited => Turn::Waited,
            Refresh::Alone => Turn::Ours(None),
        }
    }
}
