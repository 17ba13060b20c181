#![doc = include_str!("../README.md")]
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
mod state;
mod timer;
mod tokens;
mod url;

pub use access::Access;
pub use account::{Account, AccountChange};
pub use error::StateError;
pub use grant::{Binding, Ended, Grant, GrantId, GrantSummary, Replaced, Version};
pub use keys::{KeyError, KeyId, Keys};
pub use sign_in::{MAX_SIGN_INS, MAX_SIGN_INS_OF_OWNER, SignIn};
pub use state::{Resealed, State};
pub use tokens::Tokens;
pub use url::StateUrl;
