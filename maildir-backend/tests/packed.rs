//! Messages that an IMAP server has packed, and messages that cannot be read: each costs itself alone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;

use bzip2::write::BzEncoder;
use common::{Disk, read, store};
use flate2::write::GzEncoder;
use maildir_backend::Config;
use pop3_proto::backend::Index;
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::{StoreError, message_size};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

const KINDS: [&str; 3] = ["gzip", "bzip2", "zstd"];

fn pack(kind: &str, octets: &[u8]) -> Vec<u8> {
    match kind {
        "gzip" => {
            let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
            packed.write_all(octets).unwrap();
            packed.finish().unwrap()
        }
        "bzip2" => {
            let mut packed = BzEncoder::new(Vec::new(), bzip2::Compression::default());
            packed.write_all(octets).unwrap();
            packed.finish().unwrap()
        }
        _ => compress_to_vec(octets, CompressionLevel::Fastest),
    }
}

/// No more than a quarter of a megabyte is unpacked.
fn bounded(config: &mut Config) {
    config.max_unpacked = 256 * 1024;
}

const MAIL: &str = "Subject: packed\n\n.one\ntwo\r\nthree";

/// RETR, TOP, sizes and deletion are those of the message, whatever the name says; flags change nothing.
#[test]
fn w062_packed_mails_are_read_with_true_sizes() {
    for kind in KINDS {
        let disk = Disk::maildir();
        let packed = pack(kind, MAIL.as_bytes());
        let (size, octets) = (MAIL.len(), message_size(MAIL.as_bytes()).unwrap());
        for name in [
            "new/1.a".to_owned(),
            format!("new/2.a,S={size},W={octets}"),
            format!("cur/3.a,S={size}:2,S"),
            "cur/4.a,S=7,W=9:2,".to_owned(),
            format!("cur/5.a,S={},W={}:2,", packed.len(), packed.len()),
        ] {
            disk.put(&name, &packed);
        }
        // the last one's name tells lies about a file that is not packed
        let told = [octets, octets, octets, octets];
        for store in [store(disk.path(), |_| {}), store(disk.path(), |_| {})] {
            let mut mailbox = store.open(&common::login("u")).unwrap();
            let entries = mailbox.list().unwrap();
            let sizes: Vec<u64> = entries.iter().map(|entry| entry.size).collect();
            assert_eq!(sizes[..4], told, "{kind}");
            for at in 0..5 {
                assert_eq!(
                    read(&mut mailbox, at).unwrap(),
                    MAIL.as_bytes(),
                    "{kind} {at}"
                );
                let mut top = Vec::new();
                std::io::copy(&mut mailbox.top(Index(at), 0).unwrap(), &mut top).unwrap();
                assert_eq!(top, MAIL.as_bytes());
            }
        }
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        let all = [0, 1, 2, 3, 4].map(Index);
        mailbox.update(&all, &[]).unwrap();
        assert_eq!((disk.files("new").len(), disk.files("cur").len()), (0, 0));
    }
}

/// A mail that only begins like a packed one is none.
#[test]
fn w062_a_mail_that_begins_like_a_packed_one_is_sent_as_it_is() {
    let disk = Disk::maildir();
    disk.put("new/1.a", "BZhello: is this a header?\n\nx\n");
    disk.put("new/2.a", "\x1f\n");
    disk.put("new/3.a", "");
    disk.put("new/4.a", "BZh9 is a header?\n");
    disk.put("new/5.a", "BZh: \x31\x41\x59\x26\x53\x59\n");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    assert_eq!(
        read(&mut mailbox, 0).unwrap(),
        b"BZhello: is this a header?\n\nx\n"
    );
    assert_eq!(read(&mut mailbox, 1).unwrap(), b"\x1f\n");
    assert_eq!(read(&mut mailbox, 2).unwrap(), b"");
    assert_eq!(read(&mut mailbox, 3).unwrap(), b"BZh9 is a header?\n");
    assert!(read(&mut mailbox, 4).unwrap().starts_with(b"BZh: 1A"));
}

