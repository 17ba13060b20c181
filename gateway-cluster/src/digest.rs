//! Keyed digests: what stands in the engine instead of names and addresses.
//!
//! Owns the key, which comes from a secret that all nodes of a cluster share. It is not the key of a state: that one
//! changes while nodes run, and two nodes with different keys would not see each other's holds.

use std::fmt;
use std::str::FromStr;

use pop3_proto::secret::Secret;
use ring::hmac;

use crate::error::{ClusterError, SECRET_LENGTH};
use crate::lease::Foreign;

/// A digest of a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Digest(pub(crate) [u8; 16]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl FromStr for Digest {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let mut digest = [0; 16];
        if text.len() != 32 || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(Foreign);
        }
        for (octet, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| Foreign)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| Foreign)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What digests are made with: the same on all nodes of a cluster. Never printed.
#[derive(Clone)]
pub struct ClusterKey(hmac::Key);

impl ClusterKey {
    /// The key that a secret stands for, whatever its form. Spaces and line ends around it do not count.
    ///
    /// # Errors
    ///
    /// If it has fewer than [`SECRET_LENGTH`] octets.
    pub fn new(secret: &Secret) -> Result<Self, ClusterError> {
        let octets = secret.expose().trim_ascii();
        if octets.len() < SECRET_LENGTH {
            return Err(ClusterError::Secret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, octets)))
    }

    /// The digest of a name of one kind.
    pub(crate) fn digest(&self, kind: &str, name: &[u8]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        // with its length in front, the kind does not run into the name
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(name);
        let mut digest = [0; 16];
        digest.copy_from_slice(&context.sign().as_ref()[..16]);
        Digest(digest)
    }

    /// Tells whether two nodes have the same key.
    pub(crate) fn check(&self) -> Digest {
        self.digest("check", b"")
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_tell_kinds_names_and_secrets_apart() {
        let key = |octets: &[u8]| ClusterKey::new(&Secret::from(octets)).expect("long enough");
        let (one, other) = (key(b"0123456789abcdef"), key(b"0123456789abcdeX"));
        let digest = one.digest("hold", b"tim");
        assert_eq!(key(b" 0123456789abcdef\n").digest("hold", b"tim"), digest);
        for different in [
            one.digest("hold", b"tom"),
            one.digest("place", b"tim"),
            one.digest("holdt", b"im"),
            other.digest("hold", b"tim"),
        ] {
            assert_ne!(different, digest);
        }
        assert!(!format!("{one:?}").contains("0123"));
        assert!(ClusterKey::new(&Secret::from(&b"short          "[..])).is_err());
    }
}
