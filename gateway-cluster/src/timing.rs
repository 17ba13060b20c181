//! How long things last. All nodes of a cluster have the same.

use std::time::Duration;

/// The times of a cluster. Only tests have a reason for others than the usual ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// How long the engine keeps a lease that is not renewed.
    pub lease: Duration,
    /// How much earlier the node itself counts it as lost.
    pub margin: Duration,
    /// How often it is renewed. Less than the grace, or a node would not learn in time that the engine is empty.
    pub renew: Duration,
    /// How long nothing new is held after the engine lost what it knew.
    pub grace: Duration,
    /// How long an answer may take.
    pub answer: Duration,
    /// From one batch of questions to the next, where questions came during the first: more will come. A batch costs much
    /// more than a question, here and at the engine. A question that is alone waits for nothing.
    pub pace: Duration,
    /// How often an engine that does not answer is tried.
    pub probe: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            margin: Duration::from_secs(5),
            renew: Duration::from_secs(3),
            grace: Duration::from_secs(5),
            answer: Duration::from_millis(500),
            pace: Duration::from_millis(3),
            probe: Duration::from_secs(2),
        }
    }
}

/// After how many failures in a row the engine counts as gone.
pub(crate) const FAILURES: u32 = 3;

/// What has not been touched for so long is litter.
pub(crate) const LITTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A hold that is older is said again, or it would become litter.
pub(crate) const REPEAT: Duration = Duration::from_secs(8 * 60 * 60);
