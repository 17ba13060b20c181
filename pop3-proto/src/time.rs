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

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A moment, counted from a fixed start that the driver chooses. It never goes back. In nanoseconds, which end after 584
/// years: a session keeps some twenty moments.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// The moment that lies `elapsed` after the start of the clock, or the end of the clock.
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(nanoseconds(elapsed))
    }

    /// How long after the start of the clock this moment lies.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time that passed from `earlier` to this moment; zero if `earlier` lies later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

const fn nanoseconds(span: Duration) -> u64 {
    let seconds = span.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(span.subsec_nanos() as u64)
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates at the end of the clock.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(span)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.since_start()).finish()
    }
}
