//! Files of certificates: reading them, and what can be wrong with one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the certificates in {}: {fault}", file.display())]
pub struct FileError {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be read.
    #[error("{0}")]
    Read(io::Error),
    /// It is PEM that is not well-formed.
    #[error("{0}")]
    Pem(String),
    /// It is a certificate in DER.
    #[error("it is in DER; write it as PEM: openssl x509 -inform der -in FILE -out NEW")]
    Der,
    /// It is text of two octets a character.
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    /// There is no certificate in it.
    #[error("there is no certificate in it (-----BEGIN CERTIFICATE-----)")]
    Empty,
    /// None of the certificates in it can be read.
    #[error("its content is not a certificate, or is damaged")]
    Unreadable,
}

/// All certificates of a PEM file, at least one.
///
/// # Errors
///
/// The file cannot be read, is not well-formed, or holds no certificate.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let pem = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let fault = match found {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) if pem.first() == Some(&0x30) => Fault::Der,
        Ok(_) => Fault::Empty,
        Err(cause) => Fault::Pem(cause.to_string()),
    };
    Err(fault.of(file))
}

/// The octets of a PEM file, without the mark that some editors put before a text.
///
/// # Errors
///
/// The file cannot be read, or is text of two octets a character.
pub fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    let mut octets = fs::read(file).map_err(|cause| Fault::Read(cause).of(file))?;
    if octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") {
        return Err(Fault::Utf16.of(file));
    }
    if octets.starts_with(b"\xef\xbb\xbf") {
        octets.drain(..3);
    }
    Ok(octets)
}

impl Fault {
    pub(crate) fn of(self, file: &Path) -> FileError {
        FileError {
            file: file.into(),
            fault: self,
        }
    }
}
