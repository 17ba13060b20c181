//! TLS as an operator sets it up: which certificates we show, which ones we believe.
//!
//! Owns the configurations; the connections themselves live in the pipes alone. Always the
//! same provider, named explicitly, so that what else is linked into a program cannot change it. Never
//! leaves an upstream unverified: there is no switch for that.

mod error;
mod facts;
mod fault;
mod fingerprint;
mod self_signed;
mod server;
mod upstream;
mod verify;

pub use error::TlsError;
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use self_signed::{ensure_self_signed, has_self_signed};
pub use server::{Identity, ServerTls};
pub use upstream::{Trust, UpstreamTls};

pub(crate) use fault::describe;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// All certificates of a PEM file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::NoCertificate { file: file.into() }),
        Ok(found) => Ok(found),
        Err(cause) => Err(TlsError::Pem {
            file: file.into(),
            cause: cause.to_string(),
        }),
    }
}

/// The octets of a PEM file, without the mark that some editors put before a text.
fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut octets = fs::read(file).map_err(|cause| TlsError::Read {
        file: file.into(),
        cause,
    })?;
    if octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") {
        return Err(TlsError::Utf16 { file: file.into() });
    }
    if octets.starts_with(b"\xef\xbb\xbf") {
        octets.drain(..3);
    }
    Ok(octets)
}
