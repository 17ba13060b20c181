//! What a login is checked against: a password hash, or a secret that is stored as it is.
//!
//! Reads the formats that others write, with or without Dovecot's `{SCHEME}` in front. Never makes one
//! (that is `hash`) and never decides how often one may be computed (that is `verifier`).

use std::fmt;

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pop3_proto::backend::store::StoreError;
use pop3_proto::secret::Secret;
use subtle::ConstantTimeEq as _;

use crate::argon;

/// More memory than that, in octets, is taken for a mistake or an attack.
const MAX_MEMORY: u64 = 1 << 30;
/// More work than that, in octets of memory written, too: some seconds.
const MAX_WORK: u64 = 1 << 32;
/// Eight seconds or so; twelve is common.
const MAX_BCRYPT_COST: u32 = 16;
/// Some seconds; passlib's default is 656,000.
const MAX_SHA_ROUNDS: u32 = 5_000_000;

/// Checks passwords: made by [`parse`](Self::parse).
///
/// Never prints what it holds.
#[derive(Clone)]
pub struct Credential {
    kind: Kind,
    /// As it was read, without the scheme: for the cache's keys.
    text: Secret,
}

#[derive(Clone)]
enum Kind {
    Argon2(PasswordHash),
    Bcrypt(String),
    Scrypt(PasswordHash),
    ShaCrypt(String),
    /// The secret itself: the only kind that APOP and CRAM-MD5 work with.
    Stored(Secret),
    /// Nobody logs in, whatever he sends.
    Locked,
}

/// Why a text is no [`Credential`]. Holds nothing of the text but the name of its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing there.
    #[error(
        "the credential is empty; write a password hash, or * for an account that nobody logs in to"
    )]
    Empty,
    /// It starts like none of the known formats.
    #[error(
        "a credential of an unknown kind; known are $argon2id$, $argon2i$, $argon2d$, $2a$, $2b$, $2y$, \
         $scrypt$, $5$, $6$ and {{PLAIN}}"
    )]
    UnknownKind,
    /// A scheme in braces that is not supported.
    #[error(
        "the scheme {{{0}}} is not supported; known are ARGON2ID, ARGON2I, BLF-CRYPT, SCRYPT, SHA256-CRYPT, \
         SHA512-CRYPT, CRYPT and PLAIN"
    )]
    UnknownScheme(String),
    /// The scheme in braces and the hash behind it do not belong together.
    #[error("the scheme {{{0}}} does not belong to the hash behind it")]
    WrongScheme(String),
    /// Starts well and goes on wrongly.
    #[error("a malformed {0} hash: cut off, or with characters that do not belong there")]
    Malformed(&'static str),
    /// Checking it would take so long, or so much memory, that logins could stop the machine.
    #[error("a {0} hash that is too dear to check: {1}")]
    TooDear(&'static str, &'static str),
}

impl From<CredentialError> for StoreError {
    /// It needs a person: no password is right as long as it stays.
    fn from(error: CredentialError) -> Self {
        Self::Permanent(error.to_string())
    }
}

impl Credential {
    /// Reads a credential:
    ///
    /// * `$argon2id$…`, `$argon2i$…`, `$argon2d$…`
    /// * bcrypt: `$2a$…`, `$2b$…`, `$2y$…`
    /// * `$scrypt$…` as passlib writes it
    /// * `$6$…` and `$5$…`: crypt(3) with SHA-512 and SHA-256
    /// * `{PLAIN}secret`: a secret stored as it is, and `{PLAIN.b64}…` in base64
    /// * `*`, or anything behind a `!`: an account that nobody can log in to
    ///
    /// # Errors
    ///
    /// If it is none of them, or one that would take too long to check.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let (scheme, rest) = split_scheme(text)?;
        let kind = match scheme {
            Scheme::Stored(encoding) => Kind::Stored(encoding.decode(rest)?),
            Scheme::Hash(name) => {
                let kind = parse_hash(rest)?;
                if !name.is_none_or(|name| kind.goes_by(name)) {
                    return Err(CredentialError::WrongScheme(
                        name.unwrap_or_default().into(),
                    ));
                }
                kind
            }
        };
        Ok(Self {
            kind,
            text: Secret::from(rest.as_bytes()),
        })
    }

    /// The secret, if it is stored as it is: what APOP and CRAM-MD5 need.
    pub(crate) fn stored_secret(&self) -> Option<&Secret> {
        match &self.kind {
            Kind::Stored(secret) => Some(secret),
            Kind::Argon2(_)
            | Kind::Bcrypt(_)
            | Kind::Scrypt(_)
            | Kind::ShaCrypt(_)
            | Kind::Locked => None,
        }
    }

    /// Whether checking it is work.
    pub(crate) fn is_hash(&self) -> bool {
        match &self.kind {
            Kind::Argon2(_) | Kind::Bcrypt(_) | Kind::Scrypt(_) | Kind::ShaCrypt(_) => true,
            Kind::Stored(_) | Kind::Locked => false,
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
            Kind::Stored(_) => "plain",
            Kind::Locked => "locked",
        }
    }

    /// Algorithm and parameters: those that are alike cost alike.
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
            Kind::Stored(_) | Kind::Locked => self.scheme().into(),
        }
    }

    /// The text it was read from, for keys.
    pub(crate) fn text(&self) -> &Secret {
        &self.text
    }

    /// Whether this is the password. As much work as the credential says.
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
                bool::from(secret.expose().ct_eq(password)) && !secret.is_empty()
            }
            Kind::Locked => false,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").finish_non_exhaustive()
    }
}

