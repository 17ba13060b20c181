#![doc = include_str!("../README.md")]
//!
//! # What holds
//!
//! * A token is sealed before it leaves this crate for an engine: ChaCha20-Poly1305 under a key of its own, which
//!   HKDF-SHA256 makes of the operator's key and a random salt. Authenticated with it: the state's id, grant, owner,
//!   issuer and client. A record that is copied anywhere else is not unsealed there.
//! * Names of grants, owners, issuers and clients are not sealed, nor are accounts: their credentials are hashes.
//! * A call that writes returns when it is on the disk. Dropped before that, or failed with
//!   [`StateError::Unavailable`], it took place whole or not at all.
//! * Versions of grants are random: an old one is never right again, whatever was restored or removed meanwhile. Nothing
//!   is decided by the order of two clocks.
//! * Secrets are wiped when they are dropped, and in no text of an error or of `Debug`.
//!
//! # Runtimes
//!
//! The features `tokio` and `smol` say on which runtimes it can be used; both may be on, and the one that a call runs
//! in is taken. A state is used on one runtime only: its connections belong to it. No task runs beside the calls, so
//! that a call may be dropped anywhere.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod access;
mod account;
mod engine;
mod error;
mod grant;
mod keys;
mod name;
mod seal;
mod sign_in;
mod slip;
mod state;
mod tokens;
mod url;
mod usage;

pub use access::Access;
pub use account::{Account, AccountChange};
pub use error::StateError;
pub use grant::{Binding, Ended, Grant, GrantId, GrantSummary, Replaced, Version};
pub use keys::{KeyError, KeyId, Keys};
pub use sign_in::{MAX_SIGN_INS, MAX_SIGN_INS_OF_OWNER, SignIn};
pub use slip::{MAX_SLIPS, Slip};
pub use state::{Resealed, State};
pub use tokens::Tokens;
pub use url::StateUrl;
