//! Telling the task of another connection that something concerns it.
//!
//! Owns a flag and the task that is woken when it goes up. Never says what it is about: the two sides agree
//! on that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A flag that wakes. It goes up once and stays up, and it is polled ready once.
#[derive(Debug, Default)]
pub(crate) struct Notice {
    raised: AtomicBool,
    seen: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Notice {
    /// Raises the flag. Never call it with a lock held that the woken task may want: a waker may own it.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the flag is up.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Ready when the flag is up, the first time. A task that would be woken for the same flag again and
    /// again would never rest.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.seen.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = waker.replace(cx.waker().clone());
        drop(waker);
        drop(before);
        if self.is_raised() {
            self.seen.store(true, Ordering::Relaxed);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
