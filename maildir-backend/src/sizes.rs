//! Counts that are made once: the octets of messages whose names do not have them.
//!
//! Owns the file in which the counts survive a restart, and its replacement in memory where it cannot be
//! written. It only saves work: if something is wrong with it, the messages are counted again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use base16ct::{lower, mixed};
use pop3_proto::unique_id;

use crate::config::Layout;
use crate::disk::Dir;
use crate::form::Form;
use crate::identity::Proof;
use crate::name::{MOST, octets_limit};
use crate::stamp::Stamp;

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

/// The counts by what [`name::unique_id`](crate::name::unique_id) makes of a base name.
pub(crate) type Counts<'a> = HashMap<&'a str, Count>;

/// A count, and the file that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    size: u64,
    changed: (i64, u32),
    octets: u64,
    /// How the file becomes a mail.
    pub(crate) form: Form,
    /// In a plain directory: what it takes to recognise the file, and what was read of it.
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    file: u64,
    status: i64,
    proof: Proof,
}

impl Count {
    pub(crate) fn new(stamp: Stamp, octets: u64, form: Form) -> Self {
        Self {
            size: stamp.size,
            changed: stamp.changed,
            octets,
            form,
            known: None,
        }
    }

    /// The same, with what was read of a file in this state.
    pub(crate) fn with(self, stamp: Stamp, proof: Proof) -> Self {
        let known = Some(Known {
            file: stamp.file,
            status: stamp.status,
            proof,
        });
        Self { known, ..self }
    }

    pub(crate) fn octets(self) -> u64 {
        self.octets
    }

    pub(crate) fn proof(self) -> Option<Proof> {
        self.known.map(|known| known.proof)
    }

    /// Whether this is the file that was counted, and the count one that can be.
    pub(crate) fn fits(self, layout: Layout, stamp: Stamp) -> bool {
        let same = (self.size, self.changed) == (stamp.size, stamp.changed);
        let plausible = match self.form {
            Form::Plain => (self.size..=octets_limit(self.size)).contains(&self.octets),
            Form::Packed | Form::Broken | Form::Text | Form::Decoded => self.octets <= MOST,
        };
        let known = match (layout, self.known) {
            (Layout::Maildir, _) => true,
            (Layout::Directory, None) => false,
            (Layout::Directory, Some(known)) => {
                (known.file, known.status) == (stamp.file, stamp.status)
            }
        };
        same && plausible && known
    }

    /// Whether it is worth keeping: a change of the file would show.
    pub(crate) fn is_lasting(&self) -> bool {
        self.known.is_none_or(|known| known.proof.settled)
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

    /// The well-formed lines.
    pub(crate) fn counts(&self) -> Counts<'_> {
        self.text.lines().filter_map(parse).collect()
    }

    /// Replaces all counts by these, on disk if that is allowed and possible.
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

/// No program that lists messages counts it as one.
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
    // left by a process that was killed, or put there by somebody
    let _ = home.unlink(&draft);
    let mut file = home.create(&draft)?;
    home.give_file(&file)?;
    file.write_all(text.as_bytes())?;
    home.replace(&draft, name)
}

fn write<'a>(counts: impl Iterator<Item = (&'a str, Count)>) -> String {
    let mut text = format!("{HEAD}\n");
    for (key, count) in counts {
        let Count {
            size,
            changed: (seconds, nanos),
            octets,
            form,
            known,
        } = count;
        // writing to a String cannot fail
        let _ = write!(text, "{key} {size} {seconds} {nanos} {octets}");
        if form != Form::Plain || known.is_some() {
            let _ = write!(text, " {}", form.word());
        }
        if let Some(known) = known {
            let digest = lower::encode_string(&known.proof.digest);
            let _ = write!(text, " {} {} {digest}", known.file, known.status);
        }
        text.push('\n');
    }
    text
}

fn parse(line: &str) -> Option<(&str, Count)> {
    let mut fields = line.split(' ');
    let key = fields
        .next()
        .filter(|key| unique_id::is_valid(key.as_bytes()))?;
    let size = fields.next()?.parse().ok()?;
    let changed = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let octets = fields.next()?.parse().ok()?;
    let form = fields.next().map_or(Some(Form::Plain), Form::of_word)?;
    let known = match fields.next() {
        None => None,
        Some(file) => Some(Known {
            file: file.parse().ok()?,
            status: fields.next()?.parse().ok()?,
            proof: Proof {
                digest: mixed::decode_vec(fields.next()?).ok()?.try_into().ok()?,
                settled: true,
            },
        }),
    };
    let count = Count {
        size,
        changed,
        octets,
        form,
        known,
    };
    fields.next().is_none().then_some((key, count))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn count() -> impl Strategy<Value = Count> {
        let forms = vec![
            Form::Plain,
            Form::Packed,
            Form::Broken,
            Form::Text,
            Form::Decoded,
        ];
        let stamp = (
            any::<u64>(),
            any::<u64>(),
            any::<(i64, u32)>(),
            any::<i64>(),
        );
        let digest = proptest::option::of(any::<[u8; 16]>());
        (stamp, any::<u64>(), proptest::sample::select(forms), digest).prop_map(
            |((file, size, changed, status), octets, form, digest)| {
                let stamp = Stamp {
                    file,
                    size,
                    changed,
                    status,
                };
                let count = Count::new(stamp, octets, form);
                let proof = |digest| Proof {
                    digest,
                    settled: true,
                };
                digest.map_or(count, |digest| count.with(stamp, proof(digest)))
            },
        )
    }

    /// Folders are forgotten together when they are too large together.
    #[test]
    fn what_is_kept_in_memory_is_bounded() {
        let root = tempfile::tempdir().unwrap();
        let home = Dir::open(root.path()).unwrap();
        let own = HEAD.len() + 1;
        for (others, folders) in [
            (4 << 20, 2),
            (MAX_MEMORY - own, 2),
            (MAX_MEMORY - own + 1, 1),
        ] {
            let memory = Memory::default();
            memory.lock().insert((0, 0), "x".repeat(others));
            Sizes::store(Layout::Maildir, &home, &memory, false, std::iter::empty());
            assert_eq!(memory.lock().len(), folders, "{others}");
        }
    }

    proptest! {
        /// What was written is read again, and never applies to another state of a file.
        #[test]
        fn w002_counts_come_back_as_they_were(
            counts in proptest::collection::vec(("[!-$&-~]{1,70}", count()), 0..5),
        ) {
            let text = write(counts.iter().map(|(key, count)| (key.as_str(), *count)));
            let read: Vec<_> = text.lines().skip(1).map(|line| parse(line).unwrap()).collect();
            prop_assert_eq!(read.len(), counts.len());
            for ((key, count), (read_key, read)) in counts.iter().zip(read) {
                prop_assert_eq!((key.as_str(), *count), (read_key, read));
                let Some(known) = count.known else { continue };
                let stamp = Stamp {
                    file: known.file,
                    size: count.size,
                    changed: count.changed,
                    status: known.status.wrapping_add(1),
                };
                prop_assert!(!count.fits(Layout::Directory, stamp));
            }
        }

        /// Whatever is in the file is read as a count or ignored.
        #[test]
        fn no_line_is_too_odd(line in any::<String>(), numbers in "[a-z0-9. -]{0,120}") {
            let _ = (parse(&line), parse(&numbers));
        }
    }
}
