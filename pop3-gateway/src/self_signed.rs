//! A certificate that the program makes itself, for a first start without one.
//!
//! Owns where it lies and who may read its key. Never replaces one that is there.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use local_accounts::private_file;
use pop3_server::tls::Identity;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

/// How long one is valid: systems of Apple refuse a server's certificate that is valid for longer than 825 days, whoever
/// vouches for it.
const LIFE: Duration = Duration::from_secs(825 * DAY - 1);
/// Clocks of clients may be late.
const EARLIER: Duration = Duration::from_secs(DAY);
const DAY: u64 = 24 * 3600;

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
    let (certificate, key) = make(names).map_err(|cause| SelfSignedError::Names {
        names: names.join(", "),
        cause: cause.to_string(),
    })?;
    fs::create_dir_all(folder).map_err(failed(folder))?;
    // The key first: a certificate is looked for only beside its key.
    write(&identity.key, &key)?;
    write(&identity.chain, &certificate)?;
    // what everybody is shown everybody may read
    fs::set_permissions(&identity.chain, fs::Permissions::from_mode(0o644))
        .map_err(failed(&identity.chain))?;
    Ok((identity, true))
}

/// A certificate and its key as PEM.
fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let name = names.iter().find(|name| name.parse::<IpAddr>().is_err());
    let name = name
        .or_else(|| names.first())
        .map_or("localhost", String::as_str);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    params.not_before = OffsetDateTime::UNIX_EPOCH + since_1970.unwrap_or_default() - EARLIER;
    params.not_after = params.not_before + LIFE;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Whether [`ensure`] would find what it needs in this folder, and make nothing.
pub fn is_there(folder: &Path) -> bool {
    let Identity { chain, key, .. } = identity(folder);
    chain.exists() && key.exists()
}

/// Where they lie in this folder.
pub(crate) fn identity(folder: &Path) -> Identity {
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

    use peer_trust::{CertificateFacts, pem};

    /// Apple's rule; a server's certificate for these names, and nobody else's authority.
    #[test]
    fn clients_accept_it_for_as_long_as_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["127.0.0.1", "pop.example.org"].map(String::from);
        let (identity, _) = super::ensure(folder.path(), &names).unwrap();
        let chain = pem::certificates(&identity.chain).unwrap();
        let facts = CertificateFacts::read(&chain[0]).unwrap();
        assert_eq!(facts.names, names);
        assert_eq!(
            (facts.issuer.as_str(), facts.self_issued),
            ("pop.example.org", true)
        );
        let days = (facts.not_after - facts.not_before + 1) / 86_400;
        assert_eq!(days, 825);
    }

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
