//! What every kind of mailbox does: it is configured, looked at, opened for logins, and managed by tools.
//!
//! Owns the traits and what they pass on. Knows no kind: the table of them is above.

use std::any::Any;
use std::fmt::Debug;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use imap_backend::Memory;
use local_accounts::{Verifier, VerifierConfig};
use pop3_server::name::Rewrite;
use pop3_server::service::{Peer, Routed};
use serde_json::Value;

use crate::Failure;
use crate::layer::{Budget, Rename, Served};

/// Why mailboxes cannot be used: what to tell the operator.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// One `[[store]]`: mailboxes that are kept here.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its name, for routes, tools and logs.
    pub name: String,
    /// The passwd-file of its accounts. Only a database has accounts without one.
    pub accounts: Option<PathBuf>,
    /// How its users' names are written.
    pub rewrite: Rewrite,
    /// What it is, and where.
    pub kind: Arc<dyn Kind>,
}

/// A kind of mailbox, as it was configured.
pub trait Kind: Any + Debug + Send + Sync {
    /// The word for it in a configuration.
    fn word(&self) -> &'static str;

    /// What `check` says of it; `accounts` are where its accounts are.
    fn told(&self, accounts: &str) -> String;

    /// Where it is, as it was written, if that is a place in the file system.
    fn path(&self) -> Option<PathBuf> {
        None
    }

    /// The secret in it, which other users must not read.
    fn secret(&self) -> Secret<'_> {
        Secret::None
    }

    /// Where the unique-ids come from, whether one may come again, and what becomes of a message that changes.
    /// For a database, `check` finds out from the database itself.
    fn unique_ids(&self) -> Option<&'static str> {
        None
    }

    /// Whether all accounts share one maildrop.
    fn is_shared(&self) -> bool {
        false
    }

    /// Checks that it is there. Returns warnings to the operator about mailboxes that can be used.
    fn check(&self, _store: &Store) -> Result<Vec<String>, Problem> {
        Ok(Vec::new())
    }

    /// Makes it ready for logins; looks at no folder and connects to nothing, unless `digests` are wanted:
    /// then a database is asked whether all accounts can do APOP and CRAM-MD5.
    fn open(
        &self,
        store: &Store,
        passwords: &Passwords,
        digests: bool,
    ) -> Result<Arc<dyn Mailboxes>, Problem>;

    /// What an administrator does with its messages and accounts.
    fn tools(&self) -> &dyn Tools;
}

/// A secret in the configuration of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret<'k> {
    /// There is none.
    None,
    /// It is a password in this file.
    File(&'k Path),
    /// It is in the configuration itself.
    Here,
}

/// Mailboxes that are ready for logins.
pub trait Mailboxes: Debug + Send + Sync {
    /// What logs and routes call it.
    fn name(&self) -> &str;

    /// A login on its way in.
    fn session(&self, arrival: Arrival<'_>) -> Routed<Served>;

    /// Whether APOP and CRAM-MD5 work for all its accounts, as far as is known. Asks nothing and waits for nothing.
    fn takes_digests(&self) -> bool;

    /// Says in the log what was done because they do not, why they do not, and what to do about it.
    fn warn_of_digests(&self, listener: &str, done: &str);
}

/// A login on its way in.
#[derive(Debug)]
pub struct Arrival<'l> {
    /// The user's name there, if it is known.
    pub user: Option<&'l str>,
    /// The same, where it is not the one that the client says.
    pub rename: Option<Rename>,
    /// The client.
    pub peer: &'l Peer,
    /// What all sessions share.
    pub shared: &'l Shared,
}

/// What all sessions share.
#[derive(Debug)]
pub struct Shared {
    /// What is fetched ahead for all of them.
    pub budget: Budget,
    /// How much that may be.
    pub read_ahead_total: usize,
    /// The messages that upstreams could not send.
    pub broken: Arc<dyn Memory>,
}

/// What checks the passwords of accounts; made when it is first needed.
#[derive(Clone, Debug, Default)]
pub struct Passwords(Arc<OnceLock<Arc<Verifier>>>);

impl Passwords {
    /// The same one at each call.
    pub fn verifier(&self) -> Result<Arc<Verifier>, Problem> {
        if let Some(verifier) = self.0.get() {
            return Ok(Arc::clone(verifier));
        }
        let made = Verifier::new(VerifierConfig::default())?;
        Ok(Arc::clone(self.0.get_or_init(|| Arc::new(made))))
    }
}

/// A message on its way in.
pub type Octets = Box<dyn Read + Send>;

/// A message as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its unique-id.
    pub unique_id: String,
    /// Its length.
    pub octets: u64,
    /// Its date, in seconds since 1970.
    pub date: u64,
    /// The file that it is.
    pub file: Option<String>,
}

/// What an administrator does with the messages and accounts of a store. By default all of it is refused, as for
/// a kind whose messages are in the configuration.
pub trait Tools {
    /// Whether each message belongs to one account. If not, all accounts share one maildrop.
    fn needs_user(&self) -> bool {
        true
    }

    /// Adds a message and returns its unique-id.
    fn add(&self, _store: &Store, _user: &str, _message: Octets) -> Result<String, Failure> {
        Err(listed())
    }

    /// The messages of an account.
    fn list(&self, _store: &Store, _user: &str) -> Result<Vec<Listed>, Failure> {
        Err(listed())
    }

    /// Removes a message; returns whether it was there.
    fn remove(&self, _store: &Store, _user: &str, _unique_id: &str) -> Result<bool, Failure> {
        Err(listed())
    }

    /// Makes what a new account of the file needs here.
    fn welcome(&self, _user: &str) -> Result<(), Failure> {
        Ok(())
    }

    /// Makes the tables of a database.
    fn migrate(&self, store: &Store) -> Result<(), Failure> {
        let name = &store.name;
        Err(Failure::configuration(format!(
            "store {name:?} is no database"
        )))
    }

    /// The accounts, where they are kept with the messages and not in a file.
    fn accounts(&self) -> Option<&dyn AccountTools> {
        None
    }
}

/// What an administrator does with accounts that are kept with the messages.
pub trait AccountTools {
    /// Adds an account.
    fn add(&self, store: &Store, user: &str, credential: &str) -> Result<(), Failure>;

    /// Gives an account a new credential.
    fn set(&self, store: &Store, user: &str, credential: &str) -> Result<(), Failure>;

    /// Removes an account.
    fn remove(&self, store: &Store, user: &str, with_messages: bool) -> Result<(), Failure>;

    /// The accounts, each as an object.
    fn list(&self, store: &Store) -> Result<Vec<Value>, Failure>;
}

fn listed() -> Failure {
    Failure::configuration("the messages of this store are in the configuration")
}
