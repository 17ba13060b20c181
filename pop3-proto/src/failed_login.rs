//! What failed logins cost the next one: the rule, for a process that counts alone and for several that count together.
//!
//! Owns how long a wait is and which failures make it longer. Keeps no failures, reads no clock, and does not know who
//! waits.
//!
//! A subject is what failures are counted for: an address, a wider network, or a name. Failures are of two kinds. A *wrong*
//! one is a refused password; it is remembered for [`Delay::memory`], and each one doubles the wait. A *doubtful* one is a
//! login that failed without a refusal, as all logins do while an upstream is out of order: it counts for [`Delay::doubt`]
//! only, and at most [`DOUBTS`] of them count, so that no user is punished when an outage ends.

use core::time::Duration;

/// How many doubtful failures count at most: 2 s, 4 s, 8 s with the usual rules.
pub const DOUBTS: u32 = 3;

/// How many logins of a subject may be abandoned while they are looked at before that counts as wrong: a
/// line may break, and its user tries again at once.
pub const BROKEN_OFF: u32 = 3;

/// How long a turn is kept for a login that is being looked at: a slow upstream, or a client that does not
/// answer a challenge, cannot hold up the others for longer.
pub const TURN: Duration = Duration::from_secs(10);

/// How the wait grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// After the first failure; doubles with each further one.
    pub first: Duration,
    /// The longest; zero means that no login waits.
    pub most: Duration,
    /// How long a wrong password is remembered.
    pub memory: Duration,
    /// How long a failure is remembered that may be the upstream's fault.
    pub doubt: Duration,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            most: Duration::from_secs(30),
            memory: Duration::from_secs(15 * 60),
            doubt: Duration::from_secs(60),
        }
    }
}

impl Delay {
    /// The wait after this many failures.
    pub fn after(&self, failures: u32) -> Duration {
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

/// When the failures of a subject matter, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// How many sources they have to come from.
    pub sources: u32,
    /// How many count at most.
    pub most: u32,
}

impl Scope {
    /// How many of these failures count, if they came from so many sources.
    pub fn weight(self, wrong: u32, doubtful: u32, sources: u32) -> u32 {
        if sources < self.sources {
            return 0;
        }
        // the failures that it took to reach that many sources are not held against the subject
        let passed = self.sources.saturating_sub(1);
        let counted = doubtful.saturating_sub(passed.saturating_sub(wrong));
        wrong
            .saturating_sub(passed)
            .saturating_add(counted.min(DOUBTS))
            .min(self.most)
    }
}
