//! Whether a row is still as this session showed it: a row that was changed meanwhile is not removed.
//!
//! Owns the digests of what was sent. They are keyed anew in every session and never leave the process.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a session sent, by place in its list. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    keys: RandomState,
    digests: Arc<Mutex<HashMap<u32, u64>>>,
}

impl Sent {
    /// This session's hash, for what is listed and sent.
    pub(crate) fn hasher(&self) -> DefaultHasher {
        self.keys.build_hasher()
    }

    /// The digest of a message.
    pub(crate) fn digest(&self, message: &[u8]) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(message);
        hasher.finish()
    }

    pub(crate) fn note(&self, place: u32, digest: u64) {
        self.digests().insert(place, digest);
    }

    /// `None`: it was not sent, or not to its end.
    pub(crate) fn get(&self, place: u32) -> Option<u64> {
        self.digests().get(&place).copied()
    }

    /// Nothing under the lock can be interrupted half done.
    fn digests(&self) -> MutexGuard<'_, HashMap<u32, u64>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
