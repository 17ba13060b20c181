//! The program as a process: before the IMAP server of testkit, and with mailboxes of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "acme")]
mod acme;
mod advice;
#[cfg(feature = "cluster")]
mod cap;
mod common;
#[cfg(all(feature = "http", feature = "maildir"))]
mod drain;
mod end_to_end;
mod reload;
#[cfg(feature = "maildir")]
mod stores;
#[cfg(feature = "sql")]
mod stores_sql;
#[cfg(feature = "maildir")]
mod tools;
