//! Accounts: added, looked up, changed, removed. They are not sealed: a credential is a hash.

use super::{State, engine};
use crate::account::{Account, AccountChange};
use crate::engine::Engine;
use crate::error::StateError;
use crate::name::folded;

impl State {
    /// Adds an account.
    ///
    /// # Errors
    ///
    /// [`StateError::AccountExists`] if there is one of this name.
    pub async fn add_account(&self, account: &Account) -> Result<(), StateError> {
        account.check()?;
        match engine!(self, add_account(account))? {
            true => Ok(()),
            false => Err(StateError::AccountExists(account.name.clone())),
        }
    }

    /// An account, if there is one of this name, whatever its case.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StateError> {
        if name.contains('\0') {
            // no name, and a database may refuse to look for it
            return Ok(None);
        }
        engine!(self, account(&folded(name)))
    }

    /// An account that is at hand: asks no database and waits for nothing. `None` says nothing about whether there is
    /// one.
    #[must_use]
    pub fn account_at_hand(&self, name: &str) -> Option<Account> {
        match &self.0.engine {
            Engine::Memory(engine) => engine.account_at_hand(&folded(name)),
            Engine::Sql(engine) => engine.account_at_hand(&folded(name)),
        }
    }

    /// All accounts, or those that lead to a mailbox, by name.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn accounts(&self, mailbox: Option<&str>) -> Result<Vec<Account>, StateError> {
        let mailbox = mailbox.map(folded);
        engine!(self, accounts(mailbox.as_deref()))
    }

    /// Changes an account, and says whether it was there.
    ///
    /// # Errors
    ///
    /// If the change is none that can be kept.
    pub async fn set_account(
        &self,
        name: &str,
        change: &AccountChange,
    ) -> Result<bool, StateError> {
        change.check()?;
        engine!(self, set_account(&folded(name), change))
    }

    /// Removes an account, and says whether it was there.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn remove_account(&self, name: &str) -> Result<bool, StateError> {
        engine!(self, remove_account(&folded(name)))
    }

    /// Notes that an account was used, to some minutes.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn account_used(&self, name: &str, now: u64) -> Result<(), StateError> {
        engine!(self, account_used(&folded(name), now))
    }
}
