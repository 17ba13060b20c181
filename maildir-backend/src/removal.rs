//! What becomes of deleted messages: they are removed or moved one by one, and that is on the disk before
//! it is reported.
//!
//! Owns the order of things at QUIT: every message is tried, whatever happened to the others, then
//! the directories are synced, and then the first error is reported. Cut off at any point, it leaves
//! each message either where it was or where it belongs. Never touches a message that is not named.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io;

use pop3_proto::backend::store::StoreError;

use crate::config::{Deletion, Layout};
use crate::disk::Dir;
use crate::folder::{Folder, Found, failed};
use crate::message::Message;
use crate::{name, quota};

/// A message that is renamed again and again is given up after this many searches.
const SEARCHES: usize = 8;

/// A directory that is listed while a name in it changes may show neither the old nor the new one. A
/// file that was not found this many times is gone.
const SURE: usize = 2;

/// Takes these messages out of a folder. One that is gone already is no error.
pub(crate) fn remove<'a>(
    folder: &Folder,
    deletion: &Deletion,
    messages: impl Iterator<Item = &'a Message>,
) -> Result<(), StoreError> {
    let target = match deletion {
        Deletion::Keep => return Ok(()),
        Deletion::Remove => None,
        Deletion::Move(name) => Some(trash(folder, name)?),
    };
    let mut removal = Removal {
        folder,
        target,
        changed: BTreeSet::new(),
        octets: 0,
        messages: 0,
        error: None,
    };
    let mut wanted = HashMap::new();
    let mut all_found = true;
    for message in messages {
        all_found &= removal.take(&message.found, message);
        wanted.insert(folder.base(&message.found.name), message);
    }
    if folder.layout == Layout::Maildir {
        removal.search(&wanted, if all_found { 1 } else { SURE });
    }
    if counts_less(deletion) {
        quota::note(&folder.home, -removal.octets, -removal.messages);
    }
    removal.finish()
}

struct Removal<'a> {
    folder: &'a Folder,
    /// Where messages are moved to.
    target: Option<Dir>,
    /// Places whose names changed.
    changed: BTreeSet<u8>,
    /// For the quota.
    octets: i64,
    messages: i64,
    error: Option<StoreError>,
}

impl Removal<'_> {
    /// Takes a file out. False if it is not there.
    fn take(&mut self, found: &Found, message: &Message) -> bool {
        match self.try_take(found, message) {
            Ok(()) => {
                self.changed.insert(found.place);
                if !name::is_trashed(&found.name) {
                    let size = name::quota_size(&found.name).unwrap_or(message.stamp.size);
                    self.octets = self.octets.saturating_add_unsigned(size);
                    self.messages += 1;
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                self.fail(failed(error));
                true
            }
        }
    }

    fn try_take(&self, found: &Found, message: &Message) -> io::Result<()> {
        let from = self.folder.place(found.place);
        let name = &*found.name;
        // neither a folder nor a link goes
        let stamp = from.stat(name)?;
        let open = || Ok(from.read(name)?.0);
        if !message.is_still(self.folder.layout, stamp, open)? {
            let path = from.path().join(name::display(name));
            return Err(io::Error::other(format!(
                "{} changed since it was listed or read, and stays",
                path.display()
            )));
        }
        let Some(target) = &self.target else {
            return from.unlink(name);
        };
        let to = match self.folder.layout {
            Layout::Maildir => name::in_cur(name),
            Layout::Directory => name.to_vec(),
        };
        match from.rename(name, target, &to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let to = name::another(self.folder.layout, &name::unique(), name);
                from.rename(name, target, &to)
            }
            moved => moved,
        }
    }

    /// Looks for messages that were renamed meanwhile, or have a second name, until none was found that
    /// many times.
    fn search(&mut self, wanted: &HashMap<&[u8], &Message>, times: usize) {
        let mut not_found = 0;
        for _ in 0..SEARCHES {
            let found = match self.folder.scan() {
                Ok(found) => found,
                Err(error) => return self.fail(error),
            };
            let mut any = false;
            for found in found {
                if let Some(message) = wanted.get(self.folder.base(&found.name)) {
                    any = true;
                    self.take(&found, message);
                }
            }
            not_found = if any { 0 } else { not_found + 1 };
            // what is still there cannot be removed, and that is known already
            let hopeless = any && self.error.is_some();
            if not_found == times || hopeless {
                return;
            }
        }
        self.fail(StoreError::Temporary(format!(
            "messages in {} are renamed again and again",
            self.folder.home.path().display()
        )));
    }

    fn fail(&mut self, error: StoreError) {
        self.error.get_or_insert(error);
    }

    fn finish(mut self) -> Result<(), StoreError> {
        if self.changed.is_empty() {
            return self.error.map_or(Ok(()), Err);
        }
        // first the target of moved messages, so that each is on the disk at least once
        let places = self.changed.iter().map(|place| self.folder.place(*place));
        let synced = self.target.iter().chain(places).map(Dir::sync);
        let synced: Vec<_> = synced.filter_map(Result::err).collect();
        for error in synced {
            self.fail(failed(error));
        }
        self.error.map_or(Ok(()), Err)
    }
}

