//! What all handles of a node share.
//!
//! Owns the end: when the last handle is dropped, the node leaves. Asks nothing.

use std::sync::Arc;

use crate::digest::ClusterKey;
use crate::shared::Shared;

/// What all handles share. When it is dropped, the node leaves.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) key: ClusterKey,
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) boot: u64,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.with(|state, _| state.closing = true);
    }
}
