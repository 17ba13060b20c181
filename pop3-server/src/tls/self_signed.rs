//! A certificate that we make ourselves, for a first start without one.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{Identity, TlsError};

/// The certificate and key in this folder; made for these names if they are not there yet. Returns
/// where they lie, and whether they are new.
pub fn ensure_self_signed(folder: &Path, names: &[String]) -> Result<(Identity, bool), TlsError> {
    let identity = identity(folder);
    if has_self_signed(folder) {
        return Ok((identity, false));
    }
    let made = rcgen::generate_simple_self_signed(names).map_err(|cause| TlsError::SelfSigned {
        names: names.join(", "),
        cause: cause.to_string(),
    })?;
    fs::create_dir_all(folder).map_err(|cause| TlsError::Write {
        file: folder.into(),
        cause,
    })?;
    // The key first: a certificate is looked for only beside its key.
    write(&identity.key, &made.signing_key.serialize_pem(), 0o600)?;
    write(&identity.chain, &made.cert.pem(), 0o644)?;
    Ok((identity, true))
}

/// Whether [`ensure_self_signed`] would find what it needs in this folder, and make nothing.
pub fn has_self_signed(folder: &Path) -> bool {
    let Identity { chain, key } = identity(folder);
    chain.exists() && key.exists()
}

fn identity(folder: &Path) -> Identity {
    Identity {
        chain: folder.join("self-signed.crt"),
        key: folder.join("self-signed.key"),
    }
}

/// Replaces what is there, so that a key never inherits the rights of an older file.
fn write(file: &Path, pem: &str, mode: u32) -> Result<(), TlsError> {
    let failed = |cause| TlsError::Write {
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
