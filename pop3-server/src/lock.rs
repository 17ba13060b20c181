//! Maildrop locks: one writer, or any number of readers.
//!
//! Owns the table of maildrops that are held right now; an entry exists only while somebody holds it.
//! A [`Guard`] frees its lock when it is dropped, so that no way out of a session can forget it.
//! Never waits: a lock is granted at once or not at all. Never outlives the process.
//!
//! # Examples
//!
//! ```
//! use pop3_server::lock::{Locks, Mode};
//!
//! let locks = Locks::new();
//! let writer = locks.take("tim", Mode::Exclusive);
//! assert!(writer.is_some() && locks.take("tim", Mode::Shared).is_none());
//! drop(writer);
//! assert!(locks.take("tim", Mode::Shared).is_some());
//! ```

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a maildrop is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Alone.
    Exclusive,
    /// Together with others that only read.
    Shared,
}

/// The locks of one process. Clones share the table.
#[derive(Clone, Debug, Default)]
pub struct Locks(Arc<Table>);

type Table = Mutex<HashMap<Arc<str>, Holders>>;

#[derive(Clone, Copy, Debug)]
enum Holders {
    One,
    Readers(NonZeroU32),
}

impl Locks {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the lock of a maildrop; `None` if another holds it and one of the two wants it alone.
    pub fn take(&self, maildrop: impl Into<Arc<str>>, mode: Mode) -> Option<Guard> {
        let maildrop = maildrop.into();
        match lock(&self.0).entry(Arc::clone(&maildrop)) {
            Entry::Vacant(free) => {
                free.insert(match mode {
                    Mode::Exclusive => Holders::One,
                    Mode::Shared => Holders::Readers(NonZeroU32::MIN),
                });
            }
            Entry::Occupied(mut held) => match (*held.get(), mode) {
                (Holders::Readers(readers), Mode::Shared) => {
                    held.insert(Holders::Readers(readers.checked_add(1)?));
                }
                (Holders::One, Mode::Exclusive | Mode::Shared)
                | (Holders::Readers(_), Mode::Exclusive) => return None,
            },
        }
        Some(Guard {
            locks: self.clone(),
            maildrop,
            mode,
        })
    }

    /// How many maildrops are held.
    pub fn held(&self) -> usize {
        lock(&self.0).len()
    }
}

/// A lock that is held; dropping it frees the maildrop.
#[derive(Debug)]
#[must_use]
pub struct Guard {
    locks: Locks,
    maildrop: Arc<str>,
    mode: Mode,
}

impl Guard {
    /// Lets other readers in, because this session turned out to be a reader.
    pub fn downgrade(&mut self) {
        if self.mode == Mode::Exclusive {
            lock(&self.locks.0).insert(
                Arc::clone(&self.maildrop),
                Holders::Readers(NonZeroU32::MIN),
            );
            self.mode = Mode::Shared;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut table = lock(&self.locks.0);
        let left = match table.get(&self.maildrop) {
            Some(Holders::Readers(readers)) => NonZeroU32::new(readers.get() - 1),
            Some(Holders::One) | None => None,
        };
        match left {
            Some(readers) => table.insert(Arc::clone(&self.maildrop), Holders::Readers(readers)),
            None => table.remove(&self.maildrop),
        };
    }
}

/// The table is consistent after every statement, so a panic elsewhere cannot have spoilt it.
fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
