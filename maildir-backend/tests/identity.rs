//! What a unique-id stands for: one file, for ever. A client that has fetched an id never asks for it again,
//! and so a second file under the first one's id would be lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, FileTimes};
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{Disk, age, login, read, store};
use maildir_backend::{Deletion, Layout};
use pop3_proto::backend::Index;
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::StoreError;
use proptest::prelude::*;

/// A moment long ago, the same for all.
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn set_modified(path: &Path, to: SystemTime) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(to)).unwrap();
}

/// Writes into the file that is there, octet by octet over the old ones.
fn overwrite(path: &Path, octets: &[u8]) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.write_all(octets).unwrap();
    let end = file.stream_position().unwrap();
    file.set_len(end).unwrap();
}

/// Takes away what was written down, if anything was: of young files nothing is.
fn forget_counts(disk: &Disk) {
    let _ = fs::remove_file(disk.path().join(".pop3-gateway.sizes"));
}

fn id(disk: &Disk) -> String {
    let ids = disk.ids();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids.into_iter().next().unwrap()
}

/// A scanner that counts from one again, a program that overwrites its report, `cp -p`, a backup: whatever
/// comes under the old name is another message.
#[test]
fn w002_a_new_file_with_an_old_name_has_an_id_of_its_own() {
    type Change = (&'static str, fn(&Path));
    // two files that are born within one tick of the clock, alike in all else, are one
    let tick = |path: &Path| {
        let born = |path: &Path| fs::metadata(path).unwrap().created().ok();
        let probe = path.with_file_name(".probe");
        let first = born(path);
        loop {
            fs::write(&probe, "").unwrap();
            if first.is_none() || born(&probe) != first {
                return;
            }
            fs::remove_file(&probe).unwrap();
        }
    };
    let changes: [Change; 7] = [
        ("made anew", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "first").unwrap();
        }),
        ("made anew, with the old time", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "other").unwrap();
            set_modified(path, then());
        }),
        ("the same octets once more, with the old time", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "first").unwrap();
            set_modified(path, then());
        }),
        ("renamed over it, with the old time", |path| {
            let other = path.with_file_name(".other");
            fs::write(&other, "other").unwrap();
            set_modified(&other, then());
            fs::rename(&other, path).unwrap();
        }),
        ("overwritten in place", |path| {
            overwrite(path, b"longer than it was")
        }),
        ("overwritten in place, of the same size", |path| {
            overwrite(path, b"other")
        }),
        ("overwritten in place, of the same size and time", |path| {
            overwrite(path, b"other");
            set_modified(path, then());
        }),
    ];
    for (how, change) in changes {
        let disk = Disk::directory();
        let path = disk.path().join("scan0001.eml");
        fs::write(&path, "first").unwrap();
        set_modified(&path, then());
        let before = id(&disk);
        tick(&path);
        change(&path);
        assert_ne!(id(&disk), before, "{how}");
        // and for a process that knows nothing of the first
        forget_counts(&disk);
        assert_ne!(id(&disk), before, "{how}, counted anew");
    }
}

