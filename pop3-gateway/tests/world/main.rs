//! The whole gateway in a world of its own: the loop, the connection, TLS, the IMAP backend and a small
//! IMAP server, on one thread with a network and a clock in memory.
//!
//! What RFC 1939 wants replies to be is said by the reference maildrop of `testkit`; what may go wrong on
//! the way is said by each test. Nothing here waits, and everything is the same each time, apart from
//! the random octets inside TLS.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod client;
mod hosts;
mod mail_client;
mod rig;
mod tls;

mod bounds;
mod broken;
mod client_cuts;
mod crowd;
mod deletion;
mod exhaustive;
mod interrupts;
mod metrics;
mod parked;
mod random;
mod rest;
mod sessions;
mod surprises;
mod tls_sessions;
mod upstream_cuts;
