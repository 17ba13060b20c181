//! How a node takes part.

use std::fmt;
use std::sync::Arc;

use crate::error::ClusterError;
use crate::notice::Notice;
use crate::timing::Timing;

/// What happens to a login while the engine does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// This process decides alone.
    #[default]
    Open,
    /// It is refused.
    Closed,
}

/// How a node takes part.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The name of the node, different from all others.
    pub node: String,
    /// The name of the cluster: several may use one engine.
    pub cluster: String,
    /// What happens to a login while the engine does not answer.
    pub on_failure: OnFailure,
    /// How long things last; the same on all nodes.
    pub timing: Timing,
    /// Hears what an operator should. It must not block.
    pub notice: Arc<dyn Fn(&Notice) + Send + Sync>,
}

impl Options {
    /// The usual ones for a node with this name.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            cluster: "gateway".into(),
            on_failure: OnFailure::default(),
            timing: Timing::default(),
            notice: Arc::new(|_| ()),
        }
    }

    /// Whether the names are good.
    pub(crate) fn check(&self) -> Result<(), ClusterError> {
        for (what, name) in [("node", &self.node), ("cluster", &self.cluster)] {
            let good = |octet: u8| octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
                return Err(ClusterError::Name(what));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("node", &self.node)
            .field("cluster", &self.cluster)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}