/// What does not make another file of it: rights, links of a backup, a copy of what was counted that is
/// lost, another process, time.
#[test]
fn w002_the_id_of_a_file_stays() {
    let disk = Disk::directory();
    let path = disk.path().join("scan0001.eml");
    fs::write(&path, "first").unwrap();
    for time in [then(), SystemTime::now() + Duration::from_secs(1_000_000)] {
        set_modified(&path, time);
        let before = id(&disk);
        assert_eq!(id(&disk), before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(id(&disk), before, "rights");
        let elsewhere = tempfile::tempdir_in(disk.path()).unwrap();
        fs::hard_link(&path, elsewhere.path().join("backup")).unwrap();
        assert_eq!(id(&disk), before, "a link");
        forget_counts(&disk);
        assert_eq!(id(&disk), before, "counted anew");
        let again = store(disk.path(), |config| {
            config.layout = Layout::Directory;
            config.settle = Duration::ZERO;
        });
        let entries = again.open(&login("u")).unwrap().list().unwrap();
        assert_eq!(entries[0].unique_id, before, "another process");
    }
}

/// Two names of one file are two messages, and neither closes the mailbox.
#[test]
fn w002_hard_links_have_ids_of_their_own() {
    let disk = Disk::directory();
    disk.put("a.eml", "x");
    fs::hard_link(disk.path().join("a.eml"), disk.path().join("b.eml")).unwrap();
    let ids: BTreeSet<String> = disk.ids().into_iter().collect();
    assert_eq!(ids.len(), 2);
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    mailbox.update(&[Index(0)], &[]).unwrap();
    assert_eq!(disk.files("."), ["b.eml"]);
}

/// An id names one content: what came into its place is not sent under it, and not removed with it.
#[test]
fn w002_what_is_overwritten_within_a_session_is_neither_sent_nor_removed() {
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        |path| fs::write(path, "another").unwrap(),
        |path| overwrite(path, b"other"),
        |path| {
            overwrite(path, b"other");
            set_modified(path, then());
        },
        |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "first").unwrap();
            set_modified(path, then());
        },
    ];
    for deletion in [Deletion::Remove, Deletion::Move("gone".into())] {
        for change in changes {
            let disk = Disk::with(|config| {
                config.layout = Layout::Directory;
                config.settle = Duration::ZERO;
                config.deletion = deletion.clone();
            });
            for name in ["a", "b", "c"] {
                disk.put(name, "first");
                set_modified(&disk.path().join(name), then());
            }
            let mut mailbox = disk.open();
            let old = mailbox.list().unwrap();
            // before it is fetched
            change(&disk.path().join("a"));
            let error = read(&mut mailbox, 0).unwrap_err();
            assert!(matches!(error, StoreError::Temporary(_)), "{error:?}");
            // after that
            assert_eq!(read(&mut mailbox, 1).unwrap(), b"first");
            change(&disk.path().join("b"));
            assert_eq!(read(&mut mailbox, 2).unwrap(), b"first");
            let error = mailbox.update(&[0, 1, 2].map(Index), &[]).unwrap_err();
            assert!(error.to_string().contains("changed"), "{error}");
            assert_eq!(disk.files("."), ["a", "b"]);
            // the next session has them, as messages of their own
            let old: BTreeSet<String> = old.into_iter().map(|entry| entry.unique_id).collect();
            let new: BTreeSet<String> = disk.ids().into_iter().collect();
            assert!(new.len() == 2 && old.is_disjoint(&new));
        }
    }
}

/// A backup makes hard links and a person changes rights while a session lasts: it is the same message.
#[test]
fn w002_what_only_looks_changed_is_removed() {
    let disk = Disk::directory();
    for name in ["a", "b"] {
        disk.put(name, "first");
    }
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    assert_eq!(read(&mut mailbox, 0).unwrap(), b"first");
    let elsewhere = tempfile::tempdir_in(disk.path()).unwrap();
    fs::hard_link(disk.path().join("a"), elsewhere.path().join("a")).unwrap();
    fs::set_permissions(disk.path().join("b"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(read(&mut mailbox, 1).unwrap(), b"first");
    mailbox.update(&[0, 1].map(Index), &[]).unwrap();
    assert_eq!(disk.files("."), [""; 0]);
}

/// A delivery agent that uses a name again: the Maildir rules forbid it, and the id is the name. What the
/// client has not read stays all the same.
#[test]
fn w002_a_maildir_name_that_is_used_again_is_not_removed() {
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "other").unwrap();
        },
        |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "other").unwrap();
            set_modified(path, then());
        },
        |path| overwrite(path, b"other"),
        |path| {
            let other = path.with_file_name("2.b");
            fs::write(&other, "other").unwrap();
            set_modified(&other, then());
            fs::rename(&other, path).unwrap();
        },
    ];
    for change in changes {
        let disk = Disk::maildir();
        disk.put("new/1.a", "first");
        let path = disk.path().join("new/1.a");
        set_modified(&path, then());
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        assert_eq!(read(&mut mailbox, 0).unwrap(), b"first");
        change(&path);
        let error = mailbox.update(&[Index(0)], &[Index(0)]).unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
        assert_eq!(disk.files("new"), ["1.a"]);
        // flags are no change
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        assert_eq!(read(&mut mailbox, 0).unwrap(), b"other");
        fs::rename(&path, disk.path().join("cur/1.a:2,S")).unwrap();
        mailbox.update(&[Index(0)], &[]).unwrap();
        assert_eq!(disk.files("cur"), [""; 0]);
    }
}

