//! What failed logins are counted for. The rule is [`pop3_proto::failed_login`]'s, for all nodes together.

use pop3_proto::failed_login::Scope;

use crate::digest::{ClusterKey, Digest};

/// An address, a network or a name, and when its failures matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub(crate) digest: Digest,
    pub(crate) scope: Scope,
}

impl Subject {
    /// A subject of a kind.
    pub(crate) fn new(key: &ClusterKey, kind: &str, name: &[u8], scope: Scope) -> Self {
        let kind = format!("failed {kind}");
        Self {
            digest: key.digest(&kind, name),
            scope: Scope {
                sources: scope.sources.clamp(1, 16),
                ..scope
            },
        }
    }
}
