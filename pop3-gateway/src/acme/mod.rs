//! Certificates from an ACME CA (RFC 8555).
//!
//! | file | what it owns |
//! |---|---|
//! | [`keeper`] | when a certificate is asked for, and what comes of it |
//! | `ca` | one order: the challenges, the certificate; what refusals of the CA mean |
//! | `account` | the account at the CA, kept or new |
//! | `suggestion` | when the CA wants a certificate renewed |
//! | `client` | the way to the CA |
//! | `trouble` | why there is no certificate, in words |
//! | `answers` | what the CA is shown when it looks whether a name is ours: `http-01` and `tls-alpn-01` |
//! | `shown` | a certificate that listeners show and that a renewal replaces |
//! | [`place`] | where the account, the certificates and the memory of failures lie |
//!
//! One thread does all of it, and only where the configuration asks for certificates. Requests block there, so it is
//! the same on every runtime. A renewal that fails leaves the certificate of before.

mod account;
mod answers;
mod ca;
mod client;
pub mod keeper;
pub mod place;
mod shown;
mod suggestion;
mod trouble;

pub(crate) use answers::{PROTOCOL, page};
pub(crate) use client::terms;
pub use keeper::{Kept, Plan};
