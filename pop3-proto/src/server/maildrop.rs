//! The maildrop as the client sees it: frozen at login, with marks (RFC 1939 section 5).
//!
//! It knows sizes, unique-ids and marks, and numbers that never shift. It never holds a message.

use alloc::vec::Vec;

use crate::backend::Index;
use crate::command::MessageNumber;
use crate::unique_id;

/// The message table. About 13 octets a message, and its unique-id.
#[derive(Debug, Default)]
pub(super) struct Maildrop {
    messages: Vec<Message>,
    /// All unique-ids, one after the other.
    unique_ids: Vec<u8>,
    /// What STAT says: messages that are not marked, and their octets.
    count: u32,
    octets: u64,
}

#[derive(Debug)]
struct Message {
    /// Octets; the two highest bits are the marks, so that a table of 100,000 stays small.
    size_and_marks: u64,
    /// Where the unique-id ends in `unique_ids`.
    id_end: u32,
}

const DELETED: u64 = 1 << 63;
const RETRIEVED: u64 = 1 << 62;
const MARKS: u64 = DELETED | RETRIEVED;

impl Maildrop {
    /// Adds a message at the end. An invalid id is replaced (P048). False if there is no room for
    /// another message.
    pub(super) fn push(&mut self, size: u64, unique_id: &[u8]) -> bool {
        if unique_id::is_valid(unique_id) {
            self.unique_ids.extend_from_slice(unique_id);
        } else {
            self.unique_ids
                .extend_from_slice(unique_id::from_name(unique_id).as_bytes());
        }
        let (Ok(id_end), Some(count)) = (
            u32::try_from(self.unique_ids.len()),
            self.count.checked_add(1),
        ) else {
            return false;
        };
        let size = size & !MARKS;
        self.messages.push(Message {
            size_and_marks: size,
            id_end,
        });
        self.count = count;
        self.octets = self.octets.saturating_add(size);
        true
    }

    /// Gives back the memory that growing left over.
    pub(super) fn shrink(&mut self) {
        self.messages.shrink_to_fit();
        self.unique_ids.shrink_to_fit();
    }

