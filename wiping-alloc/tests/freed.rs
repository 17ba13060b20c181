//! What is freed inside is wiped, and what is freed outside is as it was: the process looks into its own memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use wiping_alloc::{Wiping, wiped};

#[global_allocator]
static HEAP: Wiping = Wiping;

const SECRET: &str = "5d41402abc4b2a76b9719d911017c592";

/// How often the secret stands in this process's memory, in writable parts.
fn in_memory() -> usize {
    use std::io::{Read as _, Seek as _};

    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    // not itself a copy of what is looked for
    let turned: Vec<u8> = SECRET.bytes().map(|octet| !octet).collect();
    let mut found = 0;
    for line in maps
        .lines()
        .filter(|line| line.contains(" rw") && !line.contains("[v"))
    {
        let (begin, rest) = line.split_once('-').unwrap();
        let (end, _) = rest.split_once(' ').unwrap();
        let begin = u64::from_str_radix(begin, 16).unwrap();
        let length = u64::from_str_radix(end, 16).unwrap() - begin;
        let mut octets = vec![0; usize::try_from(length).unwrap()];
        memory.seek(std::io::SeekFrom::Start(begin)).unwrap();
        if memory.read_exact(&mut octets).is_err() {
            continue;
        }
        for octet in &mut octets {
            *octet = !*octet;
        }
        found += octets
            .windows(turned.len())
            .filter(|window| *window == turned)
            .count();
    }
    found
}

/// Leaves copies in every way that a vector has: growing, shrinking, moving to another vector, being dropped. The
/// head of a block is overwritten by the allocator's own lists, so the secret stands in the middle.
fn handle_a_secret() -> usize {
    let mut text = vec![b'-'; 200];
    text.extend_from_slice(SECRET.as_bytes());
    for grown in 0..12 {
        text.extend_from_slice(&vec![b'-'; 64 << grown]);
    }
    let copy = text.clone();
    text.truncate(300);
    text.shrink_to_fit();
    let zeroed = vec![0_u8; 4096];
    copy.len()
        + text.len()
        + zeroed
            .iter()
            .map(|octet| usize::from(*octet))
            .sum::<usize>()
}

#[test]
fn what_is_freed_inside_is_wiped_and_outside_is_not() {
    let read_only = in_memory();
    let inside = wiped(handle_a_secret);
    assert_eq!(in_memory(), read_only, "nothing is left of it");

    // what stands inside of another one ends alone
    wiped(|| {
        wiped(|| ());
        assert_eq!(handle_a_secret(), inside);
    });
    assert_eq!(in_memory(), read_only, "the outer one still wipes");

    // work that panics ends it
    let panicked = std::panic::catch_unwind(|| wiped(|| panic!("as it should")));
    assert!(panicked.is_err());
    assert_eq!(handle_a_secret(), inside);
    assert!(
        in_memory() > read_only,
        "the positive control: copies are found where nothing wipes"
    );
}
