//! A folder on the disk, and accounts for it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use maildir_backend::{Config, Layout, MaildirStore, Missing, Users};
use pop3_proto::backend::blocking::{Blocking, Mailbox, Store};
use pop3_proto::backend::store::{Accounts, Entry, StoreError};
use pop3_proto::backend::{Access, Caller, Index, Login, Open};
use pop3_proto::secret::Secret;
use tempfile::TempDir;
use testkit::Content;
use testkit::stores::{self, Subject};

/// A client that knows the password is the user that it names, in small letters.
pub struct Anybody;

impl Accounts for Anybody {
    fn check(&self, login: &Login, _: &Caller) -> Result<String, StoreError> {
        let user = login.user().unwrap_or_default();
        let password = match user {
            stores::USER => stores::PASSWORD,
            stores::OTHER => stores::OTHER_PASSWORD,
            "nobody" => "",
            _ => "x",
        };
        if login.proves(&Secret::from(password.as_bytes())) {
            return Ok(user.to_lowercase());
        }
        Err(StoreError::Credentials)
    }
}

/// A store over a folder of its own.
pub struct Disk {
    pub store: Arc<MaildirStore>,
    pub root: TempDir,
}

impl Disk {
    /// One Maildir.
    pub fn maildir() -> Self {
        Self::with(|_| {})
    }

    /// One plain directory, whose files are complete at once.
    pub fn directory() -> Self {
        Self::with(|config| {
            config.layout = Layout::Directory;
            config.settle = Duration::ZERO;
        })
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path(), change);
        let config = store.config();
        if config.layout == Layout::Maildir && config.users == Users::One {
            make_maildir(root.path());
        }
        Self { store, root }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Puts a file there.
    pub fn put(&self, name: &str, octets: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), octets).unwrap();
    }

    /// The files in a folder of the root that are not hidden, by name.
    pub fn files(&self, folder: &str) -> Vec<String> {
        files(&self.path().join(folder))
    }

    pub fn open(&self) -> MaildirMailbox {
        self.store.open(&login(stores::USER)).unwrap()
    }

    /// The list of a fresh session.
    pub fn list(&self) -> Vec<Entry> {
        self.open().list().unwrap()
    }

    pub fn ids(&self) -> Vec<String> {
        let entries = self.list().into_iter();
        entries.map(|entry| entry.unique_id).collect()
    }
}

pub use maildir_backend::MaildirMailbox;

pub fn store(root: &Path, change: impl FnOnce(&mut Config)) -> Arc<MaildirStore> {
    let mut config = Config::new(root);
    change(&mut config);
    Arc::new(MaildirStore::new(config, Arc::new(Anybody)).unwrap())
}

pub fn make_maildir(path: &Path) {
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
}

pub fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| !entry.file_type().unwrap().is_dir());
    let mut names: Vec<String> = files
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

pub fn login(user: &str) -> Open {
    let password = match user {
        stores::USER => stores::PASSWORD,
        stores::OTHER => stores::OTHER_PASSWORD,
        _ => "x",
    };
    Open::new(Login::Password {
        user: user.to_owned(),
        password: Secret::from(password.as_bytes()),
    })
}

pub fn read_only(user: &str) -> Open {
    login(user).access(Access::ReadOnly)
}

/// All octets of a message.
pub fn read(mailbox: &mut impl Mailbox, index: u32) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    let mut message = mailbox.message(Index(index))?;
    std::io::copy(&mut message, &mut octets)?;
    Ok(octets)
}

/// Makes a file this much older.
pub fn age(path: &Path, by: Duration) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

/// The store in the shared suite.
impl Subject for Disk {
    type Backend = Blocking<MaildirStore>;

    fn backend(&self) -> Self::Backend {
        Blocking::new(Arc::clone(&self.store))
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        let listed = self.store.list(stores::USER).unwrap();
        let octets = listed.iter().map(|listed| fs::read(&listed.path).unwrap());
        octets.collect()
    }

    fn take_away(&self, place: usize) -> bool {
        let listed = self.store.list(stores::USER).unwrap();
        fs::remove_file(&listed[place].path).unwrap();
        true
    }
}

/// Fills a store in all the ways in which messages get there.
pub fn filled(disk: Disk, mails: &[Content]) -> Disk {
    let config = disk.store.config();
    let folder: PathBuf = match &config.users {
        Users::One | Users::Template(_) => disk.path().to_owned(),
        Users::Each { subfolder } => {
            let of = |user: &str| match subfolder {
                Some(subfolder) => disk.path().join(user).join(subfolder),
                None => disk.path().join(user),
            };
            for user in [stores::USER, stores::OTHER] {
                match config.layout {
                    Layout::Maildir => make_maildir(&of(user)),
                    Layout::Directory => fs::create_dir_all(of(user)).unwrap(),
                }
            }
            assert_eq!(config.missing, Missing::Error);
            of(stores::USER)
        }
    };
    for (n, mail) in mails.iter().enumerate() {
        let octets = mail.to_vec();
        match config.layout {
            Layout::Maildir => {
                let size = octets.len();
                let seconds = 1_700_000_000 + n;
                let name = match n % 4 {
                    0 => format!("new/{seconds}.M1P2.host"),
                    1 => format!("cur/{seconds}.M1P2.host,S={size}:2,S"),
                    2 => format!("cur/{seconds}.M1P2.host,S=1,W=9:2,"),
                    _ => format!("cur/{seconds}.{}:2,FS", "long".repeat(40)),
                };
                fs::write(folder.join(name), octets).unwrap();
            }
            Layout::Directory => {
                // against the order of the names
                let path = folder.join(format!("{:04} mail%.txt", mails.len() - n));
                fs::write(&path, octets).unwrap();
                age(&path, Duration::from_secs(1_000_000 - n as u64));
            }
        }
    }
    disk
}
