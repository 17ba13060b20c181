//! Account names that may become names of folders, because they can never lead out of the root. Owns
//! the rule; never looks at a disk.

use pop3_proto::backend::store::StoreError;

/// How long a name may be in a file system.
const MAX_LEN: usize = 255;

/// Whether a folder below the root may have the account's name: one path component that is neither hidden
/// nor special.
///
/// # Errors
///
/// [`StoreError::Permanent`], because the account should not have been made.
pub(crate) fn check(account: &str) -> Result<(), StoreError> {
    check_length(account)?;
    let plain = !account.is_empty()
        && !account.starts_with('.')
        && !account.contains('/')
        && !account.contains(char::is_control);
    if plain { Ok(()) } else { Err(refused(account)) }
}

/// Whether a file system takes it for one name.
pub(crate) fn check_length(name: &str) -> Result<(), StoreError> {
    if name.len() <= MAX_LEN {
        Ok(())
    } else {
        Err(refused(name))
    }
}

fn refused(name: &str) -> StoreError {
    StoreError::Permanent(format!(
        "no folder can have the name of the account {name:?}"
    ))
}
