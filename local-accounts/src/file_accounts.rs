//! The accounts of a passwd-file for a store: always as the file is now.
//!
//! Owns the file's text and where in it each account's line is; a line is read at a login. Never keeps an
//! account that the file does not have.

use std::fmt;
use std::fs::{Metadata, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Access, Caller, Login};

use crate::passwd::{PasswdEntry, PasswdError, failed, folded};
use crate::source;
use crate::table::{Found, Table};
use crate::verifier::Verifier;

type Report = Box<dyn Fn(&PasswdError) + Send + Sync>;

/// How many seconds after a change another change is sure to get another time stamp: the clocks of file
/// systems are coarse.
const CLOCK: i64 = 2;

/// A passwd-file as the [`Accounts`] of a store.
///
/// The file is looked at again at each login, so an account that a tool adds or removes is there or gone
/// at once, without a signal.
///
/// A wrong line turns off only its own account, which answers with [`StoreError::Permanent`] until the line is
/// mended; the others work. A file that cannot be read has no accounts: every login is answered with
/// [`StoreError::Temporary`], so that no client thinks that its password is wrong, and no account is open that may
/// have been removed meanwhile. The function given to [`on_problem`](Self::on_problem) is called for both, once
/// for each change.
pub struct FileAccounts {
    path: PathBuf,
    verifier: Arc<Verifier>,
    report: Option<Report>,
    /// Held while the file is read, which takes as long as the disk likes.
    seen: Mutex<Seen>,
    /// What was read last, or why that failed. Locked only for a moment.
    table: Mutex<Result<Arc<Table>, String>>,
}

/// What was seen of the file.
struct Seen {
    /// Stamp of the file that was read last, unless a later change might not show in it.
    stamp: Option<Stamp>,
    exposed: bool,
    /// What was reported of it.
    told: Vec<String>,
}

/// Differs when the file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    mode: u32,
}

impl FileAccounts {
    /// Reads the file. Lines that are wrong are no error; see [`on_problem`](Self::on_problem).
    ///
    /// # Errors
    ///
    /// If the file cannot be read: it is not there, no regular file, larger than 256 MiB.
    pub fn open(path: impl Into<PathBuf>, verifier: Arc<Verifier>) -> Result<Self, PasswdError> {
        let path = path.into();
        let (stamp, exposed, table) = load(&path)?;
        Ok(Self {
            path,
            verifier,
            report: None,
            seen: Mutex::new(Seen {
                stamp,
                exposed,
                told: Vec::new(),
            }),
            table: Mutex::new(Ok(Arc::new(table))),
        })
    }

    /// Calls this for each line that is wrong, now and later, and when the file becomes unreadable.
    #[must_use]
    pub fn on_problem(mut self, report: impl Fn(&PasswdError) + Send + Sync + 'static) -> Self {
        self.report = Some(Box::new(report));
        let table = lock(&self.table).clone();
        if let Ok(table) = table {
            self.tell(&mut lock(&self.seen), table.faults());
        }
        self
    }

    /// How many accounts can be logged in to.
    pub fn count(&self) -> usize {
        self.table().map_or(0, |table| table.count())
    }

    /// Whether all accounts have a stored secret, so that APOP and CRAM-MD5 work for all of them, as far as was
    /// read by now. Reads no file, and waits for no other thread that reads it.
    pub fn all_secrets_stored(&self) -> bool {
        let table = lock(&self.table).clone();
        table.is_ok_and(|table| table.all_secrets_stored())
    }

    /// How many accounts have a weak credential, and what is wrong with it: for the operator.
    pub fn weaknesses(&self) -> Vec<(&'static str, usize)> {
        self.table()
            .map_or_else(|_| Vec::new(), |table| table.weaknesses())
    }

    /// Whether everybody on the machine may read the file, and so could guess at its hashes.
    pub fn is_exposed(&self) -> bool {
        lock(&self.seen).exposed
    }

