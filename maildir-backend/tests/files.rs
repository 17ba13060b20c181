//! What becomes of single files: read, counted, delivered, marked, moved, locked.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{Disk, age, login, read, read_only, store};
use maildir_backend::{Deletion, Layout};
use pop3_proto::backend::Index;
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::{StoreError, message_size};
use proptest::prelude::*;

/// The settings of a plain directory without waiting.
fn at_once(config: &mut maildir_backend::Config) {
    config.layout = Layout::Directory;
    config.settle = Duration::ZERO;
}

#[test]
fn messages_come_in_the_order_of_delivery() {
    let disk = Disk::maildir();
    for name in [
        "cur/1700000002.M5P1.h:2,S",
        "new/1700000002.M40P1.h",
        "cur/1700000001.M7P1.h:2,",
        "new/999999999.P9.h",
        "new/1700000002.M5P1.g",
        "cur/odd",
    ] {
        disk.put(name, "x");
    }
    let order = [
        "odd",
        "999999999.P9.h",
        "1700000001.M7P1.h",
        "1700000002.M5P1.g",
        "1700000002.M5P1.h",
        "1700000002.M40P1.h",
    ];
    assert_eq!(disk.ids(), order);
    let plain = Disk::directory();
    for (name, seconds) in [("b", 300), ("c", 200), ("a", 100)] {
        plain.put(name, "x");
        age(&plain.path().join(name), Duration::from_secs(seconds));
    }
    let names = |disk: &Disk| {
        let names = disk.ids().into_iter();
        names.map(|id| id[..1].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&plain), ["b", "c", "a"]);
    // a file that is touched goes to the end
    age(&plain.path().join("b"), Duration::ZERO);
    assert_eq!(names(&plain), ["c", "a", "b"]);
}

/// A file that changes while it is read is not taken for a whole message.
#[test]
fn g06_half_a_message_is_an_error() {
    for disk in [Disk::maildir(), Disk::directory()] {
        let new = if disk.path().join("new").is_dir() {
            "new/"
        } else {
            ""
        };
        let path = disk.path().join(format!("{new}1.a"));
        let text = "0123456789\n".repeat(50_000);
        let changes: [&dyn Fn(fs::File) -> io::Result<()>; 3] = [
            &|file| file.set_len(100_000),
            &|mut file| file.write_all(b"more"),
            &|file| file.set_len(0),
        ];
        for change in changes {
            fs::write(&path, &text).unwrap();
            let mut mailbox = disk.open();
            mailbox.list().unwrap();
            let mut message = mailbox.message(Index(0)).unwrap();
            let mut head = [0; 1000];
            message.read_exact(&mut head).unwrap();
            change(fs::File::options().append(true).open(&path).unwrap()).unwrap();
            let error = io::copy(&mut message, &mut io::sink()).unwrap_err();
            assert!(error.to_string().contains("changed"), "{error}");
        }
        // one that is removed or renamed is read to its end
        fs::write(&path, &text).unwrap();
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        let mut message = mailbox.message(Index(0)).unwrap();
        fs::remove_file(&path).unwrap();
        let mut octets = String::new();
        message.read_to_string(&mut octets).unwrap();
        assert!(octets == text);
    }
}

#[test]
fn a_file_that_is_being_written_waits() {
    let disk = Disk::with(|config| {
        config.layout = Layout::Directory;
        config.settle = Duration::from_secs(30);
    });
    disk.put("old", "x");
    age(&disk.path().join("old"), Duration::from_secs(60));
    disk.put("young", "x");
    let names = |disk: &Disk| {
        let ids = disk.ids().into_iter();
        let name = |id: String| id.split('.').next().map(str::to_owned).unwrap();
        ids.map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&disk), ["old"]);
    // tools see it, and a clock that was wrong hides nothing
    assert_eq!(disk.store.list("u").unwrap().len(), 2);
    let file = fs::File::options()
        .write(true)
        .open(disk.path().join("young"))
        .unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    assert_eq!(names(&disk), ["old", "young"]);
}

