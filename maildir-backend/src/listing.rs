//! The messages of a folder, in their order, with sizes and unique-ids.
//!
//! Owns the choice of the files that are a session's messages. Never changes a file.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pop3_proto::backend::store::StoreError;

use crate::config::{Config, Layout};
use crate::folder::{Folder, Found, failed};
use crate::measure::{self, Counting};
use crate::message::{Message, Told};
use crate::name;
use crate::sizes::{Memory, Sizes};
use crate::stamp::Stamp;

/// Which files of a folder are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    All,
    /// Without those that are being written to.
    Settled,
}

/// Lists a folder.
pub(crate) fn list(
    folder: &Folder,
    config: &Config,
    memory: &Memory,
    files: Files,
    counting: Counting,
) -> Result<Vec<Told>, StoreError> {
    let mut messages = messages(folder)?;
    if files == Files::Settled && folder.layout == Layout::Directory {
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
        folder, config, messages, &known, memory, counting,
    ))
}

/// The messages in no order, each once. A message whose state the disk does not show is listed and cannot be
/// read, unless that is true of all of them.
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

/// Each base name once. Only in a Maildir can two names be one message: a program that moves by linking
/// leaves both if it is killed in between.
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
    // a time in the future proves nothing
    changed > since || since - changed >= settle.as_nanos()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    #[test]
    fn a_file_has_settled_after_a_while() {
        let at = |seconds, nanos| UNIX_EPOCH + Duration::new(seconds, nanos);
        let settled = |now| {
            let changed = (100, 900_000_000);
            let stamp = Stamp {
                changed,
                ..Stamp::default()
            };
            has_settled(stamp, now, Duration::from_secs(2))
        };
        assert!(!settled(at(100, 900_000_000)) && !settled(at(102, 899_999_999)));
        assert!(settled(at(102, 900_000_000)));
        // a time in the future
        assert!(settled(at(100, 0)));
    }

    #[test]
    fn what_was_not_counted_in_time_is_counted_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("new")).unwrap();
        fs::write(root.path().join("new/1.a"), "a\n").unwrap();
        fs::write(root.path().join("new/2.a,S=2,W=3"), "a\n").unwrap();
        let config = Config::new(root.path());
        let folder = Folder::open(&config, "").unwrap().unwrap();
        let sizes = |within| {
            let counting = Counting {
                within,
                ..Counting::for_session(true)
            };
            let told = list(
                &folder,
                &config,
                &Memory::default(),
                Files::Settled,
                counting,
            );
            let told = told.unwrap();
            told.iter().map(|told| told.octets).collect::<Vec<_>>()
        };
        assert_eq!(sizes(Duration::ZERO), [2, 3]);
        assert_eq!(sizes(Duration::MAX), [3, 3]);
        assert_eq!(sizes(Duration::ZERO), [3, 3]);
    }

    /// In a plain directory every unique-id includes the content, and none changes later.
    #[test]
    fn w002_what_was_not_read_in_time_comes_with_the_next() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "a\n").unwrap();
        fs::write(root.path().join("b"), "b\n").unwrap();
        let mut config = Config::new(root.path());
        config.layout = Layout::Directory;
        let folder = Folder::open(&config, "").unwrap().unwrap();
        let memory = Memory::default();
        let ids = |within| {
            let counting = Counting {
                within,
                ..Counting::for_session(true)
            };
            let told = list(&folder, &config, &memory, Files::All, counting).unwrap();
            told.into_iter()
                .map(|told| told.unique_id)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(Duration::ZERO), [""; 0]);
        let first = ids(Duration::MAX);
        assert!(first.len() == 2 && first[0].starts_with("a."));
        assert_eq!(ids(Duration::MAX), first);
    }
}
