//! Making credentials: with a salt from the system's random source and today's usual parameters.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pop3_proto::secret::Secret;
use zeroize::Zeroizing;

use crate::MAX_PASSWORD;
use crate::prepared::prepared;

/// bcrypt ignores the rest of a password.
const BCRYPT_MAX: usize = 72;
/// About a tenth of a second; crypt(3)'s own 5,000 are of 2007.
const SHA_ROUNDS: u32 = 100_000;

/// How a password is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// `$argon2id$`: 19 MiB, two passes. About 20 ms.
    #[default]
    Argon2id,
    /// `$2b$`, cost 12: for tables that other programs read too. About 270 ms.
    Bcrypt,
    /// `$scrypt$`: 128 MiB. About 300 ms.
    Scrypt,
    /// `$6$`, 100,000 rounds: what crypt(3) reads on every Linux.
    Sha512Crypt,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Argon2id,
        Self::Bcrypt,
        Self::Scrypt,
        Self::Sha512Crypt,
    ];

    /// Its name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Bcrypt => "bcrypt",
            Self::Scrypt => "scrypt",
            Self::Sha512Crypt => "sha512-crypt",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = HashError;

    fn from_str(name: &str) -> Result<Self, HashError> {
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == name)
            .ok_or(HashError::UnknownAlgorithm)
    }
}

/// Why no credential can be made from a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// An empty password opens nothing.
    #[error("the password is empty")]
    Empty,
    /// A line end or a NUL, which POP3 cannot carry, or octets that are not UTF-8.
    #[error(
        "the password has a line end, a NUL or octets that are not UTF-8: no client could send it"
    )]
    Unsendable,
    /// Longer than [`MAX_PASSWORD`].
    #[error("the password is longer than {MAX_PASSWORD} octets")]
    TooLong,
    /// bcrypt would cut it off silently.
    #[error("bcrypt only uses the first 72 octets, and the password is longer; choose argon2id")]
    TooLongForBcrypt,
    /// No such algorithm.
    #[error("known algorithms are argon2id, bcrypt, scrypt and sha512-crypt")]
    UnknownAlgorithm,
    /// The system has no random octets.
    #[error("no random octets from the system")]
    Random,
    /// The hash function refused its parameters.
    #[error("the hash cannot be computed")]
    Failed,
}

/// Hashes a password, prepared according to RFC 4013; [`Credential::parse`](crate::Credential::parse) reads the result.
///
/// # Errors
///
/// If no POP3 client could send the password, or it is longer than the part that the algorithm uses.
pub fn hash(password: &Secret, algorithm: Algorithm) -> Result<String, HashError> {
    let password = Zeroizing::new(prepared(check(password)?).into_owned());
    let password = password.as_bytes();
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
    match algorithm {
        Algorithm::Argon2id => {
            let hash: Result<PasswordHash, _> =
                argon2::Argon2::default().hash_password_with_salt(password, &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|_| HashError::Failed)
        }
        Algorithm::Bcrypt if password.len() > BCRYPT_MAX => Err(HashError::TooLongForBcrypt),
        Algorithm::Bcrypt => bcrypt::hash_with_salt(password, bcrypt::DEFAULT_COST, salt)
            .map(|hash| hash.to_string())
            .map_err(|_| HashError::Failed),
        Algorithm::Scrypt => {
            let hash: Result<PasswordHash, _> =
                scrypt::Scrypt::new().hash_password_with_salt(password, &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|_| HashError::Failed)
        }
        Algorithm::Sha512Crypt => sha_crypt::Params::new(SHA_ROUNDS)
            .map_err(|_| HashError::Failed)
            // crypt(3) uses no more than 16 characters of salt
            .and_then(|params| {
                sha_crypt::ShaCrypt::new(sha_crypt::Algorithm::Sha512Crypt, params)
                    .hash_password_with_salt(password, &salt[..12])
                    .map_err(|_| HashError::Failed)
            })
            .map(|hash| hash.as_str().to_owned()),
    }
}

/// The credential of an account whose secret is stored as it is, so that APOP and CRAM-MD5 work.
///
/// # Errors
///
/// If no POP3 client could send the secret.
pub fn stored_secret(secret: &Secret) -> Result<String, HashError> {
    let text = check(secret)?;
    // a colon ends the field of a passwd-file, and a space at its end gets lost
    let simple = |b: u8| b.is_ascii_graphic() && b != b':';
    Ok(if text.bytes().all(simple) {
        format!("{{PLAIN}}{text}")
    } else {
        format!("{{PLAIN.b64}}{}", STANDARD.encode(text))
    })
}

/// Whether a POP3 client can send it.
fn check(password: &Secret) -> Result<&str, HashError> {
    let octets = password.expose();
    if octets.is_empty() {
        return Err(HashError::Empty);
    }
    if octets.len() > MAX_PASSWORD {
        return Err(HashError::TooLong);
    }
    match str::from_utf8(octets) {
        Ok(text) if !text.contains(['\0', '\r', '\n']) => Ok(text),
        Ok(_) | Err(_) => Err(HashError::Unsendable),
    }
}