/// The Maildir rules forbid to use a name again, but an unread message is worth more.
#[test]
fn a_name_that_is_used_again_costs_no_message() {
    let disk = Disk::maildir();
    for name in ["new/1.a", "new/2.a", "new/3.a", "new/4.a"] {
        disk.put(name, "first");
        age(&disk.path().join(name), Duration::from_secs(60));
    }
    let mut mailbox = disk.open();
    assert_eq!(mailbox.list().unwrap().len(), 4);
    for name in ["1.a", "2.a"] {
        fs::remove_file(disk.path().join("new").join(name)).unwrap();
        disk.put(&format!("cur/{name}:2,"), "another");
    }
    assert_eq!(read(&mut mailbox, 1).unwrap(), b"another");
    // touched, or put back as it was: it may be the same message, and is not removed unseen
    age(&disk.path().join("new/3.a"), Duration::ZERO);
    let four = disk.path().join("new/4.a");
    let modified = fs::metadata(&four).unwrap().modified().unwrap();
    fs::write(disk.path().join("copy"), "first").unwrap();
    fs::rename(disk.path().join("copy"), &four).unwrap();
    fs::File::options()
        .write(true)
        .open(&four)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let error = mailbox.remove(&[0, 1, 2, 3].map(Index)).unwrap_err();
    assert!(error.to_string().contains("1.a"), "{error}");
    assert_eq!(disk.files("new"), ["3.a", "4.a"]);
    assert_eq!(disk.files("cur"), ["1.a:2,"]);
}

#[test]
fn f11_sizes_are_counted_once() {
    let disk = Disk::maildir();
    disk.put("new/1.a,S=6,W=7", "xx\nyy\n");
    disk.put("new/2.a", "xx\nyy");
    disk.put("cur/3.a:2,S", "");
    let sizes = |disk: &Disk| disk.list().iter().map(|e| e.size).collect::<Vec<_>>();
    // the first is believed, though it is wrong
    assert_eq!(sizes(&disk), [7, 8, 0]);
    let file = disk.path().join("pop3-gateway.sizes");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "pop3-gateway sizes 1");
    assert!(lines.len() == 3 && lines[1].starts_with("2.a 5 ") && lines[1].ends_with(" 8"));
    // another process reads no message: it believes what it finds
    fs::write(&file, text.replace(" 8\n", " 9\n")).unwrap();
    let again = store(disk.path(), |_| {});
    let entries = again.open(&login("u")).unwrap().list().unwrap();
    assert_eq!(entries[1].size, 9);
    // flags change nothing
    fs::rename(
        disk.path().join("new/2.a"),
        disk.path().join("cur/2.a:2,RS"),
    )
    .unwrap();
    assert_eq!(sizes(&disk), [7, 9, 0]);
    // another file does
    disk.put("cur/2.a:2,RS", "xx\nyy\nzz");
    assert_eq!(sizes(&disk), [7, 12, 0]);
    // and no garbage is believed
    for garbage in [
        "",
        "pop3-gateway sizes 2\n",
        "pop3-gateway sizes 1\n2.a 8 x y 12\n2.a 8 0 0 18446744073709551616\n\u{0}\n",
        "pop3-gateway sizes 1\n2.a",
    ] {
        fs::write(&file, garbage).unwrap();
        assert_eq!(sizes(&disk), [7, 12, 0], "{garbage:?}");
    }
    let text = fs::read_to_string(&file).unwrap();
    for wrong in [" 999999\n", " 1\n", " -12\n", " 12 12\n"] {
        fs::write(&file, text.replace(" 12\n", wrong)).unwrap();
        assert_eq!(sizes(&disk), [7, 12, 0], "{wrong:?}");
    }
    // it does not grow for ever
    for n in 10..300 {
        disk.put(&format!("new/{n}.a"), "x");
    }
    sizes(&disk);
    for n in 10..300 {
        fs::remove_file(disk.path().join(format!("new/{n}.a"))).unwrap();
    }
    sizes(&disk);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 3);
}

/// A session that only reads writes nothing, and counts once all the same.
#[test]
fn a_reader_leaves_no_trace() {
    let disk = Disk::maildir();
    disk.put("new/1.a", "x\n");
    let mut reader = disk.store.open(&read_only("u")).unwrap();
    assert_eq!(reader.list().unwrap()[0].size, 3);
    assert_eq!(disk.files("."), [""; 0]);
    // the second time nothing is read, or the folder's own clock would tell
    let path = disk.path().join("new/1.a");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "\n\n").unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let mut reader = disk.store.open(&read_only("u")).unwrap();
    assert_eq!(reader.list().unwrap()[0].size, 3);
    // no lock either
    let mut writer = disk.open();
    writer.list().unwrap();
    assert_eq!(
        disk.store
            .open(&read_only("u"))
            .unwrap()
            .list()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(disk.files("."), ["pop3-gateway.sizes"]);
}

/// P016; qE3: the lock is free as soon as its holder ends, and no file of it stays.
#[test]
fn p016_qe3_a_folder_has_one_writer() {
    let disk = Disk::maildir();
    let mut first = disk.open();
    first.list().unwrap();
    // as another process would
    let other = store(disk.path(), |_| {});
    assert_eq!(
        other.open(&login("u")).unwrap().list(),
        Err(StoreError::InUse)
    );
    assert_eq!(disk.open().list(), Err(StoreError::InUse));
    // a session that has just ended is waited for
    let ends = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(60));
        first.update(&[], &[]).unwrap();
        first
    });
    let mut second = other.open(&login("u")).unwrap();
    assert_eq!(second.list(), Ok(Vec::new()));
    let first = ends.join().unwrap();
    drop(second);
    assert_eq!(disk.open().list(), Ok(Vec::new()));
    drop(first);
    assert!(disk.files(".").iter().all(|name| !name.contains("lock")));
    let unlocked = store(disk.path(), |config| config.lock = false);
    let mut third = disk.open();
    third.list().unwrap();
    assert_eq!(unlocked.open(&login("u")).unwrap().list(), Ok(Vec::new()));
}

