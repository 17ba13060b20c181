//! Names and passwords as RFC 4616 wants them compared: prepared by SASLprep (RFC 4013).
//!
//! What cannot be prepared stays as it is, so that no user is locked out by a character that the profile does
//! not allow.

use std::borrow::Cow;

use pop3_proto::secret::Secret;

/// A name or password as it is compared: prepared by SASLprep (RFC 4013), or as it is where that cannot be done.
pub fn prepared(text: &str) -> Cow<'_, str> {
    match stringprep::saslprep(text) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        Ok(_) | Err(_) => Cow::Borrowed(text),
    }
}

/// The other form of a password; `None` if preparing changes nothing.
pub(crate) fn other_form(password: &Secret) -> Option<Secret> {
    let text = str::from_utf8(password.expose()).ok()?;
    match prepared(text) {
        Cow::Owned(other) if other != text => Some(Secret::new(other.into_bytes())),
        Cow::Owned(_) | Cow::Borrowed(_) => None,
    }
}
