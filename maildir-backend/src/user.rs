//! Which account names may become names of folders: those that can never lead out of the root. Owns the
//! rule; never looks at a disk.

use pop3_proto::backend::store::StoreError;

/// What file systems take for one name.
const MAX_LEN: usize = 255;

/// Whether a folder below the root may have the account's name: one path component that is neither hidden
/// nor special.
///
/// # Errors
///
/// [`StoreError::Permanent`], because the account should not have been made.
pub(crate) fn check(account: &str) -> Result<(), StoreError> {
    let plain = !account.is_empty()
        && account.len() <= MAX_LEN
        && !account.starts_with('.')
        && !account.contains('/')
        && !account.contains(char::is_control);
    if plain {
        return Ok(());
    }
    Err(StoreError::Permanent(format!(
        "no folder can have the name of the account {account:?}"
    )))
}
