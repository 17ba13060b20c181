//! Logins that wait for the state, where that is a database that may be slow or away.
//!
//! Owns how many wait at once, and that none waits for a database that gave no answer a moment ago: each takes a thread,
//! and other mailboxes need threads, too. Decides nothing about a login.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_state::StateError;

/// The most that wait at once.
const MOST: usize = 64;
/// After a failure nobody waits before this.
const REST: Duration = Duration::from_secs(1);

/// What waits, and what failed.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    under_way: AtomicUsize,
    failed: Mutex<Option<(Instant, String)>>,
}

/// One that waits, until this is dropped.
struct Waiting<'l>(&'l AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lookups {
    /// Asks, unless too many wait already or it failed a moment ago.
    pub(super) fn ask<T>(
        &self,
        ask: impl FnOnce() -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, why)) = failed().as_ref().filter(|(at, _)| at.elapsed() < REST) {
            return Err(StateError::Unavailable(why.clone()));
        }
        let others = self.under_way.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.under_way);
        if others >= MOST {
            let text = format!("the state is slow: {MOST} logins wait for it already");
            return Err(StateError::Unavailable(text));
        }
        let answer = ask();
        if let Err(StateError::Unavailable(why)) = &answer {
            *failed() = Some((Instant::now(), why.clone()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Barrier;

    use super::*;

    fn text(answer: Result<(), StateError>) -> String {
        answer.unwrap_err().to_string()
    }

    #[test]
    fn few_wait_and_the_others_hear_so_at_once() {
        let lookups = Lookups::default();
        let (all_wait, answered) = (Barrier::new(MOST + 1), Barrier::new(MOST + 1));
        let wait = || {
            all_wait.wait();
            answered.wait();
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..MOST)
                .map(|_| scope.spawn(|| lookups.ask(wait)))
                .collect();
            all_wait.wait();
            assert!(text(lookups.ask(|| Ok(()))).contains("64 logins wait"));
            answered.wait();
            for thread in threads {
                thread.join().unwrap().unwrap();
            }
        });
        lookups.ask(|| Ok(())).unwrap();
    }

    #[test]
    fn nobody_waits_for_what_failed_a_moment_ago() {
        let lookups = Lookups::default();
        // a refusal is an answer
        let refused = text(lookups.ask(|| Err(StateError::Refused("no".into()))));
        lookups.ask(|| Ok(())).unwrap();
        let away = text(lookups.ask(|| Err(StateError::Unavailable("no answer".into()))));
        assert_ne!(away, refused);
        let not_asked = || panic!("asked");
        assert_eq!(text(lookups.ask(not_asked)), away);
        *lookups.failed.lock().unwrap() = Instant::now()
            .checked_sub(REST)
            .map(|at| (at, String::new()));
        lookups.ask(|| Ok(())).unwrap();
    }
}