#[test]
fn nothing_is_marked_unless_it_is_wanted() {
    for (mark, deletion, expected) in [
        (false, Deletion::Remove, ["1.a", "2.a", "4.a:2,F"]),
        (true, Deletion::Remove, ["1.a:2,S", "2.a", "4.a:2,FS"]),
        (true, Deletion::Keep, ["1.a:2,S", "2.a", "4.a:2,FS"]),
    ] {
        let disk = Disk::with(|config| {
            config.mark_seen = mark;
            config.deletion = deletion.clone();
        });
        for name in [
            "new/1.a",
            "new/2.a",
            "new/3.a",
            "cur/4.a:2,F",
            "cur/5.a:2,S",
        ] {
            disk.put(name, "x");
        }
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        for index in [0, 2, 3, 4] {
            read(&mut mailbox, index).unwrap();
        }
        // what was renamed meanwhile is marked too
        fs::rename(disk.path().join("new/1.a"), disk.path().join("cur/1.a:2,")).unwrap();
        if !mark {
            fs::rename(disk.path().join("cur/1.a:2,"), disk.path().join("new/1.a")).unwrap();
        }
        let retrieved = [0, 2, 3, 4].map(Index);
        mailbox.update(&[Index(2), Index(4)], &retrieved).unwrap();
        let mut names = [disk.files("new"), disk.files("cur")].concat();
        names.sort();
        match deletion {
            Deletion::Keep => assert_eq!(names.len(), 5),
            Deletion::Remove | Deletion::Move(_) => assert_eq!(names, expected),
        }
    }
}

#[test]
fn what_is_moved_keeps_its_flags_and_covers_nothing() {
    let disk = Disk::with(|config| config.deletion = Deletion::Move(".Trash".into()));
    for round in ["one", "two"] {
        disk.put("new/1.a", round);
        disk.put("cur/2.a:2,FS", round);
        disk.put("cur/3.a:2,", round);
        let mut mailbox = disk.open();
        assert_eq!(mailbox.list().unwrap().len(), 3);
        mailbox.update(&[Index(0), Index(1)], &[]).unwrap();
        assert_eq!(disk.files("new"), [""; 0]);
        assert_eq!(disk.files("cur"), ["3.a:2,"]);
    }
    let trash = disk.files(".Trash/cur");
    assert_eq!(trash.len(), 4, "{trash:?}");
    assert_eq!(
        trash.iter().filter(|name| name.ends_with(":2,FS")).count(),
        2
    );
    let texts = trash
        .iter()
        .map(|n| fs::read_to_string(disk.path().join(".Trash/cur").join(n)));
    assert_eq!(
        texts.filter(|text| text.as_ref().unwrap() == "one").count(),
        2
    );
    assert_eq!(disk.files(".Trash"), ["maildirfolder"]);

    let plain = Disk::with(|config| {
        at_once(config);
        config.deletion = Deletion::Move("deleted".into());
    });
    for round in ["one", "two"] {
        plain.put("a.eml", round);
        let mut mailbox = plain.open();
        mailbox.list().unwrap();
        mailbox.update(&[Index(0)], &[]).unwrap();
    }
    assert_eq!(plain.files("."), [""; 0]);
    assert_eq!(plain.files("deleted").len(), 2);
}

#[test]
fn quotas_learn_what_was_taken_and_added() {
    let disk = Disk::maildir();
    let noted = |disk: &Disk| fs::read_to_string(disk.path().join("maildirsize")).unwrap();
    disk.put("maildirsize", "1000S\n30 3\n");
    disk.put("new/1.a", "ten octets");
    disk.put("cur/2.a:2,ST", "not counted");
    disk.put("cur/3.a:2,S", "x");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    mailbox.remove(&[Index(0), Index(1), Index(2)]).unwrap();
    assert_eq!(noted(&disk), "1000S\n30 3\n-11 -2\n");
    disk.store.deliver("u", &b"12345"[..]).unwrap();
    assert_eq!(noted(&disk), "1000S\n30 3\n-11 -2\n5 1\n");
    // it may be somebody else's file
    fs::hard_link(
        disk.path().join("maildirsize"),
        disk.path().join("precious"),
    )
    .unwrap();
    disk.store.deliver("u", &b"x"[..]).unwrap();
    assert_eq!(noted(&disk), "1000S\n30 3\n-11 -2\n5 1\n");
    // and the store never makes it
    fs::remove_file(disk.path().join("maildirsize")).unwrap();
    disk.store.deliver("u", &b"x"[..]).unwrap();
    assert_eq!(disk.files("."), ["pop3-gateway.sizes", "precious"]);
}

