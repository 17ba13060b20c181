//! Maildrop locks.
#![allow(clippy::unwrap_used, reason = "tests")]

use pop3_server::lock::{Locks, Mode};
use proptest::prelude::*;

#[test]
fn p016_a_writer_is_alone() {
    let locks = Locks::new();
    let writer = locks.take("a", Mode::Exclusive).unwrap();
    assert!(locks.take("a", Mode::Exclusive).is_none());
    assert!(locks.take("a", Mode::Shared).is_none());
    assert!(locks.take("b", Mode::Exclusive).is_some());
    drop(writer);
    assert!(locks.take("a", Mode::Exclusive).is_some());
    assert_eq!(locks.held(), 0);
}

#[test]
fn readers_go_together_and_keep_writers_out() {
    let locks = Locks::new();
    let first = locks.take("a", Mode::Shared).unwrap();
    let second = locks.take("a", Mode::Shared).unwrap();
    drop(first);
    assert!(locks.take("a", Mode::Exclusive).is_none());
    drop(second);
    assert!(locks.take("a", Mode::Exclusive).is_some());
}

#[test]
fn a_writer_can_become_a_reader() {
    let locks = Locks::new();
    let mut writer = locks.take("a", Mode::Exclusive).unwrap();
    writer.downgrade();
    let reader = locks.take("a", Mode::Shared).unwrap();
    drop(writer);
    assert!(locks.take("a", Mode::Exclusive).is_none());
    drop(reader);
    assert_eq!(locks.held(), 0);
}

proptest! {
    /// P066: whatever is taken and dropped in whatever order, the table agrees with a plain count.
    #[test]
    fn p066_the_table_agrees_with_a_model(steps in prop::collection::vec((0_u8..4, 0_usize..3), 0..60)) {
        let locks = Locks::new();
        let mut held: Vec<(usize, bool, _)> = Vec::new();
        for (what, key) in steps {
            let name = ["a", "b", "c"][key];
            let writers = held.iter().filter(|(k, writes, _)| *k == key && *writes).count();
            let readers = held.iter().filter(|(k, writes, _)| *k == key && !*writes).count();
            match what {
                0 => {
                    let got = locks.take(name, Mode::Exclusive);
                    prop_assert_eq!(got.is_some(), writers + readers == 0);
                    held.extend(got.map(|guard| (key, true, guard)));
                }
                1 => {
                    let got = locks.take(name, Mode::Shared);
                    prop_assert_eq!(got.is_some(), writers == 0);
                    held.extend(got.map(|guard| (key, false, guard)));
                }
                2 => {
                    if let Some((_, writes, guard)) = held.iter_mut().find(|(k, ..)| *k == key) {
                        guard.downgrade();
                        *writes = false;
                    }
                }
                _ => {
                    if let Some(at) = held.iter().position(|(k, ..)| *k == key) {
                        drop(held.remove(at));
                    }
                }
            }
        }
        held.clear();
        prop_assert_eq!(locks.held(), 0);
    }
}
