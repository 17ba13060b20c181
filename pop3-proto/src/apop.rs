//! APOP (RFC 1939 section 7): the greeting's timestamp and the digest over it and the shared secret.
//!
//! MD5 is broken enough that a false server can work out a secret from many digests, so APOP belongs
//! inside TLS and the timestamp is read strictly: the known attack needs octets in it that no message-id
//! has.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::apop;
//! use pop3_proto::secret::Secret;
//!
//! let greeting = b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>";
//! let stamp = apop::find_timestamp(greeting).ok_or("no APOP here")?;
//! let digest = apop::digest(stamp, &Secret::from(&b"tanstaaf"[..]));
//! assert_eq!(apop::to_hex(&digest), "c4c9334bac560ecc979e58001b3e22fb");
//! assert!(apop::verify(stamp, &Secret::from(&b"tanstaaf"[..]), &digest));
//! # Ok::<(), &str>(())
//! ```

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use md5::{Digest as _, Md5};
use memchr::{memchr, memchr_iter};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The MD5 digest that proves the secret.
pub type Digest = [u8; 16];

/// The timestamp in a greeting, with its angle brackets: the first one in it.
pub fn find_timestamp(greeting: &[u8]) -> Option<&str> {
    memchr_iter(b'<', greeting).find_map(|start| {
        let length = memchr(b'>', &greeting[start..])? + 1;
        let candidate = str::from_utf8(&greeting[start..start + length]).ok()?;
        is_timestamp(candidate).then_some(candidate)
    })
}

/// Whether this is a timestamp: a message-id in angle brackets, with one `@` that has something on both
/// sides of it, made of printable ASCII without spaces.
pub fn is_timestamp(candidate: &str) -> bool {
    let inside = candidate
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'));
    let Some((left, right)) = inside.and_then(|inside| inside.split_once('@')) else {
        return false;
    };
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"<>@".contains(&b))
    };
    is_word(left) && is_word(right)
}

/// A timestamp for a greeting, in the form of RFC 1939's example: two decimal numbers with a dot between
/// them, and the host. Some clients insist on it. `unique` must never be used again: take it from the
/// system's random source. `None` if the host name does not fit into a message-id.
pub fn timestamp(unique: u128, host: &str) -> Option<String> {
    let (high, low) = (unique >> 64, unique & u128::from(u64::MAX));
    let timestamp = format!("<{high}.{low}@{host}>");
    is_timestamp(&timestamp).then_some(timestamp)
}

/// The digest of a timestamp (with its angle brackets) and a secret.
pub fn digest(timestamp: &str, secret: &Secret) -> Digest {
    Md5::new()
        .chain_update(timestamp)
        .chain_update(secret.expose())
        .finalize()
        .into()
}

/// Whether a digest proves the secret, in constant time.
pub fn verify(timestamp: &str, secret: &Secret, proof: &Digest) -> bool {
    digest(timestamp, secret).ct_eq(proof).into()
}

/// A digest as it goes over the wire: 32 lower-case hexadecimal digits.
pub fn to_hex(digest: &Digest) -> String {
    digest
        .iter()
        .fold(String::with_capacity(32), |mut hex, octet| {
            // writing to a String cannot fail
            let _ = write!(hex, "{octet:02x}");
            hex
        })
}

/// Reads 32 hexadecimal digits; upper case is fine too.
pub fn from_hex(hex: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    if hex.len() != 2 * digest.len() {
        return None;
    }
    for (octet, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *octet = 16 * nibble(pair[0])? + nibble(pair[1])?;
    }
    Some(digest)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