/// Quotas read the size of a mail from its name, which is not that of a packed file.
#[test]
fn w062_a_quota_counts_a_packed_mail_as_what_it_holds() {
    let disk = Disk::maildir();
    disk.put("maildirsize", "1000S\n30 3\n");
    disk.put("cur/1.a,S=700:2,S", "packed");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    mailbox.remove(&[Index(0)]).unwrap();
    let noted = fs::read_to_string(disk.path().join("maildirsize")).unwrap();
    assert_eq!(noted, "1000S\n30 3\n-700 -1\n");
}

#[test]
fn what_is_delivered_is_listed_and_removed() {
    let each = |config: &mut maildir_backend::Config| {
        config.users = maildir_backend::Users::Each {
            subfolder: Some("Maildir".into()),
        };
    };
    for change in [&at_once as &dyn Fn(&mut _), &|_| {}, &each] {
        let disk = Disk::with(change);
        let store = &disk.store;
        let mails = [
            "Subject: a\n\nx\n",
            "Subject: b\r\n\r\n.\r",
            "",
            "no end",
            "\r\r\n\n",
        ];
        let ids: Vec<String> = mails
            .iter()
            .map(|mail| store.deliver("u", mail.as_bytes()).unwrap())
            .collect();
        let listed = store.list("u").unwrap();
        assert_eq!(
            listed.iter().map(|l| &l.unique_id).collect::<Vec<_>>(),
            ids.iter().collect::<Vec<_>>()
        );
        for (listed, mail) in listed.iter().zip(mails) {
            assert_eq!(fs::read_to_string(&listed.path).unwrap(), mail);
            assert_eq!(listed.size, message_size(mail.as_bytes()).unwrap());
            assert!(listed.changed.elapsed().unwrap() < Duration::from_secs(60));
            let mode = fs::metadata(&listed.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let mut mailbox = store.open(&login("u")).unwrap();
        assert_eq!(mailbox.list().unwrap().len(), mails.len());
        store.remove("u", &ids[1]).unwrap();
        assert_eq!(store.remove("u", &ids[1]), Err(StoreError::Missing));
        assert_eq!(store.remove("u", "../x"), Err(StoreError::Missing));
        assert_eq!(store.list("u").unwrap().len(), mails.len() - 1);
        assert_eq!(read(&mut mailbox, 1), Err(StoreError::Missing));
        assert_eq!(read(&mut mailbox, 2).unwrap(), b"");
    }
}

/// A delivery that fails leaves nothing, and half of one is never seen.
#[test]
fn a_delivery_is_whole_or_not_at_all() {
    struct Breaks<'a>(&'a Disk, usize);
    impl Read for Breaks<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            assert_eq!(self.0.list(), []);
            self.1 += 1;
            if self.1 == 4 {
                return Err(io::Error::other("the line is dead"));
            }
            buf.fill(b'x');
            Ok(buf.len())
        }
    }
    for disk in [Disk::maildir(), Disk::directory()] {
        let error = disk.store.deliver("u", Breaks(&disk, 0)).unwrap_err();
        assert!(error.to_string().contains("the line is dead"));
        assert_eq!(disk.ids(), [""; 0]);
        let tmp = disk.path().join("tmp");
        assert!(!tmp.is_dir() || disk.files("tmp").is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// What the name of a delivery says of its size is true for everybody.
    #[test]
    fn p063_delivered_sizes_are_true(
        parts in proptest::collection::vec(
            proptest::sample::select(vec!["\r", "\n", "\r\n", "a", "."]), 0..20),
        times in proptest::sample::select(vec![1usize, 10_000]),
    ) {
        let mail = parts.concat().repeat(times).into_bytes();
        let disk = Disk::maildir();
        disk.store.deliver("u", &mail[..]).unwrap();
        prop_assert_eq!(disk.list()[0].size, message_size(&mail[..]).unwrap());
        let name = &disk.files("new")[0];
        let size = format!(",S={}", mail.len());
        prop_assert!(name.contains(&size), "{}", name);
        if let Some((_, octets)) = name.split_once(",W=") {
            let text = String::from_utf8(mail).unwrap();
            let bare = text.replace("\r\n", "").matches('\n').count();
            prop_assert_eq!(octets.parse::<usize>().unwrap(), text.len() + bare);
        }
    }
}