impl Kind {
    /// Whether Dovecot's name for the scheme, upper case, goes with it.
    fn goes_by(&self, name: &str) -> bool {
        match self {
            Self::Argon2(hash) => name == hash.algorithm.as_str().to_ascii_uppercase(),
            Self::Bcrypt(_) => matches!(name, "BLF-CRYPT" | "BCRYPT" | "CRYPT"),
            Self::Scrypt(_) => matches!(name, "SCRYPT" | "CRYPT"),
            Self::ShaCrypt(hash) if hash.starts_with("$5$") => {
                matches!(name, "SHA256-CRYPT" | "CRYPT")
            }
            Self::ShaCrypt(_) => matches!(name, "SHA512-CRYPT" | "CRYPT"),
            Self::Stored(_) | Self::Locked => true,
        }
    }
}

/// What stands in braces in front of a credential.
enum Scheme<'a> {
    Stored(Encoding),
    /// The name, upper case as it must be; nothing if there are no braces.
    Hash(Option<&'a str>),
}

/// How a stored secret is written.
#[derive(Clone, Copy)]
enum Encoding {
    Text,
    Base64,
}

impl Encoding {
    fn decode(self, text: &str) -> Result<Secret, CredentialError> {
        let secret = match self {
            Self::Text => Secret::from(text.as_bytes()),
            Self::Base64 => STANDARD
                .decode(text)
                .map(Secret::new)
                .map_err(|_| CredentialError::Malformed("{PLAIN.b64}"))?,
        };
        if secret.is_empty() {
            return Err(CredentialError::Empty);
        }
        Ok(secret)
    }
}

