//! The maildrop: which messages there were at login, in their order, with their sizes.
//!
//! Twelve octets a message. Frozen once it is made: POP3 numbers do not move.

use alloc::vec::Vec;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    uid: u32,
    size: [u32; 2],
}

/// The messages of a maildrop, ascending by UID.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// How many messages there are.
    pub(crate) fn len(&self) -> u32 {
        // a table is made of at most as many rows as there are UIDs
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    /// The UID of a message.
    pub(crate) fn uid(&self, index: u32) -> Option<u32> {
        Some(self.rows.get(index as usize)?.uid)
    }

    /// The size of a message as it was announced; 0 if it is not known.
    pub(crate) fn size(&self, index: u32) -> Option<u64> {
        let [high, low] = self.rows.get(index as usize)?.size;
        Some((u64::from(high) << 32) + u64::from(low))
    }

    /// The place of a UID.
    pub(crate) fn find(&self, uid: u32) -> Option<u32> {
        let place = self.rows.binary_search_by_key(&uid, |row| row.uid).ok()?;
        u32::try_from(place).ok()
    }
}

/// A table in the making: rows in any order, some twice, some not to be seen.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    rows: Vec<Row>,
    hidden: Vec<u32>,
}

impl Scan {
    /// Makes room for as many rows as are announced, within reason.
    pub(crate) fn expect(&mut self, count: u32) {
        self.rows.reserve_exact((count as usize).min(64 * 1024));
    }

    /// How many rows came.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A message was reported. A size of 0 yields to another.
    pub(crate) fn push(&mut self, uid: u32, size: u64, hidden: bool) {
        self.rows.push(Row {
            uid,
            size: [(size >> 32) as u32, size as u32],
        });
        if hidden {
            self.hidden.push(uid);
        }
    }

    /// Sorts, and drops what came twice; says how many messages there are.
    pub(crate) fn settle(&mut self) -> usize {
        self.rows
            .sort_unstable_by_key(|row| (row.uid, core::cmp::Reverse(row.size)));
        self.rows.dedup_by_key(|row| row.uid);
        self.rows.len()
    }

    /// The messages that are to be seen.
    pub(crate) fn finish(mut self) -> Table {
        self.settle();
        self.hidden.sort_unstable();
        if !self.hidden.is_empty() {
            self.rows
                .retain(|row| self.hidden.binary_search(&row.uid).is_err());
        }
        self.rows.shrink_to_fit();
        Table { rows: self.rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's word on how many there are is taken for as much as costs little.
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
