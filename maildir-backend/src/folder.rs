//! The folder of a user: the directories in which messages lie, and the names in them.
//!
//! Owns the way from an account to open directories, and the search for messages that others rename
//! meanwhile. Never reads a message.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;

use pop3_proto::backend::store::StoreError;

use crate::config::{Config, Layout, Missing, Users};
use crate::disk::Dir;
use crate::stamp::Stamp;
use crate::template::Part;
use crate::{name, user};

/// How often a directory is listed, at most, until it stays unchanged meanwhile.
const LISTINGS: usize = 3;

/// The directories of a maildrop, open.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) layout: Layout,
    pub(crate) home: Dir,
    /// `new` and `cur`, in this order: a message that moves from one to the other while both are
    /// listed is seen twice rather than never.
    places: Vec<Dir>,
    /// Which of them is `cur`.
    cur: Option<usize>,
    suffixes: Vec<String>,
}

/// A file that may be a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) place: u8,
    pub(crate) name: Box<[u8]>,
}

impl Folder {
    /// The folder of an account; `None` if there is none and that is the same as an empty one.
    pub(crate) fn open(config: &Config, account: &str) -> Result<Option<Self>, StoreError> {
        let root = Dir::open(&config.root).map_err(failed)?;
        let home = match Self::path(config, account)? {
            Some(path) => walk(root, &path, |dir, part| {
                enter(dir, part, config.follow_links)
            }),
            None => Ok(root),
        };
        let home = match (home, config.missing) {
            (Err(error), Missing::Empty) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            (home, Missing::Empty | Missing::Error) => home.map_err(failed)?,
        };
        Self::within(config, home).map(Some)
    }

    /// The folder of an account, made if there is none.
    pub(crate) fn open_or_make(config: &Config, account: &str) -> Result<Self, StoreError> {
        let follow = config.follow_links;
        let root = Dir::open(&config.root).map_err(failed)?;
        let home = match Self::path(config, account)? {
            Some(path) => walk(root, &path, |dir, part| match enter(dir, part, follow) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    dir.enter_or_make(&part.name, follow)
                }
                entered => entered,
            }),
            None => Ok(root),
        };
        let home = home.map_err(failed)?;
        if config.layout == Layout::Maildir {
            for place in ["tmp", "new", "cur"] {
                home.enter_or_make(OsStr::new(place), follow)
                    .map_err(failed)?;
            }
        }
        Self::within(config, home)
    }

    /// A directory in which messages lie.
    pub(crate) fn place(&self, place: u8) -> &Dir {
        self.places.get(usize::from(place)).unwrap_or(&self.home)
    }

    /// The part of a Maildir with messages that were seen.
    pub(crate) fn cur(&self) -> Option<&Dir> {
        self.places.get(self.cur?)
    }

    /// The part of a name that never changes.
    pub(crate) fn base<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        name::base(self.layout, name)
    }

    /// The files that may be messages, in no order.
    pub(crate) fn scan(&self) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for (place, dir) in (0..).zip(&self.places) {
            let names = quiet_names(dir).map_err(failed)?;
            let messages = names
                .into_iter()
                .filter(|name| name::may_be_message(self.layout, &self.suffixes, name));
            found.extend(messages.map(|name| Found { place, name }));
        }
        Ok(found)
    }

    /// Where the messages are now, by base name.
    pub(crate) fn index(&self) -> Result<HashMap<Box<[u8]>, Found>, StoreError> {
        let found = self.scan()?.into_iter();
        Ok(found.map(|f| (self.base(&f.name).into(), f)).collect())
    }

    /// The state of the directories, which changes when names do.
    pub(crate) fn stamps(&self) -> Result<Vec<Stamp>, StoreError> {
        let stamps: io::Result<_> = self.places.iter().map(Dir::stamp).collect();
        stamps.map_err(failed)
    }

    /// The account's folder below the root, by parts.
    fn path(config: &Config, account: &str) -> Result<Option<Vec<Part>>, StoreError> {
        let subfolder = match &config.users {
            Users::One => return Ok(None),
            Users::Template(template) => return template.fill(account).map(Some),
            Users::Each { subfolder } => subfolder.iter().flat_map(|path| path.iter()),
        };
        user::check(account)?;
        let own = Part {
            name: Box::from(OsStr::new(account)),
            any_case: true,
        };
        let subfolder = subfolder.map(|name| Part {
            name: Box::from(name),
            any_case: false,
        });
        Ok(Some(std::iter::once(own).chain(subfolder).collect()))
    }

    fn within(config: &Config, home: Dir) -> Result<Self, StoreError> {
        let mut places = Vec::new();
        let names: &[&str] = match config.layout {
            Layout::Maildir => &["new", "cur"],
            Layout::Directory => &["."],
        };
        let (mut missing, mut cur) = (None, None);
        for place in names {
            match home.enter(OsStr::new(place), config.follow_links) {
                Ok(dir) => {
                    cur = (*place == "cur").then_some(places.len());
                    places.push(dir);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing = Some(error),
                Err(error) => return Err(failed(error)),
            }
        }
        match missing {
            // some tools make `new` only
            Some(error) if places.is_empty() => Err(StoreError::Permanent(format!(
                "{} is no Maildir: {error}",
                home.path().display()
            ))),
            Some(_) | None => Ok(Self {
                layout: config.layout,
                home,
                places,
                cur,
                suffixes: config.suffixes.clone(),
            }),
        }
    }
}

/// An error of the folder itself: if it is missing, somebody has to make it.
pub(crate) fn failed(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound {
        return StoreError::Permanent(error.to_string());
    }
    error.into()
}

fn walk(
    root: Dir,
    path: &[Part],
    mut enter: impl FnMut(&Dir, &Part) -> io::Result<Dir>,
) -> io::Result<Dir> {
    path.iter().try_fold(root, |dir, part| enter(&dir, part))
}

/// The folder of this name, or an existing one whose name differs only in case.
fn enter(dir: &Dir, part: &Part, follow_links: bool) -> io::Result<Dir> {
    let error = match dir.enter(&part.name, follow_links) {
        Err(error) if part.any_case && error.kind() == io::ErrorKind::NotFound => error,
        entered => return entered,
    };
    let wanted = part.name.to_string_lossy().to_lowercase();
    let mut alike = dir.folders()?;
    alike.retain(|name| {
        name.to_str()
            .is_some_and(|name| name.to_lowercase() == wanted)
    });
    match alike.as_slice() {
        [] => Err(error),
        [name] => dir.enter(name, follow_links),
        [one, other, ..] => Err(io::Error::new(
            io::ErrorKind::InvalidFilename,
            format!(
                "{} and {} differ in capitals alone, and each could be the folder of one account; rename or \
                 remove all but one",
                dir.path().join(one).display(),
                dir.path().join(other).display()
            ),
        )),
    }
}

/// A directory's names, listed without a change meanwhile if possible.
fn quiet_names(dir: &Dir) -> io::Result<Vec<Box<[u8]>>> {
    let mut before = dir.stamp()?;
    for _ in 1..LISTINGS {
        let names = dir.names()?;
        let after = dir.stamp()?;
        if after == before {
            return Ok(names);
        }
        before = after;
    }
    dir.names()
}
