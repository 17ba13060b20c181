//! What is remembered of messages that an upstream could not send.
//!
//! A message on which the connection breaks would break every session at the same place: the client would
//! get the ones before it again at each poll, and the ones after it never. So a failure is remembered by
//! mailbox and UID, beyond the session:
//!
//! | it failed | what becomes of it |
//! |---|---|
//! | once | it is asked for alone, so that no other message can be the cause |
//! | twice | it is refused for ten minutes, and then tried again |
//! | three times | the same for an hour |
//! | more often | the same for six hours |
//!
//! The first failure may be the connection's. So may the second, which is why the first refusal is short. A
//! failure is forgotten once the message was sent whole, or a day after the last one.
//!
//! Owns the count and its bound. Never knows what failed or why, and knows nothing of messages that were
//! not reported. It has no clock and no lock: [`Memory`] is the way to share it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use pop3_proto::time::Time;

/// How long a message is refused after each number of failures; the last entry counts for all further ones.
const REFUSED: [Duration; 5] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
];
/// It is forgotten after this long without a failure.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known against it.
    Good,
    /// It failed: ask for nothing else in the same command.
    Doubtful,
    /// It failed several times: do not ask for it before this moment.
    RefusedUntil(Time),
}

/// The messages that failed, of all mailboxes: 1,024 at most, of which the oldest makes room.
#[derive(Debug, Default)]
pub struct BrokenMessages {
    failures: BTreeMap<(Arc<str>, u64), Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u8,
    last: Time,
}

impl Failures {
    fn standing(self, now: Time) -> Standing {
        let count = usize::from(self.count).min(REFUSED.len() - 1);
        let until = self.last + REFUSED[count];
        if now.since(self.last) >= FORGOTTEN {
            Standing::Good
        } else if now < until {
            Standing::RefusedUntil(until)
        } else {
            Standing::Doubtful
        }
    }
}

impl BrokenMessages {
    /// The most messages that are remembered.
    pub const CAPACITY: usize = 1024;

    /// How many messages are remembered.
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// What to do with a message of this mailbox. The mailbox's name holds everything that makes its UIDs
    /// unique: server, user, folder and UIDVALIDITY.
    pub fn standing(&self, now: Time, mailbox: &Arc<str>, uid: u64) -> Standing {
        if self.failures.is_empty() {
            return Standing::Good;
        }
        let known = self.failures.get(&(Arc::clone(mailbox), uid));
        known.map_or(Standing::Good, |known| known.standing(now))
    }

    /// It could not be sent.
    pub fn failed(&mut self, now: Time, mailbox: &Arc<str>, uid: u64) {
        self.failures
            .retain(|_, known| now.since(known.last) < FORGOTTEN);
        let key = (Arc::clone(mailbox), uid);
        let before = self.failures.get(&key).map_or(0, |known| known.count);
        if before == 0 && self.failures.len() >= Self::CAPACITY {
            let oldest = self.failures.iter().min_by_key(|(_, known)| known.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.failures.remove(&oldest);
            }
        }
        let count = before.saturating_add(1);
        self.failures.insert(key, Failures { count, last: now });
    }

    /// It was sent whole.
    pub fn sent(&mut self, mailbox: &Arc<str>, uid: u64) {
        if !self.failures.is_empty() {
            self.failures.remove(&(Arc::clone(mailbox), uid));
        }
    }
}

/// One [`BrokenMessages`] for all sessions of a process.
pub trait Memory: Send + Sync + fmt::Debug {
    /// Lends it, to one at a time.
    fn lend(&self, to: &mut dyn FnMut(&mut BrokenMessages));

    /// Whether nothing is remembered, as it nearly always is. Asked for each message, so it should not wait for a lock.
    fn is_empty(&self) -> bool;
}

/// One [`BrokenMessages`] for the sessions of all threads.
#[cfg(feature = "std")]
#[derive(Debug, Default)]
pub struct SharedMessages {
    any: std::sync::atomic::AtomicBool,
    messages: std::sync::Mutex<BrokenMessages>,
}

#[cfg(feature = "std")]
impl Memory for SharedMessages {
    fn lend(&self, to: &mut dyn FnMut(&mut BrokenMessages)) {
        // a thread that panicked left a count that is as good as any
        let lock = self.messages.lock();
        let mut messages = lock.unwrap_or_else(std::sync::PoisonError::into_inner);
        to(&mut messages);
        let any = !messages.is_empty();
        self.any.store(any, std::sync::atomic::Ordering::Release);
    }

    fn is_empty(&self) -> bool {
        !self.any.load(std::sync::atomic::Ordering::Acquire)
    }
}
