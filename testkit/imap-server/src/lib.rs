#![doc = include_str!("../README.md")]
//!
//! # What it is made of
//!
//! Owns the server's side of the dialogue: commands in, responses out, on the mail of a [`Store`]. A test
//! can look into the store and change it at any time. The server is correct by default, misbehaves by
//! [`Fault`]s, offers the capabilities that [`Options`] name, and logs every command. It never touches a
//! clock, and sockets only in [`tcp`].
//!
//! Bodies are lent out from the stored [`Content`], so that a session's memory stays small whatever the
//! size of a message. A FETCH of many messages is carried out as its answers are taken.
//!
//! | module | what |
//! |---|---|
//! | [`content`] | octets of a message, shared and generated, never copied as a whole |
//! | [`mails`] | a corpus of difficult mails, and a few pleasant ones |
//! | [`tcp`] | the server on a real socket |

mod auth;
pub mod content;
mod fault;
mod fetch;
mod folder;
mod input;
pub mod mails;
mod message;
mod options;
mod output;
mod search;
mod session;
mod set;
mod state;
mod store;
pub mod tcp;
mod word;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use content::Content;
pub use fault::{BodyForm, Fault, Trouble, When};
pub use options::Options;
pub use session::ServerSession;
pub use store::{Folder, Message, Store};

/// The server: what its sessions share. A clone is another handle.
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    options: Options,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    connections: u32,
    counts: BTreeMap<String, u32>,
    faults: Vec<Fault>,
    log: Vec<Logged>,
}

/// A command that a session received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The connection, counted from 1.
    pub connection: u32,
    /// Whether it came through TLS.
    pub tls: bool,
    /// The command without its tag, in canonical spelling: literals as `{n}` or `{n+}` and their octets,
    /// passwords and tokens as `***`.
    pub line: String,
}

impl Server {
    /// A server on this store.
    pub fn new(store: Store, options: Options) -> Self {
        let book = Book {
            faults: options.faults.clone(),
            ..Book::default()
        };
        Self(Arc::new(Shared {
            store,
            options,
            book: Mutex::new(book),
        }))
    }

    /// A new connection. Its greeting is ready to be transmitted.
    pub fn connect(&self) -> ServerSession {
        let mut book = self.book();
        book.connections += 1;
        let number = book.connections;
        drop(book);
        ServerSession::new(self.clone(), number, false)
    }

    /// A new connection that begins within TLS.
    pub fn connect_tls(&self) -> ServerSession {
        let mut book = self.book();
        book.connections += 1;
        let number = book.connections;
        drop(book);
        ServerSession::new(self.clone(), number, true)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u32 {
        self.book().connections
    }

    /// Adds a misbehaviour.
    pub fn add_fault(&self, fault: Fault) {
        self.book().faults.push(fault);
    }

    /// From now on everything goes well. The counts stay.
    pub fn clear_faults(&self) {
        self.book().faults.clear();
    }

    /// All commands received so far, over all connections in the order of their arrival.
    pub fn log(&self) -> Vec<Logged> {
        self.book().log.clone()
    }

    /// The lines of [`log`](Self::log).
    pub fn commands(&self) -> Vec<String> {
        self.book()
            .log
            .iter()
            .map(|logged| logged.line.clone())
            .collect()
    }

    /// Whether any command received so far begins with these words, such as `UID STORE`.
    pub fn received(&self, words: &str) -> bool {
        self.book()
            .log
            .iter()
            .any(|logged| logged.line.starts_with(words))
    }

    fn options(&self) -> &Options {
        &self.0.options
    }

    fn note(&self, logged: Logged) {
        self.book().log.push(logged);
    }

    /// Counts a command; returns what goes wrong with it.
    fn troubles(&self, connection: u32, command: &str) -> Vec<Trouble> {
        let mut book = self.book();
        let count = book.counts.entry(command.to_owned()).or_default();
        *count += 1;
        let count = *count;
        let faults = book.faults.iter();
        faults
            .filter(|fault| fault.applies(connection, command, count))
            .map(|fault| fault.trouble.clone())
            .collect()
    }

    /// After how many octets of output this connection is cut.
    fn cut(&self, connection: u32) -> Option<u64> {
        let book = self.book();
        book.faults.iter().find_map(|fault| {
            let Trouble::CutOutput(octets) = fault.trouble else {
                return None;
            };
            fault.applies(connection, "", 0).then_some(octets)
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
