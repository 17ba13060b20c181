//! The store: logins, and the folder of each.

use std::fmt;
use std::sync::Arc;

use pop3_proto::backend::Open;
use pop3_proto::backend::blocking::Store;
use pop3_proto::backend::store::{Accounts, StoreError};

use crate::config::{Config, ConfigError};
use crate::disk::Dir;
use crate::folder::{Folder, failed};
use crate::mailbox::MaildirMailbox;
use crate::shared::Shared;
use crate::sizes::Memory;

/// Folders of message files, as a store. The documentation of the [crate](crate) says what it does with them.
pub struct MaildirStore {
    accounts: Arc<dyn Accounts>,
    pub(crate) shared: Arc<Shared>,
}

impl MaildirStore {
    /// A store with these settings and these accounts. Looks at no disk.
    ///
    /// # Errors
    ///
    /// If settings make no sense.
    pub fn new(config: Config, accounts: Arc<dyn Accounts>) -> Result<Self, ConfigError> {
        config.check()?;
        let shared = Shared {
            config,
            memory: Memory::default(),
            suspects: Arc::default(),
        };
        Ok(Self {
            accounts,
            shared: Arc::new(shared),
        })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Whether the root exists and can be opened: for a check before serving.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for the operator.
    pub fn check_root(&self) -> Result<(), StoreError> {
        Dir::open(&self.shared.config.root)
            .map(drop)
            .map_err(failed)
    }
}

impl Store for MaildirStore {
    type Mailbox = MaildirMailbox;

    fn open(&self, open: &Open) -> Result<MaildirMailbox, StoreError> {
        let account = self.accounts.check(&open.login, &open.caller)?;
        let folder = Folder::open(&self.shared.config, &account)?;
        Ok(MaildirMailbox::new(
            Arc::clone(&self.shared),
            folder,
            account,
            open.access,
        ))
    }
}

impl fmt::Debug for MaildirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaildirStore")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
