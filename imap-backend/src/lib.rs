//! An IMAP mailbox as the backend of a POP3 session.
//!
//! [`ImapBackend`] is a state machine: it turns the requests of a session into IMAP and the server's
//! bytes into replies, and never touches a socket, a clock or a thread. Message bodies are lent out of
//! the receive buffer, so that a message of any size needs no more memory than a small one.
//!
//! What it keeps: twelve octets a message, the credentials for as long as the session lives (to
//! reconnect quietly), and one receive buffer of 64 KiB while mail flows, next to nothing otherwise.
//!
//! What it never does: change anything upstream before QUIT, fetch without PEEK, CLOSE a folder, or
//! expunge a message that the client did not delete.
//!
//! # Where things are
//!
//! | module | what |
//! |---|---|
//! | `config` | what an operator decides about one upstream |
//! | `framer`, `grammar` | bytes to lines and literals; lines to meaning |
//! | `command`, `uid_set`, `mailbox_name` | what we send |
//! | `client` | one connection: tags, buffers, capabilities |
//! | `auth`, `error` | how to log in; what a refusal means |
//! | `broken` | messages that could not be sent, remembered beyond the session |
//! | `table`, `presence`, `read_ahead` | the messages; which of them are gone upstream; what the client will probably want next |
//! | `backend` | the session: `link` (a connection sought and lost), `open`, `login`, `folder` (from the greeting to the table), `retrieve`, `reading`, `deliver` (messages), `update` (QUIT) |
//! | `text`, `recorder` | what an operator may read of it |
//!
//! # Limits
//!
//! A server that says `UIDNOTSTICKY` gives its messages other UIDs whenever it likes. It says so in the
//! dialogue; the unique-ids are made of UIDs all the same, and a client that goes by them downloads
//! again what got a new one. Nothing is lost by that: within a session a connection is only replaced
//! where UIDVALIDITY is the same.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use imap_backend::{Config, ImapBackend, Security};
//! use pop3_proto::backend::{Access, Caller, Backend, Effect, Login, Open, Outcome, Request};
//! use pop3_proto::secret::Secret;
//! use pop3_proto::time::Time;
//!
//! let config = Config::new("imap.example.org", 993, Security::Implicit);
//! let mut backend = ImapBackend::new(Arc::new(config), None);
//! let login = Login::Password { user: "tim".into(), password: Secret::from(&b"tanstaaf"[..]) };
//! let (access, caller) = (Access::ReadWrite, Caller::default());
//! let open = Open { login, access, utf8: false, caller };
//! backend.handle_request(Time::ZERO, Request::Open(open));
//!
//! // whoever drives it connects, and says so
//! assert!(matches!(backend.poll_effect(), Some(Effect::Connect(_))));
//! backend.handle_outcome(Time::ZERO, Outcome::Connected);
//! assert!(matches!(backend.poll_effect(), Some(Effect::StartTls { .. })));
//! backend.handle_outcome(Time::ZERO, Outcome::TlsReady);
//!
//! // then octets go both ways
//! let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n";
//! backend.recv_buf()[..greeting.len()].copy_from_slice(greeting);
//! backend.received(Time::ZERO, greeting.len());
//! assert!(backend.transmit().starts_with(b"A"));
//! ```

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod auth;
mod backend;
mod broken;
mod capability;
mod client;
mod command;
mod config;
mod error;
mod framer;
mod grammar;
mod learned;
mod mailbox_name;
#[cfg(test)]
mod oracle;
mod presence;
mod read_ahead;
mod recorder;
mod remedy;
mod table;
mod text;
mod uid_set;

pub use backend::ImapBackend;
pub use broken::{BrokenMessages, Memory, Standing};
pub use config::{AuthPreference, Config, DeletePolicy, PipelineLogin, Quirks, Security};
pub use learned::Learned;
