//! What an operator is to hear, each a line of a log.

use std::fmt;
use std::time::Duration;

/// Something about the cluster that is worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The engine does not answer.
    Gone {
        /// The engine's error.
        cause: String,
    },
    /// Still not; said once a minute.
    StillGone {
        /// For how long.
        since: Duration,
        /// Maildrops held by this process alone, since it started.
        alone: u64,
        /// Sessions refused because of it, since the process started.
        refused: u64,
    },
    /// It answers again.
    Back {
        /// How long it did not.
        after: Duration,
    },
    /// The engine had lost what it knew: nothing new is held for a moment.
    Grace {
        /// For how long.
        grace: Duration,
    },
    /// Holds were lost while sessions ran.
    Lapsed {
        /// How many.
        count: u64,
    },
    /// The nodes have different secrets.
    OtherSecret,
    /// There is something in the engine that this program did not write.
    Foreign,
}

impl Notice {
    /// Whether somebody has to do something about it.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        match self {
            Self::Gone { .. }
            | Self::StillGone { .. }
            | Self::Lapsed { .. }
            | Self::OtherSecret
            | Self::Foreign => true,
            Self::Back { .. } | Self::Grace { .. } => false,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { cause } => write!(f, "the cluster's engine does not answer: {cause}"),
            Self::StillGone {
                since,
                alone,
                refused,
            } => write!(
                f,
                "the cluster's engine has not answered for {} s; {alone} maildrops were held by this node alone, {refused} \
                 sessions refused",
                since.as_secs()
            ),
            Self::Back { after } => write!(
                f,
                "the cluster's engine answers again, after {} s",
                after.as_secs()
            ),
            Self::Grace { grace } => write!(
                f,
                "the cluster's engine was empty: the nodes say what they hold, and for {} s nothing new is held",
                grace.as_secs()
            ),
            Self::Lapsed { count } => write!(
                f,
                "{count} holds of maildrops were lost: the lease of this node ended before it could be renewed"
            ),
            Self::OtherSecret => f.write_str(
                "the cluster's engine is used by nodes with another secret: give all nodes of a cluster the same, or this \
                 cluster a name of its own",
            ),
            Self::Foreign => f.write_str(
                "the cluster's engine has values that this version did not write: another program uses the same names, or \
                 a newer version runs; give this cluster a name of its own, or update this node",
            ),
        }
    }
}
