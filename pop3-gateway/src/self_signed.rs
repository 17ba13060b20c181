//! A certificate that the program makes itself, for a first start without one.
//!
//! Owns where it lies and who may read its key. Never replaces one that is there.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

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
    fs::create_dir_all(folder).map_err(|cause| SelfSignedError::Write {
        file: folder.into(),
        cause,
    })?;
    // The key first: a certificate is looked for only beside its key.
    write(&identity.key, &made.signing_key.serialize_pem(), 0o600)?;
    write(&identity.chain, &made.cert.pem(), 0o644)?;
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
fn write(file: &Path, pem: &str, mode: u32) -> Result<(), SelfSignedError> {
    let failed = |cause| SelfSignedError::Write {
        file: file.into(),
        cause,
    };
    match fs::remove_file(file) {
        Ok(()) => {}
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(failed(cause)),
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut opened = options.open(file).map_err(failed)?;
    opened
        .write_all(pem.as_bytes())
        .and_then(|()| opened.sync_all())
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&first.key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
