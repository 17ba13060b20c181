//! The rows of accounts.

use super::Sql;
use super::cursor::{Mismatch, Row, values};
use super::work::Work;
use crate::account::{Account, AccountChange};
use crate::error::StateError;
use crate::name::folded;
use crate::usage::USE_STEP;

/// The columns, as [`account`] reads them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT name, mailbox, place, owner, credential, access, networks, expires, enabled, label, created, used \
             FROM gateway_accounts",
            $rest
        )
    };
}

impl Sql {
    /// Whether there was none of this name.
    pub(crate) async fn add_account(&self, account: &Account) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let insert = "INSERT INTO gateway_accounts (folded, name, mailbox, mailbox_folded, place, owner, credential, \
                access, networks, expires, enabled, label, created, used) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (folded) DO NOTHING";
        let (key, mailbox) = (account.key(), folded(&account.mailbox));
        let networks = account.networks.join(" ");
        let values = values![
            key.as_str(),
            account.name.as_str(),
            account.mailbox.as_str(),
            mailbox.as_str(),
            account.place.as_str(),
            account.owner.as_deref(),
            account.credential.as_str(),
            account.access.as_str(),
            networks.as_str(),
            account.expires,
            i64::from(account.enabled),
            account.label.as_str(),
            account.created,
            account.used,
        ];
        let added = work.execute(insert, values).await?;
        work.end().await?;
        Ok(added == 1)
    }

    pub(crate) fn account_at_hand(&self, key: &str) -> Option<Account> {
        self.looked_up.find(key, self.looked_up.mark()?)
    }

    pub(crate) async fn account(&self, key: &str) -> Result<Option<Account>, StateError> {
        let mark = self.looked_up.mark();
        if let Some(known) = mark.and_then(|mark| self.looked_up.find(key, mark)) {
            return Ok(Some(known));
        }
        let mut work = Work::look(&self.pool).await?;
        let select = select!(" WHERE folded = $1");
        let found = work.rows(select, values![key], account).await?.pop();
        work.end().await?;
        if let (Some(mark), Some(found)) = (mark, &found) {
            self.looked_up.keep(key, mark, found);
        }
        Ok(found)
    }

    pub(crate) async fn accounts(&self, mailbox: Option<&str>) -> Result<Vec<Account>, StateError> {
        let mut work = Work::look(&self.pool).await?;
        let (select, values) = match mailbox {
            Some(mailbox) => (select!(" WHERE mailbox_folded = $1"), &values![mailbox][..]),
            None => (select!(""), &[][..]),
        };
        let mut all = work.rows(select, values, account).await?;
        work.end().await?;
        // databases have orders of their own
        all.sort_by_cached_key(Account::key);
        Ok(all)
    }

    pub(crate) async fn set_account(
        &self,
        key: &str,
        change: &AccountChange,
    ) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let update = "UPDATE gateway_accounts SET credential = COALESCE($2, credential), access = COALESCE($3, access), \
                networks = COALESCE($4, networks), enabled = COALESCE($5, enabled), label = COALESCE($6, label), \
                expires = CASE WHEN $7 = 1 THEN $8 ELSE expires END \
            WHERE folded = $1";
        let networks = change.networks.as_ref().map(|networks| networks.join(" "));
        let values = values![
            key,
            change.credential.as_deref(),
            change.access.map(crate::Access::as_str),
            networks.as_deref(),
            change.enabled.map(u64::from),
            change.label.as_deref(),
            i64::from(change.expires.is_some()),
            change.expires.flatten(),
        ];
        let changed = work.execute(update, values).await?;
        work.end().await?;
        self.account_changed().await?;
        Ok(changed == 1)
    }

    pub(crate) async fn remove_account(&self, key: &str) -> Result<bool, StateError> {
        let mut work = Work::write(&self.pool).await?;
        let delete = "DELETE FROM gateway_accounts WHERE folded = $1";
        let changed = work.execute(delete, values![key]).await?;
        work.end().await?;
        self.account_changed().await?;
        Ok(changed == 1)
    }

    pub(crate) async fn account_used(&self, key: &str, now: u64) -> Result<(), StateError> {
        // looked at first: not every login is to wait for the turn to write
        let mut work = Work::look(&self.pool).await?;
        let news = "SELECT 1 FROM gateway_accounts \
            WHERE folded = $1 AND (used IS NULL OR abs(used - $2) >= $3)";
        let news = work
            .rows(news, values![key, now, USE_STEP], |_| Ok(()))
            .await?;
        work.end().await?;
        if news.is_empty() {
            self.looked_up.used(key, now);
            return Ok(());
        }
        let mut work = Work::write(&self.pool).await?;
        let update = "UPDATE gateway_accounts SET used = $2 WHERE folded = $1";
        work.execute(update, values![key, now]).await?;
        work.end().await?;
        self.looked_up.used(key, now);
        Ok(())
    }

    /// Those who remember an account hear of it.
    async fn account_changed(&self) -> Result<(), StateError> {
        let told = self.looked_up.changed().await;
        told.map_err(|error| {
            let place = &self.pool.place;
            let text = format!(
                "{place}: it is changed, but gateways that run may not notice before 15 minutes: {error}"
            );
            StateError::Unavailable(text)
        })
    }
}

fn account(row: &mut Row) -> Result<Account, Mismatch> {
    let (name, mailbox, place) = (row.text()?, row.text()?, row.text()?);
    let mut account = Account::new(name, mailbox, place, String::new(), 0);
    account.owner = row.maybe_text()?;
    account.credential = row.text()?;
    account.access = row.text()?.parse().map_err(|_| Mismatch)?;
    account.networks = row.text()?.split_whitespace().map(str::to_owned).collect();
    account.expires = row.maybe_time()?;
    account.enabled = row.int()? != 0;
    account.label = row.text()?;
    account.created = row.time()?;
    account.used = row.maybe_time()?;
    Ok(account)
}
