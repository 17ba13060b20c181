//! Sizes of messages that had to be counted, so that each is counted once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::queries::Id;

/// Sizes by user and message, up to a bound; the long unused go first.
pub(crate) struct Sizes {
    /// A name is two hashes: 64 bits are not enough to tell messages apart.
    hashers: [RandomState; 2],
    young: HashMap<u128, u64>,
    old: HashMap<u128, u64>,
    limit: usize,
}

impl Sizes {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            young: HashMap::new(),
            old: HashMap::new(),
            limit,
        }
    }

    pub(crate) fn get(&mut self, user: &str, id: &Id) -> Option<u64> {
        let name = self.name(user, id);
        if let Some(size) = self.young.get(&name) {
            return Some(*size);
        }
        let size = self.old.remove(&name)?;
        self.put(name, size);
        Some(size)
    }

    pub(crate) fn insert(&mut self, user: &str, id: &Id, size: u64) {
        let name = self.name(user, id);
        self.put(name, size);
    }

    fn put(&mut self, name: u128, size: u64) {
        if self.young.len() >= self.limit / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        if self.limit >= 2 {
            self.young.insert(name, size);
        }
    }

    fn name(&self, user: &str, id: &Id) -> u128 {
        let [a, b] = &self.hashers;
        u128::from(a.hash_one((user, id))) << 64 | u128::from(b.hash_one((user, id)))
    }
}
