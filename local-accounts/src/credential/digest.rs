//! Passwords digested once, with a salt or without: what LDAP servers and old mail servers keep.
//!
//! They cost nothing to check, so they cost nothing to guess.

use md5::Md5;
use pop3_proto::secret::Secret;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// A digest of a password, and of the salt after it.
#[derive(Clone)]
pub(super) struct Digest {
    algorithm: Algorithm,
    digest: Vec<u8>,
    salt: Secret,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// How long its digests are, in octets.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn digest(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        fn of<D: sha2::Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
            let digest = D::new().chain_update(password).chain_update(salt);
            digest.finalize().to_vec()
        }
        match self {
            Self::Md5 => of::<Md5>(password, salt),
            Self::Sha1 => of::<Sha1>(password, salt),
            Self::Sha256 => of::<Sha256>(password, salt),
            Self::Sha512 => of::<Sha512>(password, salt),
        }
    }
}

impl Digest {
    /// Digest and salt as they are stored, one after the other. `None` if the text is too short, lacks a
    /// required salt, or has one that must not be there.
    pub(super) fn new(algorithm: Algorithm, salted: bool, octets: &[u8]) -> Option<Self> {
        let (digest, salt) = octets.split_at_checked(algorithm.len())?;
        (salt.is_empty() != salted).then(|| Self {
            algorithm,
            digest: digest.into(),
            salt: salt.into(),
        })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let computed = self.algorithm.digest(password, self.salt.expose());
        computed.ct_eq(&self.digest).into()
    }

    pub(super) fn scheme(&self) -> &'static str {
        match (self.algorithm, self.salt.is_empty()) {
            (Algorithm::Md5, true) => "md5",
            (Algorithm::Sha1, true) => "sha1",
            (Algorithm::Sha256, true) => "sha256",
            (Algorithm::Sha512, true) => "sha512",
            (Algorithm::Md5, false) => "smd5",
            (Algorithm::Sha1, false) => "ssha",
            (Algorithm::Sha256, false) => "ssha256",
            (Algorithm::Sha512, false) => "ssha512",
        }
    }
}
