//! The accounts of a passwd-file, as a store asks for them: always as the file is now.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Caller, Login};

use crate::credential::Credential;
use crate::passwd::{PasswdEntry, PasswdError, PasswdFile, failed, folded};
use crate::verifier::Verifier;

type Report = Box<dyn Fn(&PasswdError) + Send + Sync>;

/// A passwd-file as the [`Accounts`] of a store.
///
/// At each login it is looked at again: an account that a tool adds or removes is there or gone at once,
/// without a signal. If somebody leaves a file behind that cannot be read, the accounts stay as they were,
/// and whoever was given to [`on_problem`](Self::on_problem) hears of it, once for each such file.
pub struct FileAccounts {
    path: PathBuf,
    verifier: Arc<Verifier>,
    report: Option<Report>,
    /// Of the file that was looked at last; nothing if there was none. Held while the file is read, which
    /// takes as long as the disk likes.
    seen: Mutex<Option<Stamp>>,
    /// What was read last. Never held for longer than a look.
    table: Mutex<Arc<Table>>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<String, PasswdEntry>,
    /// A hash of the kind that most accounts have.
    prevailing: Option<Credential>,
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
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a line of it is wrong.
    pub fn open(path: impl Into<PathBuf>, verifier: Arc<Verifier>) -> Result<Self, PasswdError> {
        let path = path.into();
        let (stamp, table) = load(&path)?;
        Ok(Self {
            path,
            verifier,
            report: None,
            seen: Mutex::new(Some(stamp)),
            table: Mutex::new(Arc::new(table)),
        })
    }

    /// Who is told that the file has become unreadable.
    #[must_use]
    pub fn on_problem(mut self, report: impl Fn(&PasswdError) + Send + Sync + 'static) -> Self {
        self.report = Some(Box::new(report));
        self
    }

    /// How many accounts there are.
    pub fn count(&self) -> usize {
        self.table().entries.len()
    }

    /// Whether everybody on the machine may read the file: its hashes are then anybody's to try out.
    pub fn is_exposed(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|stamp| stamp.mode & 0o004 != 0)
    }

    /// The accounts as the file has them now.
    fn table(&self) -> Arc<Table> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = std::fs::metadata(&self.path).ok().map(|m| Stamp::of(&m));
        if now.is_none() || now != *seen {
            self.refresh(&mut seen);
        }
        drop(seen);
        self.last_table()
    }

    fn last_table(&self) -> Arc<Table> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&table)
    }

    fn refresh(&self, seen: &mut Option<Stamp>) {
        match load(&self.path) {
            Ok((stamp, table)) => {
                *seen = Some(stamp);
                let mut last = self.table.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Arc::new(table);
            }
            Err(error) => {
                let stamp = std::fs::metadata(&self.path).ok().map(|m| Stamp::of(&m));
                let is_news = seen.is_some() || stamp.is_some();
                *seen = stamp;
                if let Some(report) = self.report.as_ref().filter(|_| is_news) {
                    report(&error);
                }
            }
        }
    }
}

impl Accounts for FileAccounts {
    fn check(&self, login: &Login, caller: &Caller) -> Result<String, StoreError> {
        let table = self.table();
        let user = login.user().unwrap_or_default();
        let entry = table.entries.get(&folded(user));
        let name = entry.map_or(user, PasswdEntry::name);
        let credential = entry.map(PasswdEntry::credential);
        let stand_in = table.prevailing.as_ref();
        self.verifier
            .check_beside(login, caller, name, credential, stand_in)?;
        entry
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
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            mode: metadata.mode(),
        }
    }
}

/// The stamp is taken before the content: what changes in between is seen at the next look.
fn load(path: &Path) -> Result<(Stamp, Table), PasswdError> {
    let io = |source| failed(path, "cannot read it", source);
    let mut file = File::open(path).map_err(io)?;
    let stamp = Stamp::of(&file.metadata().map_err(io)?);
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).map_err(io)?;
    let passwd = PasswdFile::parse(path, &octets)?;
    let entries: HashMap<_, _> = passwd
        .entries()
        .map(|entry| (folded(entry.name()), entry.clone()))
        .collect();
    let prevailing = prevailing(&entries).cloned();
    Ok((
        stamp,
        Table {
            entries,
            prevailing,
        },
    ))
}

/// A hash of the kind that most accounts have.
fn prevailing(entries: &HashMap<String, PasswdEntry>) -> Option<&Credential> {
    let mut classes: HashMap<String, (usize, &Credential)> = HashMap::new();
    let hashes = entries
        .values()
        .map(PasswdEntry::credential)
        .filter(|c| c.is_hash());
    for credential in hashes {
        classes
            .entry(credential.class())
            .or_insert((0, credential))
            .0 += 1;
    }
    let most = classes
        .into_iter()
        // the name decides between two that are equally many, not the order of the table
        .max_by(|(a, (n, _)), (b, (m, _))| n.cmp(m).then_with(|| a.cmp(b)));
    most.map(|(_, (_, credential))| credential)
}
