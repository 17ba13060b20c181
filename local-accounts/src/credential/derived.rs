//! Keys derived by PBKDF2: Dovecot's own format, and what SCRAM keeps (RFC 5802 section 3).

use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::encoding::{from_base64, from_hex};
use super::error::CredentialError;

/// Takes some seconds; a million is a lot today.
const MAX_ROUNDS: u32 = if cfg!(fuzzing) { 5_000 } else { 5_000_000 };
const TOO_MANY: &str = "more than 5,000,000 rounds";

/// A password and what is derived from it.
#[derive(Clone)]
pub(super) struct Derived {
    form: Form,
    salt: Vec<u8>,
    rounds: u32,
    /// The key itself, or SCRAM's stored key and server key, one after the other.
    key: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Form {
    Pbkdf2,
    ScramSha1,
    ScramSha256,
}

impl Derived {
    /// Dovecot's `$1$salt$rounds$key`: HMAC-SHA-1, the salt as it is written, the key in hex.
    pub(super) fn pbkdf2(text: &str) -> Result<Self, CredentialError> {
        const NAME: &str = "PBKDF2";
        let malformed = || CredentialError::Malformed(NAME);
        let fields: Vec<_> = text.split('$').collect();
        let ["", "1", salt, rounds, key] = fields.as_slice() else {
            return Err(malformed());
        };
        let key = from_hex(key).filter(|key| key.len() == 20);
        Ok(Self {
            form: Form::Pbkdf2,
            salt: salt.as_bytes().into(),
            rounds: rounds_of(NAME, rounds)?,
            key: key.ok_or_else(malformed)?,
        })
    }

    /// `rounds,salt,stored key,server key`, all but the first in base64.
    pub(super) fn scram(text: &str, sha256: bool) -> Result<Self, CredentialError> {
        let (form, name, length) = match sha256 {
            true => (Form::ScramSha256, "SCRAM-SHA-256", 32),
            false => (Form::ScramSha1, "SCRAM-SHA-1", 20),
        };
        let malformed = || CredentialError::Malformed(name);
        let fields: Vec<_> = text.split(',').collect();
        let [rounds, salt, stored, server] = fields.as_slice() else {
            return Err(malformed());
        };
        let decoded = |text: &str| from_base64(text).ok_or_else(malformed);
        let (salt, stored, server) = (decoded(salt)?, decoded(stored)?, decoded(server)?);
        if stored.len() != length || server.len() != length || salt.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            form,
            salt,
            rounds: rounds_of(name, rounds)?,
            key: [stored, server].concat(),
        })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let computed = match self.form {
            Form::Pbkdf2 => {
                let mut key = [0; 20];
                pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, &mut key);
                key.to_vec()
            }
            Form::ScramSha1 => {
                let mut salted = [0; 20];
                pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, &mut salted);
                let mac = |text: &[u8]| {
                    let mac = Hmac::<Sha1>::new_from_slice(&salted).ok()?;
                    Some(mac.chain_update(text).finalize().into_bytes())
                };
                let (client, server) = (mac(b"Client Key"), mac(b"Server Key"));
                let (Some(client), Some(server)) = (client, server) else {
                    return false;
                };
                [&Sha1::digest(client)[..], &server[..]].concat()
            }
            Form::ScramSha256 => {
                let mut salted = [0; 32];
                pbkdf2_hmac::<Sha256>(password, &self.salt, self.rounds, &mut salted);
                let mac = |text: &[u8]| {
                    let mac = Hmac::<Sha256>::new_from_slice(&salted).ok()?;
                    Some(mac.chain_update(text).finalize().into_bytes())
                };
                let (client, server) = (mac(b"Client Key"), mac(b"Server Key"));
                let (Some(client), Some(server)) = (client, server) else {
                    return false;
                };
                [&Sha256::digest(client)[..], &server[..]].concat()
            }
        };
        computed.ct_eq(&self.key).into()
    }

    pub(super) fn scheme(&self) -> &'static str {
        match self.form {
            Form::Pbkdf2 => "pbkdf2",
            Form::ScramSha1 => "scram-sha-1",
            Form::ScramSha256 => "scram-sha-256",
        }
    }

    pub(super) fn rounds(&self) -> u32 {
        self.rounds
    }
}

fn rounds_of(name: &'static str, text: &str) -> Result<u32, CredentialError> {
    let malformed = CredentialError::Malformed(name);
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(malformed),
        Ok(rounds) if rounds > MAX_ROUNDS => Err(CredentialError::TooDear(name, TOO_MANY)),
        Ok(rounds) => Ok(rounds),
    }
}
