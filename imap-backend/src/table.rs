//! The maildrop: the messages at login, in their order, with their sizes.
//!
//! Twelve octets a message, and some more for one that is larger than 4 GiB. Frozen once it is made: POP3
//! numbers do not move. UIDs should have 32 bits, but not every server keeps to that: they are taken as
//! they come.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use crate::presence::Presence;
use crate::wire::Message;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// The higher half comes first.
    uid: [u32; 2],
    /// [`LARGE`] stands for a size that is in [`Sizes`].
    size: u32,
}

const LARGE: u32 = u32::MAX;

/// The sizes of messages that have no place in their row, by UID.
type Sizes = Option<Box<BTreeMap<u64, u64>>>;

impl Row {
    fn new(uid: u64, size: u64) -> Self {
        Self {
            uid: [(uid >> 32) as u32, uid as u32],
            size: u32::try_from(size).unwrap_or(LARGE),
        }
    }

    fn uid(&self) -> u64 {
        let [high, low] = self.uid;
        (u64::from(high) << 32) + u64::from(low)
    }
}

/// The messages of a maildrop, ascending by UID.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    large: Sizes,
}

impl Table {
    /// How many messages there are.
    pub(crate) fn len(&self) -> u32 {
        // a table is made of at most as many rows as there are UIDs
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    /// The UID of a message.
    pub(crate) fn uid(&self, index: u32) -> Option<u64> {
        Some(self.rows.get(index as usize)?.uid())
    }

    /// The size of a message as it was announced; 0 if it is not known.
    pub(crate) fn size(&self, index: u32) -> Option<u64> {
        let row = self.rows.get(index as usize)?;
        Some(match row.size {
            LARGE => *self.large.as_ref()?.get(&row.uid())?,
            size => size.into(),
        })
    }

    /// The place of a UID, which is most often this one.
    pub(crate) fn find_near(&self, uid: u64, near: u32) -> Option<u32> {
        if self.uid(near) == Some(uid) {
            return Some(near);
        }
        self.find(uid)
    }

    /// The place of a UID.
    pub(crate) fn find(&self, uid: u64) -> Option<u32> {
        let place = self.rows.binary_search_by_key(&uid, Row::uid).ok()?;
        u32::try_from(place).ok()
    }
}

/// A table in the making: rows in any order, some twice, some hidden.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    rows: Vec<Row>,
    large: Sizes,
    hidden: Vec<u64>,
    /// Whether flags were asked for, too.
    flags: bool,
    /// Incomplete messages, by their sequence numbers.
    parts: BTreeMap<u32, Part>,
    /// The row of the n-th message may not be the n-th row.
    unordered: bool,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    uid: Option<u64>,
    size: Option<u64>,
    hidden: Option<bool>,
}

impl Scan {
    /// Makes room for the announced number of rows, within reason.
    pub(crate) fn expect(&mut self, count: u32) {
        self.rows.reserve_exact((count as usize).min(64 * 1024));
    }

    /// Whether flags are asked for, too.
    pub(crate) fn with_flags(&mut self, flags: bool) {
        self.flags = flags;
    }

    /// How many messages have come, at least in part.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() + self.parts.len()
    }

    /// Takes what came about a message; as a rule that is everything. A server may send it
    /// in several responses (RFC 3501 section 7.4.2), or send something that was not asked
    /// for.
    pub(crate) fn told(&mut self, message: Message) {
        let mut part = match self.parts.is_empty() {
            true => Part::default(),
            false => self.parts.remove(&message.number).unwrap_or_default(),
        };
        if message
            .uid
            .is_some_and(|uid| part.uid.is_some_and(|known| known != uid))
        {
            // another message has this number now
            part = Part::default();
        }
        part.uid = message.uid.filter(|&uid| uid > 0).or(part.uid);
        part.size = message.size.or(part.size);
        part.hidden = message.watched.or(part.hidden);
        match part {
            Part {
                uid: Some(uid),
                size: Some(size),
                hidden,
            } if hidden.is_some() || !self.flags => {
                self.push(message.number, uid, size, hidden == Some(true));
            }
            Part { .. } if self.is_here(message.number, part.uid) => {}
            Part { .. } => {
                self.parts.insert(message.number, part);
            }
        }
    }

    /// Earlier numbers mean other messages now.
    pub(crate) fn renumbered(&mut self) {
        self.unordered = true;
        let parts = mem::take(&mut self.parts);
        // parts without a UID belong to no message any more
        for part in parts.into_values().filter(|part| part.uid.is_some()) {
            self.settle_part(part);
        }
    }

    /// Whether this message is complete already, so that this part was not asked for.
    fn is_here(&self, number: u32, uid: Option<u64>) -> bool {
        let place = (number as usize).wrapping_sub(1);
        let row = self.rows.get(place).filter(|_| !self.unordered);
        row.is_some_and(|row| uid.is_none_or(|uid| uid == row.uid()))
    }

    fn push(&mut self, number: u32, uid: u64, size: u64, hidden: bool) {
        if self.is_here(number, Some(uid)) {
            return;
        }
        let follows = self.rows.last().is_none_or(|last| last.uid() < uid);
        self.unordered |= !follows || number as usize != self.rows.len() + 1;
        let row = Row::new(uid, size);
        if row.size == LARGE {
            let large = self.large.get_or_insert_default().entry(uid);
            large
                .and_modify(|known| *known = size.max(*known))
                .or_insert(size);
        }
        self.rows.push(row);
        if hidden {
            self.hidden.push(uid);
        }
    }

    fn settle_part(&mut self, part: Part) {
        if let Some(uid) = part.uid {
            self.unordered = true;
            self.push(0, uid, part.size.unwrap_or(0), part.hidden == Some(true));
        }
    }

    /// Whether a message came only in part.
    pub(crate) fn lacks_something(&self) -> bool {
        let lacks = |part: &Part| part.uid.is_some() || part.size.is_some();
        self.parts.values().any(lacks)
    }

    /// Sorts, drops what came twice, and returns the number of messages. A known size replaces an unknown
    /// one.
    pub(crate) fn settle(&mut self) -> usize {
        if self.unordered {
            self.rows
                .sort_unstable_by_key(|row| (row.uid, core::cmp::Reverse(row.size)));
            self.rows.dedup_by_key(|row| row.uid);
        }
        let named = self.parts.values().filter(|part| part.uid.is_some());
        self.rows.len() + named.count()
    }

    /// The visible messages, and what is known of their numbers.
    pub(crate) fn finish(mut self) -> (Table, Presence) {
        for part in mem::take(&mut self.parts).into_values() {
            self.settle_part(part);
        }
        self.settle();
        self.hidden.sort_unstable();
        if !self.hidden.is_empty() {
            self.rows
                .retain(|row| self.hidden.binary_search(&row.uid()).is_err());
        }
        self.rows.shrink_to_fit();
        let table = Table {
            rows: self.rows,
            large: self.large,
        };
        let numbered = !self.unordered && self.hidden.is_empty();
        let presence = Presence::new(table.len(), numbered);
        (table, presence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The announced number of messages is believed only as far as that costs little.
    #[test]
    fn room_is_made_for_what_is_announced_within_reason() {
        for (announced, rows) in [
            (0, 0),
            (1000, 1000),
            (64 * 1024, 65_536),
            (u32::MAX, 65_536),
        ] {
            let mut scan = Scan::default();
            scan.expect(announced);
            assert_eq!(scan.rows.capacity(), rows);
        }
    }
}
