//! Hashes in the modular format, `$name$…`, as crypt(3), passlib and the PHC competition write them.
//!
//! Reads them and refuses what would take too long to check. Never computes one.

use argon2::password_hash::phc::PasswordHash;

use super::error::CredentialError;
use super::kind::Kind;

/// More memory than this, in octets, counts as a mistake or an attack.
const MAX_MEMORY: u64 = if cfg!(fuzzing) { 1 << 20 } else { 1 << 30 };
/// So does more work than this, in octets of memory written: some seconds.
const MAX_WORK: u64 = if cfg!(fuzzing) { 1 << 22 } else { 1 << 32 };
/// Eight seconds or so; twelve is common.
const MAX_BCRYPT_COST: u32 = if cfg!(fuzzing) { 5 } else { 16 };
/// Some seconds; passlib's default is 656,000.
const MAX_SHA_ROUNDS: u32 = if cfg!(fuzzing) { 5_000 } else { 5_000_000 };

/// Reads a hash by the name that it starts with.
pub(super) fn parse(text: &str) -> Result<Kind, CredentialError> {
    let name = text
        .strip_prefix('$')
        .and_then(|rest| rest.split('$').next());
    match name.unwrap_or_default() {
        "argon2id" | "argon2i" | "argon2d" => argon2(text),
        "1" => md5_crypt(text),
        "2a" | "2b" | "2y" => bcrypt(text),
        "scrypt" => scrypt(text),
        "5" => sha_crypt(text, "sha256-crypt", 43),
        "6" => sha_crypt(text, "sha512-crypt", 86),
        "y" => yescrypt(text),
        _ => Err(CredentialError::UnknownKind),
    }
}

fn argon2(text: &str) -> Result<Kind, CredentialError> {
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

fn bcrypt(text: &str) -> Result<Kind, CredentialError> {
    const NAME: &str = "bcrypt";
    let parts: bcrypt::HashParts = text.parse().map_err(|_| CredentialError::Malformed(NAME))?;
    match parts.get_cost() {
        4..=MAX_BCRYPT_COST => Ok(Kind::Bcrypt(text.into())),
        0..4 => Err(CredentialError::Malformed(NAME)),
        _ => Err(CredentialError::TooDear(NAME, "a cost above 16")),
    }
}

fn scrypt(text: &str) -> Result<Kind, CredentialError> {
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
fn sha_crypt(text: &str, name: &'static str, hash_len: usize) -> Result<Kind, CredentialError> {
    let malformed = CredentialError::Malformed(name);
    let mut fields = text.split('$').skip(2).peekable();
    if let Some(rounds) = fields.next_if(|field| field.starts_with("rounds=")) {
        let digits = &rounds["rounds=".len()..];
        let rounds: u32 = digits.parse().map_err(|_| malformed.clone())?;
        if rounds > MAX_SHA_ROUNDS {
            return Err(CredentialError::TooDear(name, "more than 5,000,000 rounds"));
        }
        // some programs read less as 1,000, others refuse it
        if rounds < 1000 || digits.starts_with(['0', '+']) {
            return Err(malformed);
        }
    }
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

/// `$1$salt$hash`, of which the salt has eight characters at most.
fn md5_crypt(text: &str) -> Result<Kind, CredentialError> {
    let mut fields = text.split('$').skip(2);
    let salt = fields.next().filter(is_word).filter(|salt| salt.len() <= 8);
    let hash = fields
        .next()
        .filter(is_word)
        .filter(|hash| hash.len() == 22);
    match (salt, hash, fields.next()) {
        (Some(_), Some(_), None) => Ok(Kind::Md5Crypt(text.into())),
        _ => Err(CredentialError::Malformed("md5-crypt")),
    }
}

/// `$y$parameters$salt$hash`.
fn yescrypt(text: &str) -> Result<Kind, CredentialError> {
    const NAME: &str = "yescrypt";
    let malformed = CredentialError::Malformed(NAME);
    let mut fields = text.split('$').skip(2);
    let params = fields.next().filter(is_word);
    let salt = fields
        .next()
        .filter(is_word)
        .filter(|salt| !salt.is_empty());
    let hash = fields
        .next()
        .filter(is_word)
        .filter(|hash| hash.len() == 43);
    let (Some(params), Some(_), Some(_), None) = (params, salt, hash, fields.next()) else {
        return Err(malformed);
    };
    let params: yescrypt::Params = params.parse().map_err(|_| malformed.clone())?;
    if text
        .split('$')
        .nth(2)
        .is_some_and(|params| params.len() > 3)
    {
        return Err(CredentialError::TooDear(
            NAME,
            "parameters beyond N and r (p, t), which crypt(3) never makes",
        ));
    }
    let (n, r) = (params.n(), u64::from(params.r()));
    if n == 0 || r == 0 {
        return Err(malformed);
    }
    if n.saturating_mul(r.saturating_mul(128)) > MAX_MEMORY {
        return Err(CredentialError::TooDear(
            NAME,
            "more than 1 GiB of memory (N, r)",
        ));
    }
    Ok(Kind::Yescrypt(text.into()))
}

fn is_word(field: &&str) -> bool {
    field
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b))
}
