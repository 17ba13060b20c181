//! What failed logins are counted for, and how long the next one waits: the rules that a node has for itself, for all
//! nodes together.

use std::time::Duration;

use crate::digest::{ClusterKey, Digest};

/// How many doubtful failures count at most.
pub const DOUBTS: u32 = 3;

/// How many logins of a subject may be abandoned before that counts as wrong.
pub const BROKEN_OFF: u32 = 3;

/// How long a turn is kept for a login that is being looked at.
pub const TURN: Duration = Duration::from_secs(10);

/// How the wait grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// After the first failure; doubles with each further one.
    pub first: Duration,
    /// The longest; zero means that no login waits.
    pub most: Duration,
    /// How long a wrong password is remembered.
    pub memory: Duration,
    /// How long a failure is remembered that may be the upstream's fault.
    pub doubt: Duration,
}

impl Rules {
    /// The wait after this many failures.
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most)
    }
}

/// What a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The credentials were refused.
    Wrong,
    /// The login failed in another way, after the credentials had gone out.
    Doubtful,
    /// The client left while the credentials were looked at: wrong, after the first [`BROKEN_OFF`].
    Left,
    /// The client left before the credentials were looked at, while the login waited.
    Unseen,
}

/// An address, a network or a name, and when its failures matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub(crate) digest: Digest,
    pub(crate) sources: u32,
    pub(crate) most: u32,
}

impl Subject {
    /// A subject of a kind. Its failures matter once they come from so many sources, and so many count `at most`.
    pub fn new(key: &ClusterKey, kind: &str, name: &[u8], sources: u32, most: u32) -> Self {
        let kind = format!("failed {kind}");
        Self {
            digest: key.digest(&kind, name),
            sources: sources.clamp(1, 16),
            most,
        }
    }
}
