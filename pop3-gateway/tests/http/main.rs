//! HTTP beside POP3, on real sockets and both runtimes.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod bounds;
mod health;
mod metrics;
mod names;
mod rig;
