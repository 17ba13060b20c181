//! The part in braces before a credential: Dovecot's names of schemes, and how the rest is encoded.

use std::borrow::Cow;

use pop3_proto::secret::Secret;

use super::derived::Derived;
use super::digest::{Algorithm, Digest};
use super::encoding::{from_base64, from_hex};
use super::error::CredentialError;
use super::kind::Kind;
use super::modular;

/// What a scheme's name says about the rest.
#[derive(Clone, Copy)]
enum Scheme {
    /// The secret as it is.
    Stored,
    /// A digest, with a salt after it or without.
    Digest(Algorithm, bool),
    /// Either meaning that `{MD5}` has had: `$1$…` or a digest.
    Md5,
    Pbkdf2,
    Scram {
        sha256: bool,
    },
    /// A hash in the modular format, of a kind that goes by this name.
    Modular,
}

/// The schemes by their names.
const SCHEMES: [(&str, Scheme); 30] = [
    ("PLAIN", Scheme::Stored),
    ("CLEARTEXT", Scheme::Stored),
    ("CLEAR", Scheme::Stored),
    ("ARGON2", Scheme::Modular),
    ("ARGON2ID", Scheme::Modular),
    ("ARGON2I", Scheme::Modular),
    ("ARGON2D", Scheme::Modular),
    ("BLF-CRYPT", Scheme::Modular),
    ("BCRYPT", Scheme::Modular),
    ("SCRYPT", Scheme::Modular),
    ("SHA256-CRYPT", Scheme::Modular),
    ("SHA512-CRYPT", Scheme::Modular),
    ("MD5-CRYPT", Scheme::Modular),
    ("YESCRYPT", Scheme::Modular),
    ("CRYPT", Scheme::Modular),
    ("PBKDF2", Scheme::Pbkdf2),
    ("SCRAM-SHA-1", Scheme::Scram { sha256: false }),
    ("SCRAM-SHA-256", Scheme::Scram { sha256: true }),
    ("MD5", Scheme::Md5),
    ("PLAIN-MD5", Scheme::Digest(Algorithm::Md5, false)),
    ("LDAP-MD5", Scheme::Digest(Algorithm::Md5, false)),
    ("SHA", Scheme::Digest(Algorithm::Sha1, false)),
    ("SHA1", Scheme::Digest(Algorithm::Sha1, false)),
    ("SHA256", Scheme::Digest(Algorithm::Sha256, false)),
    ("SHA512", Scheme::Digest(Algorithm::Sha512, false)),
    ("SMD5", Scheme::Digest(Algorithm::Md5, true)),
    ("SSHA", Scheme::Digest(Algorithm::Sha1, true)),
    ("SSHA1", Scheme::Digest(Algorithm::Sha1, true)),
    ("SSHA256", Scheme::Digest(Algorithm::Sha256, true)),
    ("SSHA512", Scheme::Digest(Algorithm::Sha512, true)),
];

/// How the rest is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// As the scheme has it.
    Own,
    Base64,
    Hex,
}

/// Reads a credential with its scheme, or without one.
pub(super) fn parse(text: &str) -> Result<Kind, CredentialError> {
    let Some((braces, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return without_scheme(text);
    };
    let wanted = braces.to_ascii_uppercase();
    let (name, encoding) = match wanted.rsplit_once('.') {
        Some((name, "B64" | "BASE64")) => (name, Encoding::Base64),
        Some((name, "HEX")) => (name, Encoding::Hex),
        Some(_) | None => (wanted.as_str(), Encoding::Own),
    };
    let Some((name, scheme)) = SCHEMES.into_iter().find(|(known, _)| *known == name) else {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        // a text that is not a name may be a secret
        return Err(if braces.len() <= 20 && braces.bytes().all(word) {
            CredentialError::UnknownScheme(wanted)
        } else {
            CredentialError::UnknownKind
        });
    };
    if rest.is_empty() {
        return Err(CredentialError::Empty);
    }
    if is_locked(rest) && !matches!(scheme, Scheme::Stored) {
        return Ok(Kind::Locked);
    }
    match scheme {
        Scheme::Stored => stored(encoding, rest),
        Scheme::Digest(algorithm, salted) => digest(name, algorithm, salted, encoding, rest),
        Scheme::Md5 if rest.starts_with('$') => {
            modular::parse(rest).and_then(|kind| named(kind, "MD5-CRYPT", name))
        }
        Scheme::Md5 => digest(name, Algorithm::Md5, false, encoding, rest),
        Scheme::Pbkdf2 => Derived::pbkdf2(&decoded(name, encoding, rest)?).map(Kind::Derived),
        Scheme::Scram { sha256 } => {
            Derived::scram(&decoded(name, encoding, rest)?, sha256).map(Kind::Derived)
        }
        Scheme::Modular => {
            let kind = modular::parse(&decoded(name, encoding, rest)?)?;
            named(kind, name, name)
        }
    }
}

fn without_scheme(text: &str) -> Result<Kind, CredentialError> {
    match text {
        "" => Err(CredentialError::Empty),
        text if is_locked(text) => Ok(Kind::Locked),
        text => modular::parse(text),
    }
}

/// A credential that no password matches.
fn is_locked(text: &str) -> bool {
    text == "*" || text.starts_with('!')
}

/// The kind, if it goes by this name; `told` is the text in the braces.
fn named(kind: Kind, name: &str, told: &'static str) -> Result<Kind, CredentialError> {
    if kind.goes_by(name) {
        Ok(kind)
    } else {
        Err(CredentialError::WrongScheme(told.into()))
    }
}

fn stored(encoding: Encoding, text: &str) -> Result<Kind, CredentialError> {
    let octets = match encoding {
        Encoding::Own => Some(text.as_bytes().into()),
        Encoding::Base64 => from_base64(text),
        Encoding::Hex => from_hex(text),
    };
    let octets = octets.ok_or(CredentialError::Malformed("PLAIN"))?;
    if octets.is_empty() {
        return Err(CredentialError::Empty);
    }
    Ok(Kind::Stored(Secret::new(octets)))
}

fn digest(
    name: &'static str,
    algorithm: Algorithm,
    salted: bool,
    encoding: Encoding,
    text: &str,
) -> Result<Kind, CredentialError> {
    // as Dovecot does: what has the length of a digest in hex is one
    let hex = match encoding {
        Encoding::Own => !salted && text.len() == 2 * algorithm.len(),
        Encoding::Base64 => false,
        Encoding::Hex => true,
    };
    let octets = match hex {
        true => from_hex(text),
        false => from_base64(text),
    };
    let digest = octets.and_then(|octets| Digest::new(algorithm, salted, &octets));
    digest
        .map(Kind::Digest)
        .ok_or(CredentialError::Malformed(name))
}

/// The text within, where a scheme's own form is a text.
fn decoded<'t>(
    name: &'static str,
    encoding: Encoding,
    text: &'t str,
) -> Result<Cow<'t, str>, CredentialError> {
    let octets = match encoding {
        Encoding::Own => return Ok(text.into()),
        Encoding::Base64 => from_base64(text),
        Encoding::Hex => from_hex(text),
    };
    let text = octets.and_then(|octets| String::from_utf8(octets).ok());
    text.map(Cow::Owned).ok_or(CredentialError::Malformed(name))
}