    /// How many messages there are, marked or not.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap_or(u32::MAX)
    }

    /// Messages that are not marked as deleted, and their octets.
    pub(super) const fn stat(&self) -> (u32, u64) {
        (self.count, self.octets)
    }

    /// The message of this number, if there is one and it is not marked as deleted.
    pub(super) fn find(&self, number: MessageNumber) -> Option<Index> {
        let index = number.0.checked_sub(1)?;
        let message = self.messages.get(index as usize)?;
        (message.size_and_marks & DELETED == 0).then_some(Index(index))
    }

    /// The first message at or after this place that is not marked as deleted.
    pub(super) fn next_from(&self, index: Index) -> Option<Index> {
        let rest = self.messages.get(index.0 as usize..)?;
        let step = rest
            .iter()
            .position(|message| message.size_and_marks & DELETED == 0)?;
        Some(Index(index.0.saturating_add(u32::try_from(step).ok()?)))
    }

    /// Octets of a message.
    pub(super) fn size(&self, index: Index) -> u64 {
        self.messages
            .get(index.0 as usize)
            .map_or(0, |message| message.size_and_marks & !MARKS)
    }

    /// The unique-id of a message.
    pub(super) fn unique_id(&self, index: Index) -> &[u8] {
        let at = index.0 as usize;
        let start = at
            .checked_sub(1)
            .and_then(|before| self.messages.get(before));
        let start = start.map_or(0, |message| message.id_end as usize);
        let end = self
            .messages
            .get(at)
            .map_or(start, |message| message.id_end as usize);
        &self.unique_ids[start..end]
    }

    /// Marks a message as deleted.
    pub(super) fn delete(&mut self, index: Index) {
        let size = self.size(index);
        let Some(message) = self.messages.get_mut(index.0 as usize) else {
            return;
        };
        if message.size_and_marks & DELETED == 0 {
            message.size_and_marks |= DELETED;
            self.count -= 1;
            self.octets = self.octets.saturating_sub(size);
        }
    }

    /// Notes that a message was sent whole.
    pub(super) fn retrieved(&mut self, index: Index) {
        if let Some(message) = self.messages.get_mut(index.0 as usize) {
            message.size_and_marks |= RETRIEVED;
        }
    }

    /// Removes all marks of deletion.
    pub(super) fn reset(&mut self) {
        self.count = self.len();
        self.octets = 0;
        for message in &mut self.messages {
            message.size_and_marks &= !DELETED;
            self.octets = self.octets.saturating_add(message.size_and_marks & !MARKS);
        }
    }

    /// The messages marked as deleted, ascending.
    pub(super) fn deleted_list(&self) -> Vec<Index> {
        self.with_mark(DELETED)
    }

    /// The messages that were sent whole, ascending.
    pub(super) fn retrieved_list(&self) -> Vec<Index> {
        self.with_mark(RETRIEVED)
    }

    fn with_mark(&self, mark: u64) -> Vec<Index> {
        let marked = (0u32..).zip(&self.messages);
        marked
            .filter(|(_, m)| m.size_and_marks & mark != 0)
            .map(|(at, _)| Index(at))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Delete(u32),
        Retrieved(u32),
        Reset,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u32..12).prop_map(Step::Delete),
            2 => (0u32..12).prop_map(Step::Retrieved),
            1 => Just(Step::Reset),
        ]
    }

    proptest! {
        #[test]
        fn p020_p024_p026_p035_marks_agree_with_the_obvious_model(
            sizes in proptest::collection::vec(0u64..1 << 40, 0..9),
            steps in proptest::collection::vec(step(), 0..30),
        ) {
            let mut maildrop = Maildrop::default();
            for (n, size) in sizes.iter().enumerate() {
                let added = maildrop.push(*size, alloc::format!("id{n}").as_bytes());
                prop_assert!(added);
            }
            let mut deleted = alloc::vec![false; sizes.len()];
            for step in steps {
                match step {
                    Step::Delete(n) => {
                        maildrop.delete(Index(n));
                        if let Some(mark) = deleted.get_mut(n as usize) { *mark = true; }
                    }
                    Step::Retrieved(n) => maildrop.retrieved(Index(n)),
                    Step::Reset => { maildrop.reset(); deleted.fill(false); }
                }
                let left = sizes.iter().zip(&deleted).filter(|(_, d)| !**d);
                let (count, octets) = left.fold((0, 0), |(c, o), (size, _)| (c + 1, o + size));
                prop_assert_eq!(maildrop.stat(), (count, octets));
                for n in 0..sizes.len() as u32 {
                    let found = maildrop.find(MessageNumber(n + 1));
                    prop_assert_eq!(found, (!deleted[n as usize]).then_some(Index(n)));
                    prop_assert_eq!(maildrop.size(Index(n)), sizes[n as usize]);
                    let id = alloc::format!("id{n}");
                    prop_assert_eq!(maildrop.unique_id(Index(n)), id.as_bytes());
                }
                let marked = maildrop.deleted_list();
                prop_assert!(marked.iter().all(|i| deleted[i.0 as usize]));
                prop_assert_eq!(marked.len(), deleted.iter().filter(|d| **d).count());
            }
            prop_assert_eq!(maildrop.find(MessageNumber(0)), None);
            prop_assert_eq!(maildrop.find(MessageNumber(sizes.len() as u32 + 1)), None);
        }
    }

    #[test]
    fn p021_sums_beyond_64_bits_do_not_wrap() {
        let mut maildrop = Maildrop::default();
        for _ in 0..8 {
            assert!(maildrop.push(u64::MAX, b"x"));
        }
        assert_eq!(maildrop.stat().0, 8);
        assert!(maildrop.stat().1 > 1 << 62);
    }

    /// A table of 100,000 messages stays small: growing leaves nothing behind.
    #[test]
    fn nothing_is_held_but_the_table() {
        let mut maildrop = Maildrop::default();
        assert!((0..1000).all(|_| maildrop.push(1, b"12345")));
        maildrop.shrink();
        assert_eq!(maildrop.messages.capacity(), 1000);
        assert_eq!(maildrop.unique_ids.capacity(), 5000);
    }

    #[test]
    fn p048_ids_that_are_none_are_replaced() {
        let mut maildrop = Maildrop::default();
        assert!(maildrop.push(1, b"a b") && maildrop.push(1, b"") && maildrop.push(1, b"ok"));
        assert!((0..3).all(|n| unique_id::is_valid(maildrop.unique_id(Index(n)))));
        assert_eq!(maildrop.unique_id(Index(2)), b"ok");
    }
}
