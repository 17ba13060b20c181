//! A list of messages as a store: every account finds the same ones.
//!
//! What an account deletes is gone for it, for as long as the store lives; nothing is written anywhere.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pop3_proto::backend::Open;
use pop3_proto::backend::blocking::Store;
use pop3_proto::backend::list::{ListMailbox, ListStore};
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::secret::Secret;

/// The list, and who may read it.
pub struct Listed {
    accounts: Arc<dyn Accounts>,
    messages: Vec<Vec<u8>>,
    /// The maildrops of those who have logged in so far.
    maildrops: Mutex<ListStore>,
}

impl Listed {
    /// These messages for these accounts.
    pub fn new(messages: Vec<Vec<u8>>, accounts: Arc<dyn Accounts>) -> Self {
        Self {
            accounts,
            messages,
            maildrops: Mutex::default(),
        }
    }
}

impl Store for Listed {
    type Mailbox = ListMailbox;

    fn open(&self, open: &Open) -> Result<ListMailbox, StoreError> {
        let account = self.accounts.check(&open.login, &open.caller)?;
        let mut maildrops = self
            .maildrops
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if maildrops.mailbox(&account).is_none() {
            // the accounts say who may log in; with an empty secret the list itself lets no one in
            maildrops.add_account(account.as_str(), Secret::default());
            for message in &self.messages {
                maildrops.deliver(&account, message.clone());
            }
        }
        maildrops.mailbox(&account).ok_or(StoreError::Credentials)
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed").finish_non_exhaustive()
    }
}
