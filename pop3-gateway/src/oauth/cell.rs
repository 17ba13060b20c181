//! What there is in memory of one grant.
//!
//! Owns how long a token may be used, when it is to be replaced, and that those who wait for a request hear of its end
//! whatever comes. Asks nobody and decides nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_lock::OnceCell;
use gateway_state::{GrantId, Tokens, Version};
use pop3_proto::secret::Secret;

use super::answer::MAX_LIFE;
use super::hidden::Hidden;
use super::refusal::NoToken;

/// A token that ends sooner is not given out, in seconds.
const MARGIN: u64 = 60;

/// What logins wait for together.
pub(super) type Flight = Arc<OnceCell<Result<Secret, NoToken>>>;

/// One grant that was used since the start.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) now: Mutex<Now>,
}

#[derive(Default)]
pub(super) struct Now {
    pub(super) token: Option<Token>,
    pub(super) flight: Option<Flight>,
    /// New tokens that could not be kept yet, and in the place of which they go.
    pub(super) unkept: Option<(Version, Tokens)>,
    /// The provider is not asked before this, and why.
    pub(super) rest: Option<(Instant, NoToken)>,
    /// How often in a row nothing was got, and since when.
    pub(super) failures: Option<(u32, Instant)>,
    pub(super) forced: Option<Instant>,
    /// When the use was noted last, in seconds since 1970.
    pub(super) noted: u64,
}

impl Now {
    pub(super) fn rests(&self) -> bool {
        self.rest
            .as_ref()
            .is_some_and(|(until, _)| Instant::now() < *until)
    }

    /// The same for what no login waits for: the longer a provider is away, the less often it is asked.
    pub(super) fn rests_ahead(&self) -> bool {
        let pauses = |(count, since): &(u32, Instant)| since.elapsed() < pause(*count);
        self.rests() || self.failures.as_ref().is_some_and(pauses)
    }

    /// Nothing was got, once more.
    pub(super) fn failed(&mut self) {
        let before = self.failures.map_or(0, |(count, _)| count);
        self.failures = Some((before.saturating_add(1), Instant::now()));
    }

    /// Whether anything would be lost with it.
    pub(super) fn matters(&self, now: u64) -> bool {
        self.flight.is_some()
            || self.unkept.is_some()
            || self.rests()
            || self.token.as_ref().is_some_and(|token| token.lives(now))
    }
}

/// An access token that lives.
pub(super) struct Token {
    pub(super) access: Hidden,
    /// When it is to be replaced, in seconds since 1970.
    pub(super) due: u64,
    /// When somebody signed in for it, in seconds since 1970; nobody did for an app's.
    pub(super) obtained: Option<u64>,
    expires: u64,
    /// The same end on a clock that cannot be set.
    ends: Instant,
}

impl Token {
    pub(super) fn new(
        access: Hidden,
        due: u64,
        obtained: Option<u64>,
        expires: u64,
        now: u64,
    ) -> Self {
        let life = expires.saturating_sub(now).min(MAX_LIFE);
        Self {
            access,
            due,
            obtained,
            expires,
            ends: Instant::now() + Duration::from_secs(life),
        }
    }

    pub(super) fn lives(&self, now: u64) -> bool {
        alive(self.expires, now) && Instant::now() < self.ends
    }
}

/// The end of a flight, whatever comes: those who wait for it must hear of it.
pub(super) struct Landing {
    pub(super) cell: Arc<Cell>,
    pub(super) flight: Flight,
}

impl Landing {
    pub(super) fn land(&self, landed: Result<Secret, NoToken>) {
        lock(&self.cell.now).flight = None;
        // there is no other landing
        let _ = self.flight.set_blocking(landed);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.flight.is_initialized() {
            self.land(Err(NoToken::passing("asking for a token broke off")));
        }
    }
}

/// How long nobody asks ahead after so many failures: 20 seconds, then twice as long each time, and 5 minutes at most, so
/// that what is due at four fifths of an hour is there before its end.
fn pause(failures: u32) -> Duration {
    let doubled = 10_u64.saturating_mul(1 << failures.min(10));
    Duration::from_secs(doubled.min(300))
}

pub(super) fn alive(expires: u64, now: u64) -> bool {
    now.saturating_add(MARGIN) < expires
}

/// When a token is to be replaced: at four fifths of its life, earlier by up to a tenth, so that not all come at once.
pub(super) fn due(id: &GrantId, since: u64, expires: u64) -> u64 {
    let life = expires.saturating_sub(since).min(MAX_LIFE);
    let sum = id.owner.bytes().chain(id.grant.bytes());
    let spread = sum.fold(0_u64, |sum, octet| (sum * 31 + u64::from(octet)) % 100);
    since.saturating_add(life * 4 / 5 - life * spread / 1000)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_stays_away_is_asked_less_and_less() {
        let pauses = [1, 2, 3, 4, 5, 6, 100, u32::MAX].map(|count| pause(count).as_secs());
        assert_eq!(pauses, [20, 40, 80, 160, 300, 300, 300, 300]);
        let mut now = Now::default();
        assert!(!now.rests_ahead());
        now.failed();
        now.failed();
        assert!(now.rests_ahead() && !now.rests());
        assert_eq!(now.failures.map(|(count, _)| count), Some(2));
    }
}
