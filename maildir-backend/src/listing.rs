//! The messages of a folder, in their order, with sizes and unique-ids.
//!
//! Owns which files are the messages of a session, and when a file is still the message that was listed.
//! Never changes a file.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pop3_proto::backend::store::StoreError;

use crate::config::{Config, Layout};
use crate::folder::{Folder, Found, failed};
use crate::form::Form;
use crate::identity::{self, Proof};
use crate::sizes::{Memory, Sizes};
use crate::stamp::Stamp;
use crate::{measure, name};

/// How long counting may take. Clients wait for a minute or so.
pub(crate) const COUNTING: Duration = Duration::from_secs(20);

/// How a folder is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The counts may be saved in the folder.
    pub(crate) saves: bool,
    /// Files that are written to right now are left out.
    pub(crate) settled: bool,
    /// What was not counted after so long is left to the next ones.
    pub(crate) counting: Duration,
}

/// A message as it was listed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) found: Found,
    pub(crate) stamp: Stamp,
    /// What its unique-id was made of, in a plain directory; `None` if it could not be read.
    pub(crate) proof: Option<Box<Proof>>,
    /// How it becomes a mail, if it was looked at already.
    pub(crate) form: Option<Form>,
}

impl Message {
    /// A file that nobody has read yet.
    fn new(found: Found, stamp: Stamp) -> Self {
        Self {
            found,
            stamp,
            proof: None,
            form: None,
        }
    }

    /// Whether a file of its name, in this state, is the message that was listed or read. The Maildir rules
    /// give a name to one message only, but not everybody keeps them. `open` gives the file where its state
    /// does not tell.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn is_still(
        &self,
        layout: Layout,
        now: Stamp,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<bool> {
        if !now.looks_like(self.stamp) {
            return Ok(false);
        }
        match (layout, &self.proof) {
            // flags that change leave their trace in the rest of the state
            (Layout::Maildir, _) => Ok(true),
            (Layout::Directory, None) => Ok(now == self.stamp),
            (Layout::Directory, Some(proof)) => {
                Ok((now == self.stamp && proof.settled)
                    || proof.digest == identity::digest(&open()?)?)
            }
        }
    }
}

/// A message and what a client is told of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) message: Message,
    pub(crate) unique_id: String,
    pub(crate) octets: u64,
}

/// Lists a folder.
pub(crate) fn list(
    folder: &Folder,
    config: &Config,
    memory: &Memory,
    manner: Manner,
) -> Result<Vec<Told>, StoreError> {
    let mut messages = messages(folder)?;
    if manner.settled && folder.layout == Layout::Directory {
        let now = SystemTime::now();
        messages.retain(|message| has_settled(message.stamp, now, config.settle));
    }
    match folder.layout {
        Layout::Maildir => messages.sort_by_cached_key(|message| {
            let base = folder.base(&message.found.name);
            (name::delivered(base), Box::<[u8]>::from(base))
        }),
        Layout::Directory => messages.sort_by(|a, b| {
            (a.stamp.changed, &a.found.name).cmp(&(b.stamp.changed, &b.found.name))
        }),
    }
    let known = Sizes::load(folder.layout, &folder.home, memory);
    Ok(measure::all(
        folder, config, messages, &known, memory, manner,
    ))
}

/// The messages in no order, each once. One that the disk tells nothing of is there and cannot be read, unless
/// it tells nothing at all.
pub(crate) fn messages(folder: &Folder) -> Result<Vec<Message>, StoreError> {
    let mut messages = Vec::new();
    let mut renamed = Vec::new();
    let mut dark = Vec::new();
    for found in once(folder, folder.scan()?) {
        match folder.place(found.place).stat(&found.name) {
            Ok(stamp) => messages.push(Message::new(found, stamp)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => renamed.push(found),
            Err(error) => dark.push((found, error)),
        }
    }
    if messages.is_empty()
        && let Some((_, error)) = dark.pop()
    {
        return Err(failed(error));
    }
    let dark = dark.into_iter();
    messages.extend(dark.map(|(found, _)| Message::new(found, Stamp::default())));
    if !renamed.is_empty() {
        let now = folder.index()?;
        let found = renamed
            .iter()
            .filter_map(|was| now.get(folder.base(&was.name)));
        messages.extend(found.filter_map(|found| {
            let stamp = folder.place(found.place).stat(&found.name).ok()?;
            Some(Message::new(found.clone(), stamp))
        }));
    }
    Ok(messages)
}

/// Each base name once. Only in a Maildir can two names be one message: killed in between, a program that
/// moves by linking leaves both.
fn once(folder: &Folder, found: Vec<Found>) -> Vec<Found> {
    if folder.layout == Layout::Directory {
        return found;
    }
    let mut seen: HashMap<Box<[u8]>, usize> = HashMap::with_capacity(found.len());
    let mut messages: Vec<Found> = Vec::with_capacity(found.len());
    for found in found {
        match seen.entry(folder.base(&found.name).into()) {
            Entry::Vacant(entry) => {
                entry.insert(messages.len());
                messages.push(found);
            }
            // the later place is the newer one
            Entry::Occupied(entry) => messages[*entry.get()] = found,
        }
    }
    messages
}

fn has_settled(stamp: Stamp, now: SystemTime, settle: Duration) -> bool {
    let since = now.duration_since(UNIX_EPOCH);
    let since = since.map_or(0, |since| since.as_nanos());
    let changed = u128::try_from(stamp.changed.0).map_or(0, |seconds| {
        seconds * 1_000_000_000 + u128::from(stamp.changed.1)
    });
    // a time to come tells nothing
    changed > since || since - changed >= settle.as_nanos()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    #[test]
    fn what_was_not_counted_in_time_is_counted_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("new")).unwrap();
        fs::write(root.path().join("new/1.a"), "a\n").unwrap();
        fs::write(root.path().join("new/2.a,S=2,W=3"), "a\n").unwrap();
        let config = Config::new(root.path());
        let folder = Folder::open(&config, "").unwrap().unwrap();
        let sizes = |counting| {
            let manner = Manner {
                saves: true,
                settled: true,
                counting,
            };
            let told = list(&folder, &config, &Memory::default(), manner).unwrap();
            told.iter().map(|told| told.octets).collect::<Vec<_>>()
        };
        assert_eq!(sizes(Duration::ZERO), [2, 3]);
        assert_eq!(sizes(COUNTING), [3, 3]);
        assert_eq!(sizes(Duration::ZERO), [3, 3]);
    }

    /// In a plain directory there is no unique-id without the content, and none that changes later.
    #[test]
    fn w002_what_was_not_read_in_time_comes_with_the_next() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "a\n").unwrap();
        fs::write(root.path().join("b"), "b\n").unwrap();
        let mut config = Config::new(root.path());
        config.layout = Layout::Directory;
        let folder = Folder::open(&config, "").unwrap().unwrap();
        let memory = Memory::default();
        let ids = |counting| {
            let manner = Manner {
                saves: true,
                settled: false,
                counting,
            };
            let told = list(&folder, &config, &memory, manner).unwrap();
            told.into_iter()
                .map(|told| told.unique_id)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(Duration::ZERO), [""; 0]);
        let first = ids(COUNTING);
        assert!(first.len() == 2 && first[0].starts_with("a."));
        assert_eq!(ids(COUNTING), first);
    }
}