/// Ids that clients know already: those of a Maildir are the names.
#[test]
fn w002_the_ids_of_a_maildir_are_the_names_for_ever() {
    let disk = Disk::maildir();
    disk.put("new/1700000000.M1P2.host", "first");
    disk.put("cur/1700000001.M1P2.host,S=5:2,S", "other");
    assert_eq!(
        disk.ids(),
        ["1700000000.M1P2.host", "1700000001.M1P2.host,S=5"]
    );
}

/// What becomes of files between two sessions.
#[derive(Clone, Debug)]
enum Event {
    /// Writes a file of this name with this content, at this time.
    Write(u8, u8, u8),
    /// The same, over the one that is there.
    Overwrite(u8, u8, u8),
    Remove(u8),
    Rename(u8, u8),
}

fn event() -> impl Strategy<Value = Event> {
    let (name, content, time) = (0..4u8, 0..3u8, 0..3u8);
    prop_oneof![
        (name.clone(), content.clone(), time.clone()).prop_map(|(n, c, t)| Event::Write(n, c, t)),
        (name.clone(), content, time).prop_map(|(n, c, t)| Event::Overwrite(n, c, t)),
        name.clone().prop_map(Event::Remove),
        (name.clone(), name).prop_map(|(a, b)| Event::Rename(a, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever becomes of files: an id is never told for two contents.
    #[test]
    fn w002_an_id_never_comes_again(events in proptest::collection::vec(event(), 1..25)) {
        let disk = Disk::directory();
        let path = |name: u8| disk.path().join(format!("scan{name:04}.eml"));
        let content = |content: u8| format!("content {content}");
        let finish = |name: u8, time: u8| {
            set_modified(&path(name), then() + Duration::from_secs(time.into()));
        };
        let mut contents = HashMap::new();
        for event in events {
            match event {
                Event::Write(n, c, t) => {
                    let _ = fs::remove_file(path(n));
                    fs::write(path(n), content(c)).unwrap();
                    finish(n, t);
                }
                Event::Overwrite(n, c, t) => {
                    fs::write(path(n), content(c)).unwrap();
                    finish(n, t);
                }
                Event::Remove(n) => {
                    let _ = fs::remove_file(path(n));
                }
                Event::Rename(a, b) => {
                    let _ = fs::rename(path(a), path(b));
                }
            }
            let mut mailbox = disk.open();
            let entries = mailbox.list().unwrap();
            for (at, entry) in (0..).zip(entries) {
                let octets = read(&mut mailbox, at).unwrap();
                let told = contents.entry(entry.unique_id.clone()).or_insert_with(|| octets.clone());
                prop_assert_eq!(&*told, &octets, "{} for two contents", entry.unique_id);
            }
        }
    }
}

#[test]
fn a_touched_file_goes_to_the_end() {
    let disk = Disk::directory();
    for (name, seconds) in [("b", 300), ("a", 200)] {
        disk.put(name, name);
        age(&disk.path().join(name), Duration::from_secs(seconds));
    }
    let contents = |disk: &Disk| {
        let mut mailbox = disk.open();
        let entries = mailbox.list().unwrap().len() as u32;
        (0..entries)
            .map(|at| read(&mut mailbox, at).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(contents(&disk), [b"b", b"a"]);
    age(&disk.path().join("b"), Duration::ZERO);
    assert_eq!(contents(&disk), [b"a", b"b"]);
}
