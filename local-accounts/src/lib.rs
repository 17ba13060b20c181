//! Accounts for mail stores that have none of their own: password hashes and shared secrets.
//!
//! * [`Credential`]: what a password is checked against, as other programs write it, and [`hash`], which
//!   makes one.
//! * [`Verifier`]: checks a login against a credential: bounded work, equal work for users that do not
//!   exist, and no work for a client that polls.
//! * [`PasswdFile`]: a passwd-file as Dovecot reads it, for tools that change it; [`FileAccounts`]: the same
//!   file, live, as the [`Accounts`](pop3_proto::backend::store::Accounts) of a store.
//!
//! Everything here may block for as long as a hash takes, some tens of milliseconds: call it from a
//! store's blocking job.
//!
//! # Examples
//!
//! ```
//! use local_accounts::{Algorithm, Credential, Verifier, VerifierConfig, hash};
//! use pop3_proto::backend::{Caller, Login};
//! use pop3_proto::backend::store::StoreError;
//! use pop3_proto::secret::Secret;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let password = Secret::from(&b"correct horse"[..]);
//! let stored = hash(&password, Algorithm::Argon2id)?; // $argon2id$v=19$m=19456,t=2,p=1$...
//!
//! let verifier = Verifier::new(VerifierConfig::default())?;
//! let login = Login::Password { user: "tim".into(), password };
//! let credential = Credential::parse(&stored)?;
//! assert_eq!(verifier.check(&login, &Caller::default(), "tim", Some(&credential)), Ok(()));
//! assert_eq!(verifier.check(&login, &Caller::default(), "tom", None), Err(StoreError::Credentials));
//! # Ok(())
//! # }
//! ```

mod argon;
mod cache;
mod credential;
mod file_accounts;
mod gate;
mod hash;
mod passwd;
mod prepared;
mod replace;
mod source;
mod table;
mod verifier;

pub use credential::{Credential, CredentialError};
pub use file_accounts::FileAccounts;
pub use hash::{Algorithm, HashError, hash, stored_secret};
pub use passwd::{PasswdEntry, PasswdError, PasswdFile};
pub use verifier::{Verifier, VerifierConfig, VerifierError};

/// The longest password that is looked at, in octets. A longer one is wrong: checking it would cost what
/// its sender likes.
pub const MAX_PASSWORD: usize = 1024;
