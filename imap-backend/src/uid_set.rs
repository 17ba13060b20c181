//! UID sets as text, cut into pieces that fit a command line.
//!
//! A range is only ever written over UIDs that are all members: `4:6` stands for 4, 5 and 6, and
//! nothing that is not in the set can hide inside. Deletion depends on that.

use alloc::string::String;
use core::fmt::Write;

/// The most octets of one set; keeps a command line below the 1000 of RFC 2683 section 3.2.1.5.
const PIECE: usize = 900;

/// Writes ascending UIDs from the front of `uids` as one set; returns it and how many it took. Takes
/// at least one if there is any.
pub(crate) fn piece(uids: impl Iterator<Item = u64>) -> (String, usize) {
    let mut set = String::new();
    let mut taken = 0;
    let mut uids = uids.peekable();
    while let Some(first) = uids.next() {
        let mut last = first;
        let mut count = 1;
        while last != u64::MAX && uids.next_if_eq(&(last + 1)).is_some() {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::piece;

    fn members(set: &str) -> Vec<u64> {
        let number = |text: &str| text.parse::<u64>().unwrap();
        set.split(',')
            .flat_map(|range| {
                let (first, last) = range.split_once(':').unwrap_or((range, range));
                number(first)..=number(last)
            })
            .collect()
    }

    #[test]
    fn ranges_have_no_gaps() {
        let cases: [(&[u64], &str); 6] = [
            (&[], ""),
            (&[7], "7"),
            (&[1, 2, 3, 5, 7, 8], "1:3,5,7:8"),
            (&[1, 3, 5], "1,3,5"),
            (&[4_294_967_294, 4_294_967_295], "4294967294:4294967295"),
            (
                &[u64::MAX - 1, u64::MAX],
                "18446744073709551614:18446744073709551615",
            ),
        ];
        for (uids, expected) in cases {
            let (set, count) = piece(uids.iter().copied());
            assert_eq!((set.as_str(), count), (expected, uids.len()));
        }
    }

    proptest! {
        /// P039, I031: the pieces name exactly the members, in short lines.
        #[test]
        fn i031_p039_pieces_name_the_members_and_nothing_else(
            uids in proptest::collection::btree_set(
                prop_oneof![1..400_u64, any::<u64>().prop_map(|n| n.max(1))], 0..600,
            ),
        ) {
            let uids: Vec<u64> = BTreeSet::into_iter(uids).collect();
            let mut named = Vec::new();
            let mut rest = &uids[..];
            while !rest.is_empty() {
                let (set, count) = piece(rest.iter().copied());
                prop_assert!(set.len() <= 930 && count > 0);
                named.extend(members(&set));
                rest = &rest[count..];
            }
            prop_assert_eq!(named, uids);
        }
    }
}
