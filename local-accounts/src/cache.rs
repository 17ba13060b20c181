//! Which logins were right a moment ago: POP3 clients poll, and a hash takes a quarter of a second.
//!
//! An entry is a keyed digest of user, credential and password together: it fits no other user, a
//! changed credential makes it worthless, and nothing can be learned from it without the key, which is
//! made when the process starts and never leaves it. Failures are never kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use pop3_proto::secret::Secret;
use sha2::Sha256;

/// The secret that the digests are made with: as long as a block, so that it is used as it is.
pub(crate) type MacKey = [u8; 64];
/// A digest.
pub(crate) type Key = [u8; 32];

/// Digests of logins, and until when they are valid.
pub(crate) struct Cache {
    mac: Hmac<Sha256>,
    lifetime: Duration,
    capacity: usize,
    entries: Mutex<HashMap<Key, Instant>>,
}

impl Cache {
    pub(crate) fn new(key: &MacKey, lifetime: Duration, capacity: usize) -> Self {
        Self {
            mac: Hmac::<Sha256>::new(key.into()),
            lifetime,
            capacity,
            entries: Mutex::default(),
        }
    }

    /// The entry of this login.
    pub(crate) fn key(&self, user: &str, credential: &Secret, password: &Secret) -> Key {
        let mut mac = self.mac.clone();
        for field in [user.as_bytes(), credential.expose(), password.expose()] {
            // with its length in front, no field runs into the next
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn holds(&self, key: &Key, now: Instant) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).is_some_and(|until| now < *until)
    }

    /// Keeps the entry, unless too many are kept.
    pub(crate) fn insert(&self, key: Key, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity {
            entries.retain(|_, until| now < *until);
        }
        if entries.len() < self.capacity {
            entries.insert(key, now + self.lifetime);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.as_bytes())
    }

    #[test]
    fn v16_a_key_names_user_credential_and_password() {
        let cache = Cache::new(&[7; 64], Duration::from_secs(60), 10);
        let key =
            |user, credential, password| cache.key(user, &secret(credential), &secret(password));
        let base = key("ab", "cd", "ef");
        assert_eq!(base, key("ab", "cd", "ef"));
        for other in [
            key("a", "bcd", "ef"),
            key("ab", "c", "def"),
            key("abcd", "", "ef"),
            key("ab", "cd", "e"),
            key("x", "cd", "ef"),
        ] {
            assert_ne!(base, other);
        }
        let elsewhere = Cache::new(&[8; 64], Duration::from_secs(60), 10);
        assert_ne!(base, elsewhere.key("ab", &secret("cd"), &secret("ef")));
    }

    #[test]
    fn entries_end_and_are_bounded() {
        let cache = Cache::new(&[7; 64], Duration::from_secs(60), 2);
        let now = Instant::now();
        cache.insert([1; 32], now);
        assert!(cache.holds(&[1; 32], now + Duration::from_secs(59)));
        assert!(!cache.holds(&[1; 32], now + Duration::from_secs(60)));
        cache.insert([2; 32], now);
        cache.insert([3; 32], now);
        assert!(!cache.holds(&[3; 32], now), "no room");
        let later = now + Duration::from_secs(60);
        cache.insert([3; 32], later);
        assert!(cache.holds(&[3; 32], later), "the old ones made room");
    }
}
