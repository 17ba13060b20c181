//! Unique-ids (RFC 1939 section 7, UIDL): which octets may stand in one, and how a name from a store
//! becomes one.
//!
//! Two names of one store always give two ids, except where [`from_name`] has to fall back to a digest;
//! the owner of a maildrop has to check whether its ids are unique.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::unique_id;
//!
//! assert!(unique_id::is_valid(b"1700000000.17"));
//! assert!(!unique_id::is_valid(b"two words"));
//! let name = unique_id::from_name("1700000000.M1P2.host:2,S \u{e4}".as_bytes());
//! assert!(unique_id::is_valid(name.as_bytes()));
//! ```

use alloc::string::String;
use core::fmt::Write;

use md5::{Digest, Md5};

/// The most octets of a unique-id.
pub const MAX_LEN: usize = 70;

/// Whether these octets are a unique-id: 1 to 70 of 0x21 to 0x7E.
pub fn is_valid(id: &[u8]) -> bool {
    (1..=MAX_LEN).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// The unique-id for a name of any octets and any length: a file's name, an EMAILID, a key.
///
/// A short clean name is its own id. An octet that must not be in an id becomes `%` and two hexadecimal
/// digits, as do the percent sign and the slash, because some clients use ids as file names. A name
/// that is empty or too long becomes `%md5.` and its MD5 digest, which no escaped name looks like.
pub fn from_name(name: &[u8]) -> String {
    let mut id = String::with_capacity(MAX_LEN);
    for &octet in name {
        if octet.is_ascii_graphic() && octet != b'%' && octet != b'/' {
            id.push(char::from(octet));
        } else {
            push_hex(&mut id, b"%", &[octet]);
        }
        if id.len() > MAX_LEN {
            break;
        }
    }
    if !is_valid(id.as_bytes()) {
        id.clear();
        push_hex(&mut id, b"%md5.", &Md5::digest(name));
    }
    id
}

fn push_hex(id: &mut String, prefix: &[u8], octets: &[u8]) {
    id.extend(prefix.iter().copied().map(char::from));
    for octet in octets {
        // writing to a String cannot fail
        let _ = write!(id, "{octet:02X}");
    }
}
