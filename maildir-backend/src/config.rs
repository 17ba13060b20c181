//! What an administrator decides about a store. Owns the settings and whether they make sense; never
//! looks at a disk.

use std::path::{Component, PathBuf};
use std::time::Duration;

use crate::template::Template;

/// Where the messages are, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The folder itself, or the one below which each user has a folder. May be a symbolic link.
    pub root: PathBuf,
    /// How messages are kept in a folder. [`Layout::Maildir`] by default.
    pub layout: Layout,
    /// Whose folder it is. [`Users::One`] by default.
    pub users: Users,
    /// What becomes of messages that a client deleted. [`Deletion::Remove`] by default.
    pub deletion: Deletion,
    /// What a user without a folder gets. [`Missing::Error`] by default.
    pub missing: Missing,
    /// After QUIT, messages that were retrieved and not deleted become seen: they go from `new` to `cur`
    /// and get the flag `S`. Off by default; without meaning in a plain directory.
    pub mark_seen: bool,
    /// A user's folder, its subfolder, `new` and `cur` may be symbolic links. Off by default: a user who
    /// can write into a home folder could point it at somebody else's mail. Messages are never symbolic
    /// links.
    pub follow_links: bool,
    /// Sessions that may delete lock the folder against other processes. On by default; a network
    /// file system without locks is served without them.
    pub lock: bool,
    /// In a plain directory, only files whose names end like one of these are messages (`.eml`), in
    /// capitals or small letters. If this is empty, as by default, all files are.
    pub suffixes: Vec<String>,
    /// In a plain directory, files whose names end like one of these are texts without a header and are
    /// wrapped into a mail when they are read. `.txt` by default.
    pub texts: Vec<String>,
    /// The most octets that a packed message of a Maildir may hold. 256 MiB by default.
    pub max_unpacked: u64,
    /// In a plain directory, a file that was changed less than this ago is still being written and not
    /// shown. 2 seconds by default. Files that are written elsewhere and renamed into the directory do
    /// not need it.
    pub settle: Duration,
}

/// How messages are kept in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// A Maildir: `new`, `cur` and `tmp`. In order of the delivery time that the names begin with.
    #[default]
    Maildir,
    /// A plain directory: every regular file is a message. In order of their last change, then by name; a
    /// file that is touched is another message and goes to the end. Not messages are names that begin
    /// with a dot, and those that editors and downloads give to unfinished files (`~`, `#x#`, `.tmp`,
    /// `.temp`, `.part`, `.partial`, `.filepart`, `.crdownload`, `.swp`, `.lock`).
    Directory,
}

/// Whose folder it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Users {
    /// The root is the only folder, for every account.
    #[default]
    One,
    /// Each account has a folder of its name below the root. Case does not count, in a template either:
    /// the folder that exists is the account's.
    Each {
        /// Where in it the messages are: `Maildir`, or some levels of folders.
        subfolder: Option<PathBuf>,
    },
    /// Each account has the folder that the template names, below the root.
    Template(Template),
}

/// What becomes of messages that a client deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Deletion {
    /// They are removed.
    #[default]
    Remove,
    /// They go to this folder within the user's folder, which is made when it is needed: in a Maildir a
    /// folder of it (`.Trash`), in a plain directory a directory of any name.
    Move(String),
    /// They stay.
    Keep,
}

/// What a user without a folder gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// An empty maildrop. If a disk is not mounted, clients see their mail vanish and fetch all of it
    /// again later.
    Empty,
    /// An error, which names the folder in the log.
    #[default]
    Error,
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The subfolder leads elsewhere.
    #[error("the subfolder {0:?} is not a relative path of plain names")]
    Subfolder(PathBuf),
    /// The folder for deleted messages cannot be one.
    #[error(
        "{0:?} cannot be the folder for deleted messages: a name without slash is wanted, \
         which begins with a dot in a Maildir"
    )]
    Trash(String),
    /// The suffix cannot be one.
    #[error("{0:?} cannot be the end of a file's name")]
    Suffix(String),
}

impl Config {
    /// A Maildir of one user at this path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            layout: Layout::default(),
            users: Users::default(),
            deletion: Deletion::default(),
            missing: Missing::default(),
            mark_seen: false,
            follow_links: false,
            lock: true,
            suffixes: Vec::new(),
            texts: vec![".txt".to_owned()],
            max_unpacked: 256 * 1024 * 1024,
            settle: Duration::from_secs(2),
        }
    }

    /// Whether the settings make sense.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if let Users::Each {
            subfolder: Some(path),
        } = &self.users
        {
            let plain = |part| matches!(part, Component::Normal(_));
            if !path.components().all(plain) || path.as_os_str().is_empty() {
                return Err(ConfigError::Subfolder(path.clone()));
            }
        }
        if let Deletion::Move(name) = &self.deletion {
            let plain = !name.is_empty()
                && name.len() <= 255
                && !name.contains(['/', '\0'])
                && name != "."
                && name != "..";
            let own = match self.layout {
                Layout::Maildir => name.starts_with('.'),
                Layout::Directory => true,
            };
            if !plain || !own {
                return Err(ConfigError::Trash(name.clone()));
            }
        }
        let odd = |suffix: &&String| {
            suffix.is_empty() || suffix.contains(['/', '\0']) || suffix.len() > 64
        };
        if let Some(suffix) = self.suffixes.iter().chain(&self.texts).find(odd) {
            return Err(ConfigError::Suffix(suffix.clone()));
        }
        Ok(())
    }
}
