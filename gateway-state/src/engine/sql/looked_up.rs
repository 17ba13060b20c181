//! Accounts as they were looked up: devices poll, and most logins are like the last one.
//!
//! Owns what is remembered of the accounts in a file, and the mark that says whether they may have changed since: the
//! file's own times. SQLite alters them when it moves its journal into the file; a change of an account here is made
//! too before the call returns, in whichever process. Of a server's database nothing is remembered: it is asked each
//! time.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};

use super::options::Options;
use crate::account::Account;

/// How long an account is remembered: who changes the tables by other means is not heard of.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// The most accounts that are remembered.
const MOST: usize = 20_000;

/// What is remembered.
pub(super) struct LookedUp {
    file: Option<PathBuf>,
    accounts: Mutex<HashMap<String, (Mark, Instant, Account)>>,
}

/// A state of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark([u64; 6]);

impl LookedUp {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            file: match options {
                Options::Sqlite(options) => Some(options.get_filename().to_owned()),
                Options::Postgres(_) => None,
            },
            accounts: Mutex::default(),
        }
    }

    /// The mark that stands now: taken before an account is looked up. `None` where nothing is remembered.
    pub(super) fn mark(&self) -> Option<Mark> {
        let file = fs::metadata(self.file.as_ref()?).ok()?;
        Some(Mark([
            file.dev(),
            file.ino(),
            file.mtime().cast_unsigned(),
            file.mtime_nsec().cast_unsigned(),
            file.ctime().cast_unsigned(),
            file.ctime_nsec().cast_unsigned(),
        ]))
    }

    /// An account that was looked up when the mark was this one.
    pub(super) fn find(&self, key: &str, mark: Mark) -> Option<Account> {
        let accounts = self.lock();
        let (then, since, account) = accounts.get(key)?;
        (*then == mark && since.elapsed() < LIFE).then(|| account.clone())
    }

    /// Keeps what was looked up after the mark was taken.
    pub(super) fn keep(&self, key: &str, mark: Mark, account: &Account) {
        let mut accounts = self.lock();
        if accounts.len() >= MOST && !accounts.contains_key(key) {
            accounts.retain(|_, (then, since, _)| *then == mark && since.elapsed() < LIFE);
        }
        if accounts.len() < MOST || accounts.contains_key(key) {
            accounts.insert(key.to_owned(), (mark, Instant::now(), account.clone()));
        }
    }

    /// An account was used: that alone is no reason to look it up again.
    pub(super) fn used(&self, key: &str, now: u64) {
        if let Some((_, _, account)) = self.lock().get_mut(key) {
            account.used = Some(now);
        }
    }

    /// Makes another mark, after a change.
    pub(super) async fn changed(&self) -> io::Result<()> {
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        blocking::unblock(move || remark(&file)).await
    }

    /// Every change leaves it whole: a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Mark, Instant, Account)>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No mark comes again: the clock that the kernel takes times from stands still for some milliseconds, hence the random
/// part. The file is not opened, which would drop the locks of this process on it.
fn remark(file: &Path) -> io::Result<()> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: now.map_or(0, |since| since.as_secs()).cast_signed(),
            tv_nsec: i64::from(u32::from_ne_bytes(random) % 1_000_000_000),
        },
    };
    Ok(utimensat(CWD, file, &times, AtFlags::empty())?)
}
