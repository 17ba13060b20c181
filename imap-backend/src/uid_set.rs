//! UID sets as text, cut into pieces that fit a command line.
//!
//! A range is only ever written over UIDs that are all members: `4:6` stands for 4, 5 and 6, and
//! nothing that is not in the set can hide inside. What deletes depends on that.

use alloc::string::String;
use core::fmt::Write;

/// The most octets of one set; keeps a command line below the 1000 of RFC 2683 section 3.2.1.5.
const PIECE: usize = 900;

/// Writes ascending UIDs from the front of `uids` as one set; returns it and how many it took. Takes
/// at least one unless there is none.
pub(crate) fn piece(uids: impl Iterator<Item = u32>) -> (String, usize) {
    let mut set = String::new();
    let mut taken = 0;
    let mut uids = uids.peekable();
    while let Some(first) = uids.next() {
        let mut last = first;
        let mut count = 1;
        while last != u32::MAX && uids.next_if_eq(&(last + 1)).is_some() {
            last += 1;
            count += 1;
        }
        if !set.is_empty() {
            set.push(',');
        }
        // writing to a string does not fail
        let _ = match count {
            1 => write!(set, "{first}"),
            _ => write!(set, "{first}:{last}"),
        };
        taken += count;
        if set.len() >= PIECE {
            break;
        }
    }
    (set, taken)
}
