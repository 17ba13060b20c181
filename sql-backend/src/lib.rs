#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! [`SqlStore`] serves tables that [`SqlStore::migrate`] makes, or those that [`Queries`] name; a
//! [`Template`] makes a mail of a plain text column.
//!
//! # What holds
//!
//! * Values are bound, never pasted into a query; a query's text comes from the configuration alone.
//! * Messages are deleted at QUIT, all in one transaction. If its end is not known, the client hears that
//!   it failed: nothing is reported deleted that may be there.
//! * A message that changed since the client read it is not deleted, and the client hears so.
//! * A row that cannot be read costs that row: the others are listed, read and deleted.
//! * A message of any size passes in pieces of 64 KiB, and no connection is held while a client takes one.
//!   With queries of one's own this needs [`Queries::body_piece`]; otherwise
//!   [`Config::max_message`] is the limit.
//! * A message that is deleted by somebody else while it is being sent is never taken for a complete one.
//! * A database that is down makes `[SYS/TEMP]`, and the next answer connects again.
//!
//! # Runtimes
//!
//! The features `tokio` and `smol` say on which runtimes it can be used; both may be on, and the one that a
//! call runs in is taken. A store is used on one runtime only: its connections belong to it. No task runs
//! beside the calls, so a store, a mailbox or a call's future may be dropped anywhere.

mod advice;
mod changes;
mod check;
mod config;
mod database;
mod dialect;
mod error;
mod mailbox;
mod measure;
mod message;
mod own;
mod queries;
mod rows;
mod schema;
mod shared;
mod sizes;
mod statement;
mod store;
mod template;
mod timer;
mod tools;
mod value;

pub use config::{Config, DatabaseUrl, Logins, Maildrops, PoolLimits, Queries, StoredSecrets};
pub use error::SqlError;
pub use local_accounts::VerifierConfig;
pub use mailbox::SqlMailbox;
pub use message::SqlMessage;
pub use store::SqlStore;
pub use template::Template;
pub use tools::{Account, Messages, Stored};
