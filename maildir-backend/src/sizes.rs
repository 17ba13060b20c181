//! What was counted once: the octets of messages whose names do not tell them.
//!
//! Owns the file in which the counts survive a restart, and what stands in for it in memory where it
//! cannot be written. It is only ever a saving: whatever is wrong with it costs counting again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use pop3_proto::unique_id;

use crate::config::Layout;
use crate::disk::{Dir, Stamp};
use crate::name::octets_limit;

const HEAD: &str = "pop3-gateway sizes 1";

/// No more of a file is read: a million messages have less.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// No more is kept in memory, of all folders together.
const MAX_MEMORY: usize = 64 * 1024 * 1024;

/// Counts that could not be written, by folder.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<(u64, u64), String>>);

/// The counts of a folder: a list as text, one line a message.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    text: String,
    /// Some of it is in memory only.
    unsaved: bool,
}

/// The counts by unique-id.
pub(crate) type Counts<'a> = HashMap<&'a str, Count>;

/// What was counted, and of which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    size: u64,
    changed: (i64, u32),
    octets: u64,
}

impl Count {
    pub(crate) fn new(stamp: Stamp, octets: u64) -> Self {
        Self {
            size: stamp.size,
            changed: stamp.changed,
            octets,
        }
    }

    /// The octets, if this is the file that was counted.
    pub(crate) fn octets(self, stamp: Stamp) -> Option<u64> {
        let same = (self.size, self.changed) == (stamp.size, stamp.changed);
        let plausible = self.size..=octets_limit(self.size);
        (same && plausible.contains(&self.octets)).then_some(self.octets)
    }
}

impl Sizes {
    /// What is known of this folder.
    pub(crate) fn load(layout: Layout, home: &Dir, memory: &Memory) -> Self {
        let mut text = home
            .identity()
            .ok()
            .and_then(|folder| memory.lock().get(&folder).cloned())
            .unwrap_or_default();
        let unsaved = !text.is_empty();
        let mut bytes = Vec::new();
        if let Ok((file, _)) = home.read(file_name(layout).as_bytes())
            && file.take(MAX_FILE).read_to_end(&mut bytes).is_ok()
            && bytes.starts_with(HEAD.as_bytes())
        {
            // what was kept in memory is newer
            text.insert(0, '\n');
            text.insert_str(0, &String::from_utf8_lossy(&bytes));
        }
        Self { text, unsaved }
    }

    /// Whether some of it is not on the disk yet.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    /// The lines that are lines.
    pub(crate) fn counts(&self) -> Counts<'_> {
        self.text.lines().filter_map(parse).collect()
    }

    /// Puts these counts in place of all that was known, on disk if that may be and can be.
    pub(crate) fn store<'a>(
        layout: Layout,
        home: &Dir,
        memory: &Memory,
        may_write: bool,
        counts: impl Iterator<Item = (&'a str, Count)>,
    ) {
        let text = write(counts);
        let Ok(folder) = home.identity() else { return };
        if may_write && save(layout, home, &text).is_ok() {
            memory.lock().remove(&folder);
            return;
        }
        let mut memory = memory.lock();
        if memory.values().map(String::len).sum::<usize>() + text.len() > MAX_MEMORY {
            memory.clear();
        }
        if text.len() <= MAX_MEMORY {
            memory.insert(folder, text);
        }
    }
}

impl Memory {
    /// A panic elsewhere cannot have left it half done.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(u64, u64), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing that lists messages takes it for one.
fn file_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Maildir => "pop3-gateway.sizes",
        Layout::Directory => ".pop3-gateway.sizes",
    }
}

/// Readers see the old file or the new one.
fn save(layout: Layout, home: &Dir, text: &str) -> io::Result<()> {
    let name = file_name(layout).as_bytes();
    let draft = [name, b".new"].concat();
    // what a process that was killed has left, or somebody has put there
    let _ = home.unlink(&draft);
    let mut file = home.create(&draft)?;
    home.give_file(&file)?;
    file.write_all(text.as_bytes())?;
    home.replace(&draft, name)
}

fn write<'a>(counts: impl Iterator<Item = (&'a str, Count)>) -> String {
    let mut text = format!("{HEAD}\n");
    for (unique_id, count) in counts {
        let Count {
            size,
            changed: (seconds, nanos),
            octets,
        } = count;
        // writing to a String cannot fail
        let _ = writeln!(text, "{unique_id} {size} {seconds} {nanos} {octets}");
    }
    text
}

fn parse(line: &str) -> Option<(&str, Count)> {
    let mut fields = line.split(' ');
    let unique_id = fields
        .next()
        .filter(|id| unique_id::is_valid(id.as_bytes()))?;
    let size = fields.next()?.parse().ok()?;
    let changed = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let octets = fields.next()?.parse().ok()?;
    let count = Count {
        size,
        changed,
        octets,
    };
    fields.next().is_none().then_some((unique_id, count))
}
