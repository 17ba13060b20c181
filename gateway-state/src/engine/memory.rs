//! Rows in this process: for tests and for trying things out.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{GrantRow, SignInRow, SlipRow, Stamp};
use crate::account::{Account, AccountChange};
use crate::error::StateError;
use crate::grant::{Ended, GrantId, GrantSummary, Version};
use crate::sign_in::{FAIR, MAX_SIGN_INS, MAX_SIGN_INS_OF_OWNER};
use crate::slip::MAX_SLIPS;
use crate::usage::is_news;

/// Rows in memory.
pub(crate) struct Memory(Mutex<Rows>);

struct Rows {
    stamp: Stamp,
    grants: BTreeMap<GrantId, GrantRow>,
    accounts: BTreeMap<String, Account>,
    sign_ins: BTreeMap<Vec<u8>, SignInRow>,
    slips: BTreeMap<Vec<u8>, SlipRow>,
}

#[expect(clippy::unused_async, reason = "as the other engines are called")]
impl Memory {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self(Mutex::new(Rows {
            stamp,
            grants: BTreeMap::new(),
            accounts: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            slips: BTreeMap::new(),
        }))
    }

    /// It is always of this program's version.
    pub(crate) async fn migrate(&self) -> Result<(), StateError> {
        Ok(())
    }

    /// It has no connections.
    pub(crate) async fn close(&self) {}

    /// Removes all that is sealed, and puts another stamp in the place of one. How many grants were removed.
    pub(crate) async fn forget_sealed(&self, old: &[u8], new: &[u8]) -> Result<u64, StateError> {
        self.reseal_stamp(old, new).await?;
        let mut rows = self.rows();
        rows.sign_ins.clear();
        rows.slips.clear();
        Ok(mem::take(&mut rows.grants).len() as u64)
    }

    pub(crate) async fn stamp(&self) -> Result<Stamp, StateError> {
        Ok(self.rows().stamp.clone())
    }

    /// Puts another seal in the place of one, if it is still that one.
    pub(crate) async fn reseal_stamp(&self, old: &[u8], new: &[u8]) -> Result<bool, StateError> {
        let stamp = &mut self.rows().stamp;
        let same = stamp.sealed == old;
        if same {
            stamp.sealed = new.to_vec();
        }
        Ok(same)
    }

    pub(crate) async fn grant(&self, id: &GrantId) -> Result<Option<GrantRow>, StateError> {
        Ok(self.rows().grants.get(id).cloned())
    }

    pub(crate) async fn put_grant(&self, row: &GrantRow) -> Result<(), StateError> {
        let id = row.summary.id.clone();
        self.rows().grants.insert(id, row.clone());
        Ok(())
    }

    /// When somebody signed in and when it was used stay as they are.
    pub(crate) async fn replace_grant(
        &self,
        expected: Version,
        row: &GrantRow,
    ) -> Result<bool, StateError> {
        let mut rows = self.rows();
        let Some(old) = rows.expected(&row.summary.id, expected) else {
            return Ok(false);
        };
        let (obtained, used) = (old.summary.obtained, old.summary.used);
        *old = row.clone();
        (old.summary.obtained, old.summary.used) = (obtained, used);
        Ok(true)
    }

    pub(crate) async fn end_grant(
        &self,
        id: &GrantId,
        expected: Version,
        ended: &Ended,
    ) -> Result<bool, StateError> {
        let mut rows = self.rows();
        let Some(row) = rows.expected(id, expected) else {
            return Ok(false);
        };
        row.summary.ended = Some(ended.clone());
        Ok(true)
    }

    /// Puts another seal in the place of one, if it is still that one.
    pub(crate) async fn reseal_grant(
        &self,
        row: &GrantRow,
        sealed: &[u8],
    ) -> Result<bool, StateError> {
        let mut rows = self.rows();
        let old = rows.grants.get_mut(&row.summary.id);
        let Some(old) = old.filter(|old| old.sealed == row.sealed) else {
            return Ok(false);
        };
        old.sealed = sealed.to_vec();
        Ok(true)
    }

    pub(crate) async fn grant_used(&self, id: &GrantId, now: u64) -> Result<(), StateError> {
        let mut rows = self.rows();
        let row = rows.grants.get_mut(id);
        if let Some(row) = row.filter(|row| is_news(row.summary.used, now)) {
            row.summary.used = now;
        }
        Ok(())
    }

    pub(crate) async fn remove_grant(&self, id: &GrantId) -> Result<bool, StateError> {
        Ok(self.rows().grants.remove(id).is_some())
    }

    pub(crate) async fn grants(&self) -> Result<Vec<GrantSummary>, StateError> {
        let rows = self.rows();
        Ok(rows
            .grants
            .values()
            .map(|row| row.summary.clone())
            .collect())
    }

    pub(crate) async fn add_account(&self, account: &Account) -> Result<bool, StateError> {
        let mut rows = self.rows();
        let key = account.key();
        let new = !rows.accounts.contains_key(&key);
        if new {
            rows.accounts.insert(key, account.clone());
        }
        Ok(new)
    }

    pub(crate) fn account_at_hand(&self, key: &str) -> Option<Account> {
        self.rows().accounts.get(key).cloned()
    }

    pub(crate) async fn account(&self, key: &str) -> Result<Option<Account>, StateError> {
        Ok(self.account_at_hand(key))
    }

    pub(crate) async fn accounts(&self, mailbox: Option<&str>) -> Result<Vec<Account>, StateError> {
        let rows = self.rows();
        let all = rows.accounts.values();
        let wanted = |account: &&Account| mailbox.is_none_or(|mailbox| account.leads_to(mailbox));
        Ok(all.filter(wanted).cloned().collect())
    }

    pub(crate) async fn set_account(
        &self,
        key: &str,
        change: &AccountChange,
    ) -> Result<bool, StateError> {
        let mut rows = self.rows();
        let account = rows.accounts.get_mut(key);
        Ok(account.map(|account| change.apply(account)).is_some())
    }

    pub(crate) async fn remove_account(&self, key: &str) -> Result<bool, StateError> {
        Ok(self.rows().accounts.remove(key).is_some())
    }

    pub(crate) async fn account_used(&self, key: &str, now: u64) -> Result<(), StateError> {
        let mut rows = self.rows();
        let account = rows.accounts.get_mut(key);
        if let Some(account) = account.filter(|account| account.is_news(now)) {
            account.used = Some(now);
        }
        Ok(())
    }

    /// Whether there was room for it.
    pub(crate) async fn begin_sign_in(
        &self,
        row: &SignInRow,
        now: u64,
    ) -> Result<bool, StateError> {
        let mut rows = self.rows();
        rows.sign_ins.retain(|_, row| row.lives(now));
        let of_owner = rows.sign_ins.values().filter(|other| other.id == row.id);
        let mut of_owner: Vec<_> = of_owner
            .map(|row| (row.created, row.digest.clone()))
            .collect();
        of_owner.sort_unstable();
        let too_many = (of_owner.len() + 1).saturating_sub(MAX_SIGN_INS_OF_OWNER);
        for (_, digest) in &of_owner[..too_many] {
            rows.sign_ins.remove(digest);
        }
        let room = rows.sign_ins.len() < MAX_SIGN_INS || rows.make_room(row.network.as_deref());
        if room {
            rows.sign_ins.insert(row.digest.clone(), row.clone());
        }
        Ok(room)
    }

    pub(crate) async fn take_sign_in(
        &self,
        digest: &[u8],
    ) -> Result<Option<SignInRow>, StateError> {
        Ok(self.rows().sign_ins.remove(digest))
    }

    pub(crate) async fn put_slip(&self, row: &SlipRow, now: u64) -> Result<(), StateError> {
        let mut rows = self.rows();
        rows.slips.retain(|_, row| row.lives(now));
        let slips = rows.slips.values();
        let others = slips.filter(|other| other.kind == row.kind && other.digest != row.digest);
        let mut others: Vec<_> = others
            .map(|other| (other.expires, other.digest.clone()))
            .collect();
        others.sort_unstable();
        let too_many = (others.len() + 1).saturating_sub(MAX_SLIPS);
        for (_, digest) in &others[..too_many] {
            rows.slips.remove(digest);
        }
        rows.slips.insert(row.digest.clone(), row.clone());
        Ok(())
    }

    pub(crate) async fn slip(&self, digest: &[u8]) -> Result<Option<SlipRow>, StateError> {
        Ok(self.rows().slips.get(digest).cloned())
    }

    pub(crate) async fn take_slip(&self, digest: &[u8]) -> Result<Option<SlipRow>, StateError> {
        Ok(self.rows().slips.remove(digest))
    }

    pub(crate) async fn prolong_slip(&self, digest: &[u8], expires: u64) -> Result<(), StateError> {
        if let Some(row) = self.rows().slips.get_mut(digest) {
            row.expires = expires;
        }
        Ok(())
    }

    /// Nothing that is done under the lock can leave it half done.
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Puts out the oldest sign-in of the network that has the most, for one of this network, if that is fair.
    fn make_room(&mut self, network: Option<&str>) -> bool {
        let mut counts = BTreeMap::<&str, u64>::new();
        for other in self
            .sign_ins
            .values()
            .filter_map(|row| row.network.as_deref())
        {
            *counts.entry(other).or_default() += 1;
        }
        // of those with as many, the first by name
        let noisiest = counts.iter().rev().max_by_key(|(_, count)| **count);
        let own = network.and_then(|network| counts.get(network)).copied();
        let Some((noisiest, _)) = noisiest.filter(|(_, most)| **most >= own.unwrap_or(0) + FAIR)
        else {
            return false;
        };
        let of_it = self.sign_ins.values();
        let of_it = of_it.filter(|row| row.network.as_deref() == Some(*noisiest));
        let oldest = of_it.min_by_key(|row| (row.created, &row.digest));
        let oldest = oldest.map(|row| row.digest.clone());
        oldest.is_some_and(|oldest| self.sign_ins.remove(&oldest).is_some())
    }

    fn expected(&mut self, id: &GrantId, version: Version) -> Option<&mut GrantRow> {
        let row = self.grants.get_mut(id);
        row.filter(|row| row.summary.version == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, network: Option<&str>) -> SignInRow {
        SignInRow {
            digest: number.to_be_bytes().to_vec(),
            id: GrantId::new("example", number.to_string()),
            network: network.map(str::to_owned),
            sealed: Vec::new(),
            created: number as u64,
            expires: 1_000_000,
        }
    }

    #[test]
    fn who_is_alone_in_a_network_is_not_kept_out_by_a_flood() {
        let memory = Memory::new(Stamp {
            id: String::new(),
            sealed: Vec::new(),
        });
        let network = |number| match number {
            1 => Some("quiet"),
            2 => None,
            _ => Some("loud"),
        };
        let all = (1..=MAX_SIGN_INS).map(|number| row(number, network(number)));
        let all = all.map(|row| (row.digest.clone(), row));
        memory.rows().sign_ins.extend(all);
        let begins = |number, network| {
            let row = row(number, network);
            futures_lite::future::block_on(memory.begin_sign_in(&row, 0)).unwrap()
        };
        assert!(begins(20_001, Some("elsewhere")));
        assert!(begins(20_002, Some("elsewhere")));
        assert!(begins(20_003, None));
        assert!(!begins(20_004, Some("loud")));
        let rows = memory.rows();
        assert_eq!(rows.sign_ins.len(), MAX_SIGN_INS);
        let is_there = |number: &usize| rows.sign_ins.contains_key(&number.to_be_bytes()[..]);
        let first: Vec<_> = (1..8).filter(is_there).collect();
        assert_eq!(first, [1, 2, 6, 7]);
    }
}
