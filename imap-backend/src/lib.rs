#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! | module | what |
//! |---|---|
//! | `config` | what an operator decides about one upstream |
//! | `framer`, `grammar` | bytes to lines and literals; lines to meaning |
//! | `command`, `uid_set`, `mailbox_name` | what we send |
//! | `wire` | one connection: tags, buffers, capabilities |
//! | `auth`, `error` | how to log in; what a refusal means |
//! | `parked` | a connection that waits for the next login |
//! | `broken` | messages that could not be sent, remembered beyond the session |
//! | `table`, `presence`, `read_ahead` | the messages; which of them are gone upstream; what the client will probably want next |
//! | `backend` | the session. Parts that own their fields: `asked` (the login, kept to connect once more), `link` (how far the connection is, and what is known of its end), `opening` (the steps from greeting to folder), `deadline` (the clock), `maildrop` (the table and its listing), `reading` (what is wanted, asked for and lent), `update` (QUIT: a plan, then its stages), `suspects` (messages that could not be sent), `reply` and `notes` (what the session and the operator hear). What is done with them: `connect`, `open`, `login`, `folder`, `park`, `retrieve`, `deliver`, `blame`; `phase` has the table of the states |
//! | `text`, `recorder` | what an operator may read of it |
//!
//! # Limits
//!
//! A server that says `UIDNOTSTICKY` gives its messages other UIDs whenever it likes. The unique-ids
//! are made of UIDs all the same, and a client that goes by them downloads again what got a new one.
//! Nothing is lost by that: within a session a connection is replaced only if UIDVALIDITY is the same.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod auth;
mod backend;
mod backoff;
mod broken;
mod capability;
mod command;
mod config;
mod error;
mod framer;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grammar;
mod learned;
mod mailbox_name;
#[cfg(test)]
mod oracle;
mod parked;
mod presence;
mod read_ahead;
mod recorder;
mod remedy;
mod table;
mod text;
mod uid_set;
mod wire;

pub use backend::ImapBackend;
pub use backoff::{Backoffs, SharedBackoffs};
#[cfg(feature = "std")]
pub use broken::SharedMessages;
pub use broken::{BrokenMessages, Memory, Standing};
pub use command::is_keyword;
pub use config::{AuthPreference, Config, DeletePolicy, PipelineLogin, Quirks, Security};
pub use learned::Learned;