/// Another process unpacks nothing to learn a size: it believes what it finds.
#[test]
fn w062_a_packed_mail_is_counted_once() {
    let disk = Disk::maildir();
    disk.put("new/1.a", pack("gzip", MAIL.as_bytes()));
    let octets = disk.list()[0].size;
    let file = disk.path().join("pop3-gateway.sizes");
    let text = fs::read_to_string(&file).unwrap();
    let other = text.replace(&format!(" {octets} packed\n"), " 77 packed\n");
    assert_ne!(text, other);
    fs::write(&file, other).unwrap();
    let again = store(disk.path(), |_| {});
    let entries = again.open(&common::login("u")).unwrap().list().unwrap();
    assert_eq!(entries[0].size, 77);
}

/// zstd files may hold something for other programs between the frames; one that is cut off there is damaged.
#[test]
fn w062_what_zstd_skips_is_whole() {
    let skipped =
        |told: u8, octets: &[u8]| [&b"\x50\x2a\x4d\x18"[..], &[told, 0, 0, 0], octets].concat();
    let frame = pack("zstd", MAIL.as_bytes());
    for (between, good) in [(skipped(3, b"abc"), true), (skipped(200, b"abc"), false)] {
        let disk = Disk::maildir();
        let end = if good { &frame[..] } else { b"" };
        disk.put("new/1.a", [&frame, &between, end].concat());
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        let expected = good.then(|| MAIL.repeat(2).into_bytes());
        assert_eq!(read(&mut mailbox, 0).ok(), expected);
    }
}

/// Some kilobytes that unpack to ten gigabytes are refused before anything is sent, and not unpacked again at
/// the next login.
#[test]
fn w062_a_bomb_costs_neither_memory_nor_the_mailbox() {
    let zeros = vec![0; 16 * 1024 * 1024];
    for kind in KINDS {
        let disk = Disk::with(bounded);
        disk.put("new/1.a", "first\n");
        disk.put("new/2.bomb", pack(kind, &zeros).repeat(640));
        disk.put(
            "new/3.bomb,S=10737418240,W=10737418240",
            pack(kind, &zeros).repeat(640),
        );
        disk.put("new/4.a", "last\n");
        let mut mailbox = disk.open();
        assert_eq!(mailbox.list().unwrap().len(), 4);
        for at in [1, 2] {
            let error = read(&mut mailbox, at).unwrap_err();
            let StoreError::Permanent(text) = &error else {
                panic!("{kind}: {error:?}")
            };
            assert!(
                text.contains("262144 octets") && text.contains("bomb"),
                "{text}"
            );
            // the very first octet is refused, not one in the middle
            assert!(mailbox.message(Index(at)).is_err());
            assert!(mailbox.top(Index(at), 0).is_err());
        }
        assert_eq!(read(&mut mailbox, 0).unwrap(), b"first\n");
        assert_eq!(read(&mut mailbox, 3).unwrap(), b"last\n");
        let counted = fs::read_to_string(disk.path().join("pop3-gateway.sizes")).unwrap();
        assert_eq!(counted.matches(" broken\n").count(), 2, "{counted}");
        mailbox.update(&[0, 1, 3].map(Index), &[]).unwrap();
        assert_eq!(disk.files("new").len(), 1);
    }
}

/// What is exactly as large as allowed is read.
#[test]
fn w062_the_bound_is_the_last_octet_that_is_read() {
    for kind in KINDS {
        for (more, good) in [(0, true), (1, false)] {
            let disk = Disk::with(bounded);
            disk.put("new/1.a", pack(kind, &vec![b'x'; 256 * 1024 + more]));
            let mut mailbox = disk.open();
            mailbox.list().unwrap();
            assert_eq!(read(&mut mailbox, 0).is_ok(), good, "{kind} {more}");
        }
    }
}

