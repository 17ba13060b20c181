//! Which address a program connects to, and which certificate it trusts there.
//!
//! | item | what it is |
//! |---|---|
//! | [`Trust`] | the operator's or user's decision about certificates |
//! | [`Verifier`] | a verifier for rustls, made from it |
//! | [`Fingerprint`] | one certificate, named exactly |
//! | [`CertificateFacts`] | what a certificate says of itself, whether it is trusted or not |
//! | [`describe`] | what went wrong with TLS, in words |
//! | [`agreed`] | what was agreed on, by its names |
//! | [`pem`] | files of certificates |
//! | [`in_turn`] | the addresses of a name in the order to try them (RFC 8305) |
//!
//! This crate opens no connection, asks no questions and logs nothing. It names its provider of
//! cryptography (ring) explicitly, so that nothing else in a program can change it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use peer_trust::{Trust, Verifier};
//!
//! let print = "sha256:8f14e45fceea167a5a36dedd4bea2543ee2f5a0c1c5a4fc6f2bbee2dd1b6d7a5";
//! let trust = Trust::Certificates(vec![print.parse()?]);
//! let config = Arc::new(Verifier::load(&trust)?).client_config()?;
//! # let _: rustls::ClientConfig = config;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod agreed;
mod facts;
mod fault;
mod fingerprint;
mod key;
pub mod pem;
mod trust;
mod verify;

use std::sync::Arc;

pub use address::in_turn;
pub use agreed::agreed;
pub use facts::{CertificateFacts, day};
pub use fault::describe;
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use trust::{SystemRoots, Trust, TrustError};
pub use verify::{Odd, Verifier};

use rustls::crypto::{CryptoProvider, ring};

/// The provider of cryptography that everything here uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
