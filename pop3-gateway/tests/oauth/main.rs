//! Tokens: what is asked of providers, what is kept, and how logins go with it.

#![cfg(all(feature = "oauth", feature = "tokio"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod devices;
mod discovery;
mod hostile;
mod keeper;
mod layer;
mod requests;
mod script;
