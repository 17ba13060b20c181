//! A power cut at any change, and a disk with a bad spot: faults for tests.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static BAD: RefCell<Option<(String, u64)>> = const { RefCell::new(None) };
}

/// A file of this name cannot be read from this place on; at 0, not even its state.
pub(crate) fn damage(bad: Option<(&str, u64)>) {
    BAD.set(bad.map(|(name, at)| (name.to_owned(), at)));
}

pub(crate) fn readable(name: &OsStr, at: u64) -> io::Result<()> {
    BAD.with_borrow(|bad| match bad {
        Some((bad, from)) if name == bad.as_str() && at >= *from => {
            Err(io::Error::other("the disk has a bad spot"))
        }
        Some(_) | None => Ok(()),
    })
}

/// After this many changes no further one is made. Forgets earlier changes.
pub(crate) fn cut_after(changes: usize) {
    LEFT.set(changes);
    LOG.take();
}

/// What was done to the disk.
pub(crate) fn log() -> Vec<String> {
    LOG.with_borrow(Clone::clone)
}

pub(crate) fn step(action: &str, name: &OsStr) -> io::Result<()> {
    if LEFT.get() == 0 {
        return Err(io::Error::other("the power is cut"));
    }
    LEFT.set(LEFT.get() - 1);
    LOG.with_borrow_mut(|log| log.push(format!("{action} {}", name.display())));
    Ok(())
}
