//! What a login is checked against: a password hash, or a secret that is stored as it is.
//!
//! Reads the formats that others write, with or without Dovecot's `{SCHEME}` in front. Never makes one
//! (that is `hash`) and never decides how often one may be computed (that is `verifier`).

mod derived;
mod digest;
mod encoding;
mod error;
mod kind;
mod modular;
mod scheme;

use std::fmt;

use argon2::password_hash::PasswordVerifier as _;
use pop3_proto::secret::Secret;
use subtle::ConstantTimeEq as _;

use crate::argon;
use crate::prepared::other_form;
use kind::Kind;

pub use error::CredentialError;

/// A credential, made by [`parse`](Self::parse). It checks passwords.
///
/// Never prints what it holds.
#[derive(Clone)]
pub struct Credential {
    kind: Kind,
    /// As it was read, without the scheme: for the cache's keys.
    text: Secret,
}

impl Credential {
    /// Reads a credential:
    ///
    /// * `$argon2id$…`, `$argon2i$…`, `$argon2d$…`
    /// * bcrypt: `$2a$…`, `$2b$…`, `$2y$…`
    /// * `$scrypt$…` as passlib writes it
    /// * `$y$…`, `$6$…`, `$5$…` and `$1$…`: crypt(3) with yescrypt, SHA-512, SHA-256 and MD5
    /// * any of them after the name that Dovecot has for it, as `{BLF-CRYPT}`, or `{CRYPT}`
    /// * `{PBKDF2}$1$salt$rounds$key` and `{SCRAM-SHA-256}rounds,salt,stored key,server key`, as Dovecot
    ///   writes them, and `{SCRAM-SHA-1}`
    /// * digests, weak as they are: `{SSHA512}`, `{SSHA256}`, `{SSHA}`, `{SMD5}` with a salt; `{SHA512}`,
    ///   `{SHA256}`, `{SHA}`, `{PLAIN-MD5}`, `{LDAP-MD5}`, `{MD5}` without
    /// * `{PLAIN}secret`: a secret stored as it is
    /// * `*`, or anything after a `!`: an account without a login
    ///
    /// After a scheme's name `.b64` (or `.base64`) and `.hex` say how the rest is encoded.
    ///
    /// # Errors
    ///
    /// If it is none of them, or one that would take too long to check.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        Ok(Self {
            kind: scheme::parse(text)?,
            text: Secret::from(text.as_bytes()),
        })
    }

    /// The credential of an account whose passwords are not looked at: every one is right.
    pub(crate) fn none_wanted() -> Self {
        Self {
            kind: Kind::Unwanted,
            text: Secret::default(),
        }
    }

    /// The secret, if it is stored as it is: what APOP and CRAM-MD5 need.
    pub(crate) fn stored_secret(&self) -> Option<&Secret> {
        match &self.kind {
            Kind::Stored(secret) => Some(secret),
            Kind::Argon2(_)
            | Kind::Bcrypt(_)
            | Kind::Scrypt(_)
            | Kind::ShaCrypt(_)
            | Kind::Md5Crypt(_)
            | Kind::Yescrypt(_)
            | Kind::Derived(_)
            | Kind::Digest(_)
            | Kind::Locked
            | Kind::Unwanted => None,
        }
    }

    /// Whether offering APOP and CRAM-MD5 would lock nobody out of the account: its secret is stored, or it has no
    /// login.
    pub fn suits_digests(&self) -> bool {
        self.stored_secret().is_some() || self.is_locked()
    }

    /// Whether checking it takes a hash.
    pub(crate) fn is_hash(&self) -> bool {
        match &self.kind {
            Kind::Argon2(_)
            | Kind::Bcrypt(_)
            | Kind::Scrypt(_)
            | Kind::ShaCrypt(_)
            | Kind::Md5Crypt(_)
            | Kind::Yescrypt(_)
            | Kind::Derived(_) => true,
            Kind::Digest(_) | Kind::Stored(_) | Kind::Locked | Kind::Unwanted => false,
        }
    }

    /// Whether the account is locked.
    pub fn is_locked(&self) -> bool {
        matches!(self.kind, Kind::Locked)
    }

    /// What it is, for listings: `argon2id`, `bcrypt`, `plain`, `locked` and so on.
    pub fn scheme(&self) -> &str {
        match &self.kind {
            Kind::Argon2(hash) | Kind::Scrypt(hash) => hash.algorithm.as_str(),
            Kind::Bcrypt(_) => "bcrypt",
            Kind::ShaCrypt(hash) if hash.starts_with("$5$") => "sha256-crypt",
            Kind::ShaCrypt(_) => "sha512-crypt",
            Kind::Md5Crypt(_) => "md5-crypt",
            Kind::Yescrypt(_) => "yescrypt",
            Kind::Derived(derived) => derived.scheme(),
            Kind::Digest(digest) => digest.scheme(),
            Kind::Stored(_) => "plain",
            Kind::Locked => "locked",
            Kind::Unwanted => "none",
        }
    }

    /// What is wrong with its kind, if anything: it should be replaced when the account's owner sets a new
    /// password. A stored secret is not weak in this sense, because APOP and CRAM-MD5 need it.
    pub fn weakness(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Digest(digest) => Some(digest.scheme()),
            Kind::Md5Crypt(_) => Some("md5-crypt"),
            Kind::Unwanted => Some("nopassword"),
            Kind::Argon2(_)
            | Kind::Bcrypt(_)
            | Kind::Scrypt(_)
            | Kind::ShaCrypt(_)
            | Kind::Yescrypt(_)
            | Kind::Derived(_)
            | Kind::Stored(_)
            | Kind::Locked => None,
        }
    }

    /// Algorithm and parameters: credentials with the same ones cost the same.
    pub(crate) fn class(&self) -> String {
        match &self.kind {
            Kind::Argon2(hash) => format!("{} {}", hash.algorithm, hash.params),
            Kind::Scrypt(hash) => format!("scrypt {}", hash.params),
            Kind::Bcrypt(hash) => format!("bcrypt {}", hash.get(4..6).unwrap_or_default()),
            Kind::ShaCrypt(hash) => {
                let rounds = hash
                    .split('$')
                    .nth(2)
                    .filter(|field| field.starts_with("rounds="));
                format!("{} {}", self.scheme(), rounds.unwrap_or_default())
            }
            Kind::Yescrypt(hash) => {
                let params = hash.split('$').nth(2);
                format!("yescrypt {}", params.unwrap_or_default())
            }
            Kind::Derived(derived) => format!("{} {}", derived.scheme(), derived.rounds()),
            Kind::Md5Crypt(_)
            | Kind::Digest(_)
            | Kind::Stored(_)
            | Kind::Locked
            | Kind::Unwanted => self.scheme().into(),
        }
    }

    /// The text it was read from, for keys.
    pub(crate) fn text(&self) -> &Secret {
        &self.text
    }

    /// Whether this is the password. The credential decides how much work that takes.
    pub(crate) fn matches(&self, password: &Secret) -> bool {
        let password = password.expose();
        match &self.kind {
            Kind::Argon2(hash) => argon::verifies(hash, password),
            Kind::Scrypt(hash) => scrypt::Scrypt::new()
                .verify_password(password, hash)
                .is_ok(),
            Kind::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Kind::ShaCrypt(hash) => sha_crypt::ShaCrypt::default()
                .verify_password(password, hash.as_str())
                .is_ok(),
            Kind::Stored(secret) => {
                let is_it = |secret: &Secret| bool::from(secret.expose().ct_eq(password));
                let prepared = other_form(secret);
                (is_it(secret) | prepared.as_ref().is_some_and(is_it)) && !secret.is_empty()
            }
            Kind::Md5Crypt(hash) => {
                let salt = hash.split('$').nth(2).unwrap_or_default();
                let computed = md5crypt::md5crypt(password, salt.as_bytes());
                computed.ct_eq(hash.as_bytes()).into()
            }
            Kind::Yescrypt(hash) => yescrypt::Yescrypt::default()
                .verify_password(password, hash.as_str())
                .is_ok(),
            Kind::Derived(derived) => derived.matches(password),
            Kind::Digest(digest) => digest.matches(password),
            Kind::Locked => false,
            Kind::Unwanted => true,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Scheme and class of hashes that other programs made.
    #[test]
    fn what_costs_the_same_is_one_class() {
        for (text, scheme, class) in [
            (
                "$argon2id$v=19$m=65536,t=3,p=1$E7Bj7jSTd+DiXSyz7vXYKg$FQomzzdzyol9ZWkCNS/YiqhnZkkKobJ5EklLZAu5Xxo",
                "argon2id",
                "argon2id m=65536,t=3,p=1",
            ),
            (
                "$2y$05$4Na66ONUGy3lCf/Fcy0a3uOnnq1VDzUuVytGtvxvP1O/FT7jA.FUG",
                "bcrypt",
                "bcrypt 05",
            ),
            (
                "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0LupyHkzAIgDr9UDsriAAf87vMbCbcaUfDvFOAHk0D0",
                "scrypt",
                "scrypt ln=14,r=8,p=1",
            ),
            (
                "$5$GFq3rwgW0UYooKJC$hd7U3spxSovbqd5RhOwqVIISv6gPhyosOCe/49e.t52",
                "sha256-crypt",
                "sha256-crypt ",
            ),
            (
                "$6$rounds=1000$salt$2yYFwtar3.rlLovG0bXbxXMjZe7Z/1EhQ0gEs0nXalsCW04p2iy6unkvbrBFH1SXexabbdNXXOO11F7sdyurk/",
                "sha512-crypt",
                "sha512-crypt rounds=1000",
            ),
            (
                "$y$j9T$abcdefgh1234$5Bjg1PHNwrTniPl01XM2leC2Csli9m0uLTzKa/R03g2",
                "yescrypt",
                "yescrypt j9T",
            ),
            (
                "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80",
                "md5-crypt",
                "md5-crypt",
            ),
            (
                "{PBKDF2}$1$ct0iNr33sh4wQtyG$5000$022bce1821704a2ccbde14ee818d3674ddf67983",
                "pbkdf2",
                "pbkdf2 5000",
            ),
            (
                "{SCRAM-SHA-1}4096,Gi4Hf/eE3RITenSCLuQNQQ==,tW000Qu09akBB6hm4R1kSAD/Yv8=,mebo0wHTNDtTnPsnWxOcOEzbpjM=",
                "scram-sha-1",
                "scram-sha-1 4096",
            ),
            ("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=", "sha1", "sha1"),
            ("{PLAIN}x", "plain", "plain"),
            ("*", "locked", "locked"),
        ] {
            let credential = Credential::parse(text).unwrap();
            assert_eq!(credential.scheme(), scheme, "{text}");
            assert_eq!(credential.class(), class, "{text}");
        }
    }
}
