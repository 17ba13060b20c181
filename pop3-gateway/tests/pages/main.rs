//! The pages as a browser meets them, on real sockets and both runtimes: a made-up provider, the IMAP server of testkit.
#![cfg(all(feature = "http", feature = "oauth", feature = "tokio"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod call_backs;
mod devices;
mod flood;
mod forms;
mod rig;
mod several;