    /// The account of this name, as the file has it now. For those who check its credential themselves.
    ///
    /// # Errors
    ///
    /// [`StoreError::Temporary`] if the file cannot be read, [`StoreError::Permanent`] if the account's line is wrong.
    pub fn find(&self, name: &str) -> Result<Option<PasswdEntry>, StoreError> {
        let table = self.table().map_err(StoreError::Temporary)?;
        self.find_in(&table, name)
            .map(|found| found.map(|entry| *entry))
    }

    fn find_in(&self, table: &Table, name: &str) -> Result<Option<Box<PasswdEntry>>, StoreError> {
        match table.find(&folded(name)) {
            Found::Account(entry) => Ok(Some(entry)),
            Found::Nobody => Ok(None),
            Found::Off { line } => Err(StoreError::Permanent(format!(
                "{}:{line}: the account is off, because the line is wrong",
                self.path.display()
            ))),
        }
    }

    /// The accounts as the file has them now.
    fn table(&self) -> Result<Arc<Table>, String> {
        let mut seen = lock(&self.seen);
        let now = std::fs::metadata(&self.path).ok();
        let now = now.map(|metadata| Stamp::of(&metadata));
        if now.is_none() || now != seen.stamp {
            self.refresh(&mut seen);
        }
        drop(seen);
        lock(&self.table).clone()
    }

    fn refresh(&self, seen: &mut Seen) {
        match load(&self.path) {
            Ok((stamp, exposed, table)) => {
                seen.stamp = stamp;
                seen.exposed = exposed;
                let table = Arc::new(table);
                *lock(&self.table) = Ok(Arc::clone(&table));
                self.tell(seen, table.faults());
            }
            Err(error) => {
                seen.stamp = None;
                *lock(&self.table) = Err(error.to_string());
                self.tell(seen, &[error]);
            }
        }
    }

    /// Reports the problems of the file that were not reported before.
    fn tell(&self, seen: &mut Seen, faults: &[PasswdError]) {
        let Some(report) = &self.report else { return };
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        for (fault, text) in faults.iter().zip(&told) {
            if !seen.told.contains(text) {
                report(fault);
            }
        }
        seen.told = told;
    }
}

impl Accounts for FileAccounts {
    fn check(&self, login: &Login, caller: &Caller) -> Result<String, StoreError> {
        let table = self.table().map_err(StoreError::Temporary)?;
        let user = login.user().unwrap_or_default();
        let entry = self.find_in(&table, user)?;
        if entry
            .as_ref()
            .is_some_and(|entry| entry.access() != Access::ReadWrite || entry.keeps())
        {
            return Err(StoreError::Permanent(format!(
                "{}: {user}: access= is for mailboxes of upstreams; remove it",
                self.path.display()
            )));
        }
        let name = entry.as_ref().map_or(user, |entry| entry.name());
        // a login that is not admitted takes as long as one for a user that does not exist
        let admitted = entry
            .as_ref()
            .filter(|entry| entry.admits(caller.address()) && !entry.has_expired(now()));
        let credential = admitted.map(|entry| entry.credential());
        self.verifier
            .check_beside(login, caller, name, credential, table.prevailing())?;
        admitted
            .map(|entry| entry.maildrop().to_owned())
            .ok_or(StoreError::Credentials)
    }
}

impl fmt::Debug for FileAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileAccounts")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            mode: metadata.mode(),
        }
    }

    /// Whether the next change will show in it.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH);
        let now = now
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok());
        now.is_some_and(|now| now >= self.changed.0.saturating_add(CLOCK))
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// The stamp is taken before the content: a change in between is seen at the next look.
fn load(path: &Path) -> Result<(Option<Stamp>, bool, Table), PasswdError> {
    let io = |source| failed(path, "cannot read it", source);
    let now = SystemTime::now();
    let (file, metadata) = source::open(path, OpenOptions::new().read(true)).map_err(io)?;
    let stamp = Some(Stamp::of(&metadata)).filter(|stamp| stamp.is_settled(now));
    let octets = source::read(&file).map_err(io)?;
    let exposed = metadata.mode() & 0o004 != 0;
    Ok((stamp, exposed, Table::read(path, octets)))
}

/// Every change leaves it whole: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