fn split_scheme(text: &str) -> Result<(Scheme<'_>, &str), CredentialError> {
    const HASHES: [&str; 9] = [
        "ARGON2ID",
        "ARGON2I",
        "ARGON2D",
        "BLF-CRYPT",
        "BCRYPT",
        "SCRYPT",
        "SHA256-CRYPT",
        "SHA512-CRYPT",
        "CRYPT",
    ];
    let Some((scheme, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return Ok((Scheme::Hash(None), text));
    };
    let wanted = scheme.to_ascii_uppercase();
    let known = match wanted.as_str() {
        "PLAIN" | "CLEARTEXT" | "CLEAR" => Scheme::Stored(Encoding::Text),
        "PLAIN.B64" | "CLEARTEXT.B64" | "CLEAR.B64" => Scheme::Stored(Encoding::Base64),
        name => {
            let known = HASHES.into_iter().find(|hash| *hash == name);
            let name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            match known {
                Some(known) => Scheme::Hash(Some(known)),
                // what is no name may be a secret
                None if scheme.len() <= 20 && scheme.bytes().all(name) => {
                    return Err(CredentialError::UnknownScheme(wanted));
                }
                None => return Err(CredentialError::UnknownKind),
            }
        }
    };
    Ok((known, rest))
}

fn parse_hash(text: &str) -> Result<Kind, CredentialError> {
    if text.is_empty() {
        return Err(CredentialError::Empty);
    }
    if text == "*" || text.starts_with('!') {
        return Ok(Kind::Locked);
    }
    let name = text
        .strip_prefix('$')
        .and_then(|rest| rest.split('$').next());
    match name.unwrap_or_default() {
        "argon2id" | "argon2i" | "argon2d" => argon2_hash(text),
        "2a" | "2b" | "2y" => bcrypt_hash(text),
        "scrypt" => scrypt_hash(text),
        "5" => sha_crypt_hash(text, "sha256-crypt", 43),
        "6" => sha_crypt_hash(text, "sha512-crypt", 86),
        _ => Err(CredentialError::UnknownKind),
    }
}

fn argon2_hash(text: &str) -> Result<Kind, CredentialError> {
    const NAME: &str = "argon2";
    let malformed = CredentialError::Malformed(NAME);
    let hash = PasswordHash::new(text).map_err(|_| malformed.clone())?;
    let params = argon2::Params::try_from(&hash).map_err(|_| malformed.clone())?;
    let version = hash.version.map(argon2::Version::try_from);
    if hash.salt.is_none() || hash.hash.is_none() || matches!(version, Some(Err(_))) {
        return Err(malformed);
    }
    let memory = u64::from(params.m_cost()) * 1024;
    if memory > MAX_MEMORY {
        return Err(CredentialError::TooDear(
            NAME,
            "more than 1 GiB of memory (m)",
        ));
    }
    if memory.saturating_mul(params.t_cost().into()) > MAX_WORK {
        return Err(CredentialError::TooDear(NAME, "too many passes (t)"));
    }
    Ok(Kind::Argon2(hash))
}

fn bcrypt_hash(text: &str) -> Result<Kind, CredentialError> {
    const NAME: &str = "bcrypt";
    let parts: bcrypt::HashParts = text.parse().map_err(|_| CredentialError::Malformed(NAME))?;
    match parts.get_cost() {
        4..=MAX_BCRYPT_COST => Ok(Kind::Bcrypt(text.into())),
        0..4 => Err(CredentialError::Malformed(NAME)),
        _ => Err(CredentialError::TooDear(NAME, "a cost above 16")),
    }
}

fn scrypt_hash(text: &str) -> Result<Kind, CredentialError> {
    const NAME: &str = "scrypt";
    let malformed = CredentialError::Malformed(NAME);
    let hash = PasswordHash::new(text).map_err(|_| malformed.clone())?;
    let params = scrypt::Params::try_from(&hash).map_err(|_| malformed.clone())?;
    if hash.salt.is_none() || hash.hash.is_none() || hash.version.is_some() {
        return Err(malformed);
    }
    let memory = params.n().saturating_mul(u64::from(params.r()) * 128);
    if memory > MAX_MEMORY {
        return Err(CredentialError::TooDear(
            NAME,
            "more than 1 GiB of memory (ln, r)",
        ));
    }
    if memory.saturating_mul(params.p().into()) > MAX_WORK {
        return Err(CredentialError::TooDear(NAME, "too many lanes (p)"));
    }
    Ok(Kind::Scrypt(hash))
}

/// `$6$salt$hash` or `$6$rounds=5000$salt$hash`.
fn sha_crypt_hash(
    text: &str,
    name: &'static str,
    hash_len: usize,
) -> Result<Kind, CredentialError> {
    let malformed = CredentialError::Malformed(name);
    let mut fields = text.split('$').skip(2).peekable();
    if let Some(rounds) = fields.next_if(|field| field.starts_with("rounds=")) {
        let digits = &rounds["rounds=".len()..];
        let rounds: u32 = digits.parse().map_err(|_| malformed.clone())?;
        if rounds > MAX_SHA_ROUNDS {
            return Err(CredentialError::TooDear(name, "more than 5,000,000 rounds"));
        }
        // what is below is counted as 1,000 by some and refused by others
        if rounds < 1000 || digits.starts_with(['0', '+']) {
            return Err(malformed);
        }
    }
    let is_word = |field: &&str| {
        field
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b))
    };
    let salt = fields
        .next()
        .filter(is_word)
        .filter(|salt| !salt.is_empty());
    let hash = fields
        .next()
        .filter(is_word)
        .filter(|hash| hash.len() == hash_len);
    match (salt, hash, fields.next()) {
        (Some(_), Some(_), None) => Ok(Kind::ShaCrypt(text.into())),
        _ => Err(malformed),
    }
}
