//! The kinds of credentials, and what each keeps.

use argon2::password_hash::phc::PasswordHash;
use pop3_proto::secret::Secret;

use super::derived::Derived;
use super::digest::Digest;

#[derive(Clone)]
pub(super) enum Kind {
    Argon2(PasswordHash),
    Bcrypt(String),
    Scrypt(PasswordHash),
    ShaCrypt(String),
    Md5Crypt(String),
    Yescrypt(String),
    /// By PBKDF2.
    Derived(Derived),
    /// Digested once: no work at all.
    Digest(Digest),
    /// The secret itself: the only kind that APOP and CRAM-MD5 work with.
    Stored(Secret),
    /// No password is right.
    Locked,
    /// Every password is right.
    Unwanted,
}

impl Kind {
    /// Whether it fits Dovecot's name for a scheme, given in upper case.
    pub(super) fn goes_by(&self, name: &str) -> bool {
        match self {
            Self::Argon2(hash) => {
                name == "ARGON2" || name == hash.algorithm.as_str().to_ascii_uppercase()
            }
            Self::Bcrypt(_) => matches!(name, "BLF-CRYPT" | "BCRYPT" | "CRYPT"),
            Self::Scrypt(_) => matches!(name, "SCRYPT" | "CRYPT"),
            Self::ShaCrypt(hash) if hash.starts_with("$5$") => {
                matches!(name, "SHA256-CRYPT" | "CRYPT")
            }
            Self::ShaCrypt(_) => matches!(name, "SHA512-CRYPT" | "CRYPT"),
            Self::Md5Crypt(_) => matches!(name, "MD5-CRYPT" | "CRYPT"),
            Self::Yescrypt(_) => matches!(name, "YESCRYPT" | "CRYPT"),
            Self::Derived(_)
            | Self::Digest(_)
            | Self::Stored(_)
            | Self::Locked
            | Self::Unwanted => true,
        }
    }
}
