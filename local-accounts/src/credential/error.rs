//! Why a text is not a credential.

use pop3_proto::backend::store::StoreError;

/// Why a text is not a [`Credential`](super::Credential). Holds nothing of the text except the name of its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing there.
    #[error("the credential is empty; write a password hash, or * for an account without a login")]
    Empty,
    /// It starts like none of the known formats.
    #[error(
        "a credential of an unknown kind; known are $argon2id$, $argon2i$, $argon2d$, $2a$, $2b$, $2y$, \
         $scrypt$, $y$, $5$, $6$, $1$, and Dovecot's schemes in braces, as {{PLAIN}}"
    )]
    UnknownKind,
    /// A scheme in braces that is not supported.
    #[error(
        "the scheme {{{0}}} is not supported; give the account a new password, \
         or write a hash of a known scheme: ARGON2ID, ARGON2I, BLF-CRYPT, SCRYPT, YESCRYPT, SHA512-CRYPT, \
         SHA256-CRYPT, MD5-CRYPT, CRYPT, PBKDF2, SCRAM-SHA-256, SCRAM-SHA-1, SSHA512, SSHA256, SSHA, SMD5, \
         SHA512, SHA256, SHA1, SHA, MD5, PLAIN-MD5, LDAP-MD5 and PLAIN, with .b64 or .hex after the name"
    )]
    UnknownScheme(String),
    /// The scheme in braces and the hash after it do not belong together.
    #[error("the scheme {{{0}}} does not belong to the hash after it")]
    WrongScheme(String),
    /// It starts right and goes on wrong.
    #[error("a malformed {0} hash: cut off, or with characters that do not belong there")]
    Malformed(&'static str),
    /// Checking it would take so much time or memory that logins could stop the machine.
    #[error("a {0} hash that is too expensive to check: {1}")]
    TooDear(&'static str, &'static str),
}

impl From<CredentialError> for StoreError {
    /// The operator has to change it: until then no password is right.
    fn from(error: CredentialError) -> Self {
        Self::Permanent(error.to_string())
    }
}
