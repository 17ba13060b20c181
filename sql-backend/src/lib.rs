#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! [`SqlStore`] serves tables that [`SqlStore::migrate`] makes, or those that [`Queries`] name; a
//! [`Template`] makes a mail of a plain text column.
//!
//! # What holds
//!
//! * Values are bound, never pasted into a query; the text of a query comes only from the configuration.
//! * Messages are deleted at QUIT, all in one transaction. If its outcome is not known, the client gets
//!   an error: nothing is reported as deleted that may still be there.
//! * A message that changed since the client read it is not deleted, and the client gets an error.
//! * A row that cannot be read does not affect the others: they are listed, read and deleted.
//! * A message of any size passes in pieces of 64 KiB, and no connection is held while a client takes one.
//!   With your own queries this needs [`Queries::body_piece`]; otherwise [`Config::max_message`] is the
//!   limit.
//! * A message that another program deletes while it is being sent never looks complete.
//! * While a database is down logins get `[SYS/TEMP]`, and the next one tries to connect again.
//!
//! # Runtimes
//!
//! The features `tokio` and `smol` are the runtimes that it can run on. Both may be on; then a call uses
//! the one that it runs in. A store is used on one runtime only: its connections belong to it. No task runs
//! in the background, so a store, a mailbox or a call's future may be dropped anywhere.

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
