//! When a grant or an account was used last: which uses are written down.
//!
//! Owns the rule, and never writes anything.

/// A use is written down only if the last that was is this many seconds away: not every login is to wait for the
/// disk.
pub(crate) const USE_STEP: u64 = 300;

/// Whether a use is to be written down. A clock that was set back is followed.
pub(crate) const fn is_news(used: u64, now: u64) -> bool {
    used.abs_diff(now) >= USE_STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_leaves_no_use_in_the_future() {
        let (now, year) = (1_800_000_000, 365 * 86_400);
        assert!(!is_news(now, now + 1));
        assert!(is_news(now, now + USE_STEP));
        assert!(is_news(now, now - year));
    }
}
