//! A store of messages in memory, for one user or many.
//!
//! For messages out of a configuration or a program, and for tests. What clients delete is gone for as
//! long as the store lives; nothing is ever written anywhere.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::backend::blocking::Blocking;
//! use pop3_proto::backend::list::ListStore;
//! use pop3_proto::secret::Secret;
//!
//! let mut store = ListStore::default();
//! store.add_account("tim", Secret::from(&b"tanstaaf"[..]));
//! assert!(store.deliver("tim", "Subject: hello\r\n\r\nWelcome.\r\n"));
//! let backend = Blocking::new(store.into());
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use md5::{Digest, Md5};

use super::blocking::{Mailbox, Store};
use super::store::{Entry, StoreError, message_size};
use super::{Index, Open};
use crate::apop;
use crate::secret::Secret;

/// Messages in memory, by user.
///
/// A message's unique-id is a digest of its octets, so that the same messages have the same ids after a restart; one
/// that is delivered after others were removed also has a number, so that no id is used again. Every login that proves
/// a user's secret is taken: password, APOP, CRAM-MD5.
#[derive(Default)]
pub struct ListStore {
    accounts: BTreeMap<String, Account>,
}

impl ListStore {
    /// Adds a user without messages, or changes a user's secret. No login opens an account with
    /// an empty secret.
    pub fn add_account(&mut self, user: impl Into<String>, secret: Secret) {
        self.accounts.entry(user.into()).or_default().secret = secret;
    }

    /// Adds a message after the others; sessions that are open do not see it. False if there is no such
    /// user.
    pub fn deliver(&self, user: &str, message: impl Into<Bytes>) -> bool {
        let account = self.accounts.get(user);
        if let Some(account) = account {
            account.maildrop.lock().push(message.into());
        }
        account.is_some()
    }

    /// The maildrop of a user who has proven elsewhere who it is. `None` if there is no such user.
    pub fn mailbox(&self, user: &str) -> Option<ListMailbox> {
        let account = self.accounts.get(user)?;
        Some(ListMailbox {
            account: user.into(),
            maildrop: account.maildrop.clone(),
            listed: Vec::new(),
        })
    }

    /// The messages that a user has now.
    pub fn messages(&self, user: &str) -> Vec<Bytes> {
        let messages = self.accounts.get(user).map(|a| a.maildrop.snapshot());
        let messages = messages.unwrap_or_default().into_iter();
        messages.map(|message| message.bytes).collect()
    }
}

impl fmt::Debug for ListStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.accounts.keys()).finish()
    }
}

impl Store for ListStore {
    type Mailbox = ListMailbox;

    fn open(&self, open: &Open) -> Result<ListMailbox, StoreError> {
        let user = open.login.user().unwrap_or_default();
        let account = self.accounts.get(user);
        // it takes as long for a user that does not exist
        let nobody = Secret::default();
        let proven = open.login.proves(account.map_or(&nobody, |a| &a.secret));
        let mailbox = self.mailbox(user).filter(|_| proven);
        mailbox.ok_or(StoreError::Credentials)
    }
}

/// A maildrop of a [`ListStore`], as it was when it was listed.
pub struct ListMailbox {
    account: String,
    maildrop: Maildrop,
    listed: Vec<Message>,
}

impl Mailbox for ListMailbox {
    fn account(&self) -> Option<&str> {
        Some(&self.account)
    }

    fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        self.listed = self.maildrop.snapshot();
        Ok(self.listed.iter().map(Message::entry).collect())
    }

    fn message(&mut self, index: Index) -> Result<Box<dyn Read + Send>, StoreError> {
        let message = self
            .listed
            .get(index.0 as usize)
            .ok_or(StoreError::Missing)?;
        Ok(Box::new(Cursor::new(message.bytes.clone())))
    }

    fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError> {
        let messages = indexes
            .iter()
            .filter_map(|index| self.listed.get(index.0 as usize));
        self.maildrop
            .lock()
            .remove(&messages.map(|message| message.name).collect());
        Ok(())
    }
}

impl fmt::Debug for ListMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListMailbox")
            .field("listed", &self.listed.len())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Account {
    secret: Secret,
    maildrop: Maildrop,
}

/// A user's messages, shared by the store and the sessions.
#[derive(Clone, Default)]
struct Maildrop(Arc<Mutex<Messages>>);

impl Maildrop {
    /// Nothing that is done under the lock can leave it half done, so a panic elsewhere is no reason to
    /// stop.
    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Vec<Message> {
        self.lock().messages.clone()
    }
}

#[derive(Default)]
struct Messages {
    messages: Vec<Message>,
    names: BTreeSet<Name>,
    /// The largest number that was given; once a message was removed, none is given again.
    last: u32,
    removed: bool,
}

/// The digest of a message's octets, and a number that tells messages apart that are alike.
type Name = (apop::Digest, u32);

impl Messages {
    fn push(&mut self, bytes: Bytes) {
        let digest = Md5::digest(&bytes).into();
        let mut alike = self.names.range((digest, 0)..=(digest, u32::MAX));
        let number = match alike.next_back() {
            // an id that a client has seen must not be used again, and removed ones are not remembered
            _ if self.removed => self.last.saturating_add(1),
            Some((_, number)) => number.saturating_add(1),
            None => 0,
        };
        self.last = self.last.max(number);
        let name = (digest, number);
        self.names.insert(name);
        // reading from memory does not fail
        let size = message_size(&bytes[..]).unwrap_or_default();
        self.messages.push(Message { name, size, bytes });
    }

    fn remove(&mut self, names: &BTreeSet<Name>) {
        self.removed |= !names.is_empty();
        self.messages
            .retain(|message| !names.contains(&message.name));
        self.names.retain(|name| !names.contains(name));
    }
}

#[derive(Clone)]
struct Message {
    name: Name,
    size: u64,
    bytes: Bytes,
}

impl Message {
    fn entry(&self) -> Entry {
        let (digest, number) = &self.name;
        let mut unique_id = apop::to_hex(digest);
        if *number > 0 {
            unique_id = format!("{unique_id}.{number}");
        }
        Entry {
            size: self.size,
            unique_id,
        }
    }
}
