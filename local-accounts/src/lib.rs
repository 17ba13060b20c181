#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! * [`Credential`]: what a password is checked against, as other programs write it, and [`hash`], which
//!   makes one.
//! * [`Verifier`]: checks a login against a credential: bounded work, equal work for users that do not
//!   exist, and no work for a client that polls.
//! * [`PasswdFile`]: a passwd-file as Dovecot reads it, for tools that change it; [`FileAccounts`]: the same
//!   file, live, as the [`Accounts`](pop3_proto::backend::store::Accounts) of a store.
//! * [`private_file`]: how a file with a secret in it is written.
//!
//! Everything here may block for as long as a hash takes, some tens of milliseconds: call it from a
//! store's blocking job.

mod argon;
mod cache;
mod credential;
mod file_accounts;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod hash;
mod passwd;
mod prepared;
pub mod private_file;
mod replace;
mod source;
mod table;
mod verifier;

pub use credential::{Credential, CredentialError};
pub use file_accounts::FileAccounts;
pub use hash::{Algorithm, HashError, hash, stored_secret};
pub use passwd::{PasswdEntry, PasswdError, PasswdFile, day};
pub use prepared::prepared;
pub use verifier::{Verifier, VerifierConfig, VerifierError};

/// The longest password that is looked at, in octets. A longer one is wrong, because its sender would
/// decide what checking it costs.
pub const MAX_PASSWORD: usize = 1024;
