//! Which messages of the maildrop are known to be gone upstream.
//!
//! Owns the way from a sequence number to a message: numbers move with every EXPUNGE (RFC 3501 section
//! 7.4.1), places in the table do not. If it cannot be sure what a number means it reports nothing, and
//! the caller has to look. It never concludes from the number of messages that one is gone.
//!
//! Empty until the first message goes; then one bit a message, and a count for each block of 512.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// How many words of bits share a count.
const BLOCK: usize = 8;

/// Which messages of a table are known to be gone.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    places: u32,
    /// Whether the sequence numbers of this connection are known.
    numbered: bool,
    /// None while no message is known to be gone.
    there: Option<Box<There>>,
}

/// The messages that are not known to be gone.
#[derive(Debug)]
struct There {
    /// One bit for each place.
    bits: Vec<u64>,
    /// How many bits are set in each block.
    counts: Vec<u16>,
}

impl Presence {
    /// This many messages, all of them there. `numbered` means that the first has the number 1, the
    /// second 2, and so on.
    pub(crate) fn new(places: u32, numbered: bool) -> Self {
        Self {
            places,
            numbered,
            ..Self::default()
        }
    }

    /// The connection is another one, or the server reported messages as gone without their numbers. What is
    /// gone stays gone, but it is not known any more what a number means.
    pub(crate) fn forget_numbers(&mut self) {
        self.numbered = false;
    }

    /// The server says how many messages it has. If they are fewer than are known to be there, it
    /// numbers them in a way of its own.
    pub(crate) fn exist(&mut self, count: u32) {
        let known = self
            .there
            .as_ref()
            .map_or(self.places, |there| there.count());
        self.numbered &= known <= count;
    }

    /// The message with this sequence number is gone.
    pub(crate) fn expunged(&mut self, number: u32) {
        if self.numbered
            && let Some(before) = number.checked_sub(1)
        {
            let places = self.places;
            let there = self
                .there
                .get_or_insert_with(|| Box::new(There::all(places)));
            there.remove(before);
        }
    }

    /// Whether the message at this place is known to be gone.
    pub(crate) fn is_gone(&self, place: u32) -> bool {
        let word = self
            .there
            .as_ref()
            .and_then(|there| there.bits.get(place as usize / 64));
        word.is_some_and(|word| word & 1 << (place % 64) == 0)
    }
}

impl There {
    fn all(places: u32) -> Self {
        let mut bits = vec![u64::MAX; places.div_ceil(64) as usize];
        if let (Some(last), rest @ 1..) = (bits.last_mut(), places % 64) {
            *last = (1 << rest) - 1;
        }
        let count = |words: &[u64]| words.iter().map(|word| word.count_ones() as u16).sum();
        let counts = bits.chunks(BLOCK).map(count).collect();
        Self { bits, counts }
    }

    fn count(&self) -> u32 {
        self.counts.iter().map(|&count| u32::from(count)).sum()
    }

    /// Removes the one with this many others before it.
    fn remove(&mut self, mut before: u32) {
        for (words, count) in self.bits.chunks_mut(BLOCK).zip(&mut self.counts) {
            if before >= u32::from(*count) {
                before -= u32::from(*count);
                continue;
            }
            *count -= 1;
            for word in words {
                let here = word.count_ones();
                if before < here {
                    let higher = (0..before).fold(*word, |left, _| left & (left - 1));
                    *word &= !(higher & higher.wrapping_neg());
                    return;
                }
                before -= here;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Behaves like a list from which elements are removed one by one.
        #[test]
        fn w005_a_number_means_the_message_that_a_list_would_say(
            places in 0..1400_u32,
            numbers in proptest::collection::vec(0..1500_u32, 0..300),
        ) {
            let mut presence = Presence::new(places, true);
            let mut list: Vec<u32> = (0..places).collect();
            for number in numbers {
                presence.expunged(number);
                if number > 0 && number as usize <= list.len() {
                    list.remove(number as usize - 1);
                }
            }
            presence.exist(list.len() as u32);
            prop_assert!(presence.numbered);
            for place in 0..places {
                prop_assert_eq!(presence.is_gone(place), !list.contains(&place));
            }
            presence.exist((list.len() as u32).saturating_sub(1));
            prop_assert_eq!(presence.numbered, list.is_empty());
        }

        /// Without numbers nothing counts as gone.
        #[test]
        fn w005_a_number_that_is_not_known_means_nothing(numbers in proptest::collection::vec(0..9_u32, 0..9)) {
            let mut presence = Presence::new(5, true);
            presence.forget_numbers();
            for number in numbers {
                presence.expunged(number);
            }
            prop_assert!((0..9).all(|place| !presence.is_gone(place)));
        }
    }
}
