//! Secrets that stay in memory for hours, so that they do not lie there in the clear.
//!
//! An access token lives as long as its grant is used, and is wanted for a moment at each login. In between it is kept
//! sealed under a key of this process: a page of memory that gets out (swap, a piece of a core file, a read beyond a
//! buffer in some library) shows no token. Whoever reads all of the memory has the key, too.
//!
//! Owns that key. Knows nothing of grants.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use pop3_proto::secret::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Hides secrets under a key that nothing outlives.
pub(super) struct Hider {
    key: LessSafeKey,
    /// Each secret has a number of its own, so that no nonce is used twice.
    next: AtomicU64,
}

/// A secret that is not in the clear.
pub(super) struct Hidden {
    number: u64,
    sealed: Box<[u8]>,
}

impl Hider {
    /// `None` if the system has no random octets.
    pub(super) fn new() -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).ok()?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            next: AtomicU64::new(0),
        })
    }

    /// Hides a secret. `None` never happens: a secret is not longer than 2^64 octets.
    pub(super) fn hide(&self, secret: &Secret) -> Option<Hidden> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let plain = secret.expose();
        // one allocation: what grows would leave the plain octets in memory
        let mut sealed = Zeroizing::new(Vec::with_capacity(
            plain.len() + CHACHA20_POLY1305.tag_len(),
        ));
        sealed.extend_from_slice(plain);
        self.key
            .seal_in_place_append_tag(nonce(number), Aad::empty(), &mut *sealed)
            .ok()?;
        Some(Hidden {
            number,
            sealed: sealed.as_slice().into(),
        })
    }

    /// What was hidden here. `None` if it was hidden elsewhere.
    pub(super) fn show(&self, hidden: &Hidden) -> Option<Secret> {
        let mut plain = Zeroizing::new(hidden.sealed.to_vec());
        let shown = self
            .key
            .open_in_place(nonce(hidden.number), Aad::empty(), &mut plain);
        let shown = shown.ok()?;
        Some(Secret::from(&*shown))
    }
}

fn nonce(number: u64) -> Nonce {
    let mut octets = [0; NONCE_LEN];
    octets[..8].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(octets)
}

impl fmt::Debug for Hider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hider").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_hidden_comes_back_here_alone_and_stands_nowhere_in_the_clear() {
        let (here, elsewhere) = (Hider::new().unwrap(), Hider::new().unwrap());
        let secret = Secret::from(&b"5d41402abc4b2a76b9719d911017c592"[..]);
        let (first, second) = (here.hide(&secret).unwrap(), here.hide(&secret).unwrap());
        assert_ne!(first.sealed, second.sealed);
        for hidden in [first, second] {
            let windows = |size| hidden.sealed.windows(size);
            assert!(!windows(8).any(|eight| secret.expose().windows(8).any(|own| own == eight)));
            assert!(here.show(&hidden) == Some(secret.clone()));
            assert!(elsewhere.show(&hidden).is_none());
        }
        let empty = here.hide(&Secret::default()).unwrap();
        assert!(here.show(&empty).unwrap().is_empty());
    }
}
