//! A moment on a session's own clock.
//!
//! The machines never read a clock: the caller passes the time. A [`Time`] is counted from
//! any fixed start the driver likes, so that tests and fuzzers can invent moments.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use pop3_proto::time::Time;
//!
//! let start = Time::ZERO;
//! let later = start + Duration::from_secs(600);
//! assert_eq!(later.since(start), Duration::from_secs(600));
//! ```

use core::ops::Add;
use core::time::Duration;

/// A moment, counted from a fixed start that the driver chooses. It never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The start of the clock.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment that lies `elapsed` after the start of the clock.
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the start of the clock this moment lies.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time that passed from `earlier` to this moment; zero if `earlier` lies later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates at the end of the clock.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}