/// Ways of packing that cannot be read here.
#[test]
fn w062_what_cannot_be_unpacked_here_is_named() {
    let disk = Disk::maildir();
    disk.put("new/1.a", b"\xfd7zXZ\0 and so on");
    disk.put("new/2.a", b"CRYPTED\x03\x07\x01");
    disk.put("new/3.a", "x\n");
    // a frame that names the dictionary with the number 7
    disk.put("new/4.a", b"\x28\xb5\x2f\xfd\x21\x07\x05\x29\0\0hello");
    let mut mailbox = disk.open();
    assert_eq!(mailbox.list().unwrap().len(), 4);
    for (at, how) in [(0, "xz"), (1, "encryption"), (3, "the zstd dictionary 7")] {
        let error = read(&mut mailbox, at).unwrap_err();
        assert!(
            matches!(&error, StoreError::Permanent(text) if text.contains(how)),
            "{error}"
        );
    }
    assert_eq!(read(&mut mailbox, 2).unwrap(), b"x\n");
}

/// Text that does not pack well, so that damage lies anywhere in it.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"abcdefghijklmnopqrstuvwxyz \n"[(state >> 16) as usize % 28]
    };
    std::iter::repeat_with(next).take(length).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    /// A packed mail that is cut or damaged anywhere, larger than what is read at once: it is refused before
    /// anything of it is sent, or it is read as it was. The others come, and all can be deleted.
    #[test]
    fn w007_a_damaged_packed_mail_costs_that_mail(
        kind in proptest::sample::select(KINDS.to_vec()),
        at in any::<proptest::sample::Index>(),
        flip in proptest::option::of(1..=255u8),
        in_time in any::<bool>(),
    ) {
        let mail = noise(200 * 1024);
        let mut packed = pack(kind, &mail);
        let at = at.index(packed.len());
        match flip {
            Some(flip) => packed[at] ^= flip,
            None => packed.truncate(at),
        }
        let disk = Disk::maildir();
        disk.put("new/1.a", "first\n");
        // a name that is believed is not read at the login
        let name = match in_time {
            true => "new/2.a".to_owned(),
            false => format!("new/2.a,S={0},W={0}", packed.len()),
        };
        disk.put(&name, &packed);
        disk.put("new/3.a", "last\n");
        let mut mailbox = disk.open();
        prop_assert_eq!(mailbox.list().unwrap().len(), 3);
        if let Ok(mut message) = mailbox.message(Index(1)) {
            let mut octets = Vec::new();
            let whole = std::io::copy(&mut message, &mut octets);
            prop_assert!(whole.is_ok(), "it broke off: {whole:?}");
            // damage at the start makes another file of it, and some octets mean nothing
            prop_assert!(octets == mail || octets == packed || packed.is_empty() || octets.is_empty());
        }
        prop_assert_eq!(read(&mut mailbox, 0).unwrap(), b"first\n");
        prop_assert_eq!(read(&mut mailbox, 2).unwrap(), b"last\n");
        mailbox.update(&[0, 1, 2].map(Index), &[]).unwrap();
        prop_assert_eq!(disk.files("new"), Vec::<String>::new());
    }

    /// No octets in a file panic or close the mailbox.
    #[test]
    fn w062_no_file_closes_the_mailbox(
        magic in proptest::sample::select(vec![
            &b"\x1f\x8b\x08"[..], b"BZh91AY&SY", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b"",
        ]),
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let disk = Disk::with(bounded);
        disk.put("new/1.a", [magic, &rest].concat());
        disk.put("new/2.a", "x\n");
        let mut mailbox = disk.open();
        prop_assert_eq!(mailbox.list().unwrap().len(), 2);
        if let Ok(mut message) = mailbox.message(Index(0)) {
            prop_assert!(std::io::copy(&mut message, &mut std::io::sink()).is_ok());
        }
        prop_assert_eq!(read(&mut mailbox, 1).unwrap(), b"x\n");
    }
}
