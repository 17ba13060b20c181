//! How octets are written in a credential.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The octets that are written in base64.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The octets that are written in hex, in capitals or small letters. It takes the same time for all digits.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(text).ok()
}
