//! A certificate that the program makes itself, for a first start without one.
//!
//! Owns where it lies and who may read its key. Never replaces one that is there.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use local_accounts::private_file;
use pop3_server::tls::Identity;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// The file cannot be written.
    #[error("cannot write {}: {cause}; choose a folder that this user may write to", file.display())]
    Write {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// No certificate can be made for these names.
    #[error("cannot make a certificate for {names}: {cause}")]
    Names {
        /// The names, with commas between them.
        names: String,
        /// What is wrong with them.
        cause: String,
    },
}

/// The certificate and key in this folder; made for these names if they are not there yet. Returns
/// where they lie, and whether they are new.
pub fn ensure(folder: &Path, names: &[String]) -> Result<(Identity, bool), SelfSignedError> {
    let identity = identity(folder);
    if is_there(folder) {
        return Ok((identity, false));
    }
    let made =
        rcgen::generate_simple_self_signed(names).map_err(|cause| SelfSignedError::Names {
            names: names.join(", "),
            cause: cause.to_string(),
        })?;
    fs::create_dir_all(folder).map_err(failed(folder))?;
    // The key first: a certificate is looked for only beside its key.
    write(&identity.key, &made.signing_key.serialize_pem())?;
    write(&identity.chain, &made.cert.pem())?;
    // what everybody is shown everybody may read
    fs::set_permissions(&identity.chain, fs::Permissions::from_mode(0o644))
        .map_err(failed(&identity.chain))?;
    Ok((identity, true))
}

/// Whether [`ensure`] would find what it needs in this folder, and make nothing.
pub fn is_there(folder: &Path) -> bool {
    let Identity { chain, key, .. } = identity(folder);
    chain.exists() && key.exists()
}

fn identity(folder: &Path) -> Identity {
    Identity::new(
        folder.join("self-signed.crt"),
        folder.join("self-signed.key"),
    )
}

/// Replaces what is there, so that a key never inherits the rights of an older file.
fn write(file: &Path, pem: &str) -> Result<(), SelfSignedError> {
    private_file::replace(file, pem.as_bytes()).map_err(failed(file))
}

fn failed(file: &Path) -> impl Fn(io::Error) -> SelfSignedError {
    |cause| SelfSignedError::Write {
        file: file.into(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_string()];
        let make = || super::ensure(folder.path(), &names).unwrap();
        let (first, new) = make();
        assert!(new);
        let key = std::fs::read(&first.key).unwrap();
        assert!(!make().1);
        assert_eq!(std::fs::read(&first.key).unwrap(), key);
        let mode = |file| super::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&first.key), 0o600);
        assert_eq!(mode(&first.chain), 0o644);
    }
}
