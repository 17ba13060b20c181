//! What can be wrong with certificates and keys: always which file, and what to do about it.

use std::io;
use std::path::PathBuf;

use peer_trust::TrustError;
use peer_trust::pem::{Fault, FileError};

/// Certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}; does it exist, and may this user read it?", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file is not PEM.
    #[error("{} is not well-formed PEM: {cause}", file.display())]
    Pem {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no certificate in the file.
    #[error(
        "no certificate in {}; it should hold the full chain as '-----BEGIN CERTIFICATE-----' sections, \
         the server's own certificate first",
        file.display()
    )]
    NoCertificate {
        /// Which file.
        file: PathBuf,
    },
    /// There is no private key in the file.
    #[error(
        "no private key in {}; it should hold one '-----BEGIN PRIVATE KEY-----' section without a \
         passphrase",
        file.display()
    )]
    NoKey {
        /// Which file.
        file: PathBuf,
    },
    /// The private key has a passphrase.
    #[error(
        "the private key in {file} is encrypted, and a service cannot ask for its passphrase; take it off \
         with 'openssl pkey -in {file} -out NEW', and let this user alone read the new file",
        file = file.display()
    )]
    EncryptedKey {
        /// Which file.
        file: PathBuf,
    },
    /// The file is text of two octets a character.
    #[error("{} is UTF-16 text; save it as ASCII or UTF-8", file.display())]
    Utf16 {
        /// Which file.
        file: PathBuf,
    },
    /// Certificate and key cannot be used together.
    #[error(
        "the key in {} and the certificate in {} cannot be used: {cause}; the key must belong to the \
         first certificate of the file",
        key.display(), chain.display()
    )]
    Identity {
        /// The certificate's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        cause: String,
    },
    /// A server cannot do TLS without a certificate.
    #[error("TLS needs at least one certificate with its key")]
    NoIdentity,
    /// None of the certificates in a file can be read.
    #[error(
        "no certificate in {} can be read; it should hold the authority's certificate or the server's own \
         as '-----BEGIN CERTIFICATE-----' sections",
        file.display()
    )]
    NoAuthority {
        /// Which file.
        file: PathBuf,
    },
    /// The TLS library refuses the set-up.
    #[error("TLS cannot be set up: {0}")]
    SetUp(String),
}

impl From<FileError> for TlsError {
    fn from(error: FileError) -> Self {
        let file = error.file;
        match error.fault {
            Fault::Read(cause) => Self::Read { file, cause },
            Fault::Pem(cause) => Self::Pem { file, cause },
            Fault::Utf16 => Self::Utf16 { file },
            Fault::Unreadable => Self::NoAuthority { file },
            Fault::Der | Fault::Empty | _ => Self::NoCertificate { file },
        }
    }
}

impl From<TrustError> for TlsError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::File(error) => error.into(),
            error @ (TrustError::SetUp(_) | _) => Self::SetUp(error.to_string()),
        }
    }
}
