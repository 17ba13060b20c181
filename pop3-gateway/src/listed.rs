//! A list of messages as a store: every account finds the same ones.
//!
//! What an account deletes is gone for it, for as long as the store lives; nothing is written anywhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pop3_proto::backend::blocking::Store;
use pop3_proto::backend::list::{ListMailbox, ListStore};
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Login, Open};
use pop3_proto::secret::Secret;

/// The list, and who may read it.
pub struct Listed {
    accounts: Arc<dyn Accounts>,
    messages: Vec<Vec<u8>>,
    /// The maildrops of those who have logged in so far.
    maildrops: Mutex<HashMap<String, Arc<ListStore>>>,
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

    fn maildrop(&self, account: &str) -> Arc<ListStore> {
        let mut maildrops = self
            .maildrops
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let mut list = ListStore::default();
            list.add_account(account, key());
            for message in &self.messages {
                list.deliver(account, message.clone());
            }
            Arc::new(list)
        };
        Arc::clone(maildrops.entry(account.to_owned()).or_insert_with(made))
    }
}

impl Store for Listed {
    type Mailbox = ListMailbox;

    fn open(&self, open: &Open) -> Result<ListMailbox, StoreError> {
        let account = self.accounts.check(&open.login, &open.caller)?;
        self.maildrop(&account).open(&Open {
            login: Login::Password {
                user: account,
                password: key(),
            },
            access: open.access,
            utf8: open.utf8,
            caller: open.caller.clone(),
        })
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed").finish_non_exhaustive()
    }
}

/// What the maildrops within want to be opened with. They come after the accounts, and no client gets there
/// by itself.
fn key() -> Secret {
    Secret::from(&b"within"[..])
}