/// The directory that deleted messages go to, made if it is not there.
fn trash(folder: &Folder, name: &str) -> Result<Dir, StoreError> {
    let trash = folder.home.enter_or_make(OsStr::new(name), false);
    let trash = trash.map_err(failed)?;
    match folder.layout {
        Layout::Directory => Ok(trash),
        Layout::Maildir => {
            // by the Maildir++ rules this file marks a folder; another program may have made it
            if let Ok(mark) = trash.create(b"maildirfolder") {
                trash.give_file(&mark).map_err(failed)?;
            }
            for part in ["tmp", "new"] {
                trash
                    .enter_or_make(OsStr::new(part), false)
                    .map_err(failed)?;
            }
            trash
                .enter_or_make(OsStr::new("cur"), false)
                .map_err(failed)
        }
    }
}

/// Whether deleted messages no longer count for the quota.
fn counts_less(deletion: &Deletion) -> bool {
    match deletion {
        Deletion::Remove => true,
        Deletion::Move(folder) => quota::is_free(folder),
        Deletion::Keep => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::disk::faults;
    use crate::listing::{self, Files};
    use crate::measure::Counting;
    use crate::sizes::Memory;

    const MESSAGES: usize = 7;

    fn names(path: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(path) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// Every second message is deleted, and the power is cut after this many changes. Says what went wrong,
    /// how many messages are gone or in the trash, and what was done to the disk.
    fn quit(
        layout: Layout,
        deletion: &Deletion,
        changes: usize,
    ) -> (Result<(), StoreError>, usize, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let (new, cur) = match layout {
            Layout::Maildir => ("new", "cur"),
            Layout::Directory => (".", "."),
        };
        for part in ["tmp", "new", "cur"] {
            fs::create_dir(root.path().join(part)).unwrap();
        }
        for n in 0..MESSAGES {
            let place = if n < 3 { new } else { cur };
            fs::write(root.path().join(place).join(format!("{n}.M1.h")), [b'x']).unwrap();
        }
        let mut config = Config::new(root.path());
        config.layout = layout;
        let folder = Folder::open(&config, "").unwrap().unwrap();
        faults::cut_after(usize::MAX);
        let counting = Counting::for_session(false);
        let told = listing::list(&folder, &config, &Memory::default(), Files::All, counting);
        let told = told.unwrap();
        faults::cut_after(changes);
        let marked = told.iter().map(|told| &told.message).step_by(2);
        let result = remove(&folder, deletion, marked);
        let done = faults::log();
        faults::cut_after(usize::MAX);

        let all: BTreeSet<String> = [new, cur]
            .iter()
            .flat_map(|place| names(&root.path().join(place)))
            .filter(|name| name.ends_with(".h"))
            .collect();
        let trash = match layout {
            Layout::Maildir => root.path().join(".Trash/cur"),
            Layout::Directory => root.path().join(".Trash"),
        };
        let trashed = names(&trash).len();
        for n in (1..MESSAGES).step_by(2) {
            assert!(all.contains(&format!("{n}.M1.h")), "{n} was not marked");
        }
        let gone = MESSAGES - all.len();
        match deletion {
            Deletion::Remove => assert_eq!(trashed, 0),
            Deletion::Move(_) => assert_eq!(trashed, gone, "each message is in one place"),
            Deletion::Keep => assert_eq!(gone, 0),
        }
        (result, gone, done)
    }

    #[test]
    fn f21_cut_at_every_change_what_is_reported_is_so() {
        for layout in [Layout::Maildir, Layout::Directory] {
            for deletion in [Deletion::Remove, Deletion::Move(".Trash".to_owned())] {
                let (result, gone, done) = quit(layout, &deletion, usize::MAX);
                assert_eq!((result, gone), (Ok(()), 4));
                let last = done.iter().rposition(|step| !step.starts_with("sync"));
                let synced = &done[last.unwrap() + 1..];
                let places = match layout {
                    Layout::Maildir => 2,
                    Layout::Directory => 1,
                };
                let targets = usize::from(deletion != Deletion::Remove);
                assert_eq!(synced.len(), places + targets, "{done:?}");
                for changes in 0..done.len() {
                    let (result, gone, _) = quit(layout, &deletion, changes);
                    assert!(result.is_err() && gone <= changes, "{changes} of {done:?}");
                }
            }
        }
        assert_eq!(quit(Layout::Maildir, &Deletion::Keep, 0).0, Ok(()));
    }
}
