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
        match block_on(self.0.refresh(&grant(id), PATIENCE)) {
            Refresh::Yours(lease) => Turn::Ours(Some(Box::new(lease))),
            Refresh::Waited => Turn::Waited,
            Refresh::Alone => Turn::Ours(None),
        }
    }

    fn rests(&self, id: &GrantId) -> Duration {
        self.0.wait_for(&provider(id))
    }

    fn rest(&self, id: &GrantId, span: Duration) {
        self.0.back_off(&provider(id), span);
    }
}

fn grant(id: &GrantId) -> String {
    format!("{}\n{}", id.grant, id.owner)
}

/// The provider of a grant, as an account to leave alone: no account of an upstream begins with a line end.
fn provider(id: &GrantId) -> String {
    format!("\n{}", grant(id))
}
