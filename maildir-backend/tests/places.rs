//! What lies where a store looks: pipes and links in the place of folders and files, whose a file is, and what it is
//! called by the time that it is wanted.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{Disk, login, make_maildir, read, read_only, store};
use maildir_backend::{Config, Deletion, Users};
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::StoreError;
use pop3_proto::backend::{Access, Index};

fn each(config: &mut Config) {
    config.users = Users::Each { subfolder: None };
}

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

fn set_modified(path: &Path, to: SystemTime) {
    fs::File::open(path).unwrap().set_modified(to).unwrap();
}

/// A pipe without a writer would be waited for.
#[test]
fn a_pipe_in_the_place_of_a_folder_holds_no_login_up() {
    let top = tempfile::tempdir().unwrap();
    let wrong = |store: &maildir_backend::MaildirStore| {
        let error = store.open(&login("u")).unwrap_err();
        assert!(error.to_string().contains("Not a directory"), "{error}");
    };
    pipe(&top.path().join("pipe"));
    wrong(&store(&top.path().join("pipe"), |_| {}));
    pipe(&top.path().join("u"));
    wrong(&store(top.path(), each));
}

#[test]
fn a_quota_is_noted_in_a_file_of_the_folder_and_nowhere_else() {
    let disk = Disk::maildir();
    let quota = disk.path().join("maildirsize");
    disk.put("precious", "1000S\n");
    symlink("precious", &quota).unwrap();
    disk.store.deliver("u", &b"x"[..]).unwrap();
    assert_eq!(fs::read(disk.path().join("precious")).unwrap(), b"1000S\n");
    fs::remove_file(&quota).unwrap();
    pipe(&quota);
    disk.store.deliver("u", &b"x"[..]).unwrap();
}

#[test]
fn a_link_that_is_not_followed_is_named() {
    let top = tempfile::tempdir().unwrap();
    make_maildir(&top.path().join("real"));
    symlink("real", top.path().join("u")).unwrap();
    let store = store(top.path(), each);
    let refused = || store.open(&login("u")).unwrap_err().to_string();
    let advice = "symbolic links are not followed here";
    assert!(refused().contains(advice), "{}", refused());
    // a part of a Maildir that is one is not taken for a part that is missing
    fs::remove_file(top.path().join("u")).unwrap();
    fs::create_dir_all(top.path().join("u/new")).unwrap();
    symlink("../real/cur", top.path().join("u/cur")).unwrap();
    assert!(refused().contains("u/cur"), "{}", refused());
}

/// Root serves folders of others: what it makes there is theirs.
#[test]
fn what_is_made_in_a_folder_belongs_to_its_owner() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("u");
    make_maildir(&folder);
    let us = fs::metadata(&folder).unwrap().uid();
    let places = ["", "new", "cur", "tmp"].map(|part| folder.join(part));
    // only root can give something away
    let given = places.map(|place| chown(place, Some(us + 4711), None).is_ok());
    let owner = us + if given[0] { 4711 } else { 0 };
    let store = store(top.path(), |config| {
        each(config);
        config.deletion = Deletion::Move(".Trash".into());
    });
    for mail in ["one", "two"] {
        store.deliver("u", mail.as_bytes()).unwrap();
    }
    fs::write(folder.join("new/3.a"), "of unknown size\n").unwrap();
    let mut mailbox = store.open(&login("u")).unwrap();
    mailbox.list().unwrap();
    mailbox.update(&[Index(1)], &[]).unwrap();
    let left = store.list("u").unwrap();
    let made = [
        ".Trash",
        ".Trash/cur",
        ".Trash/maildirfolder",
        "pop3-gateway.sizes",
    ];
    for path in made
        .map(|name| folder.join(name))
        .iter()
        .chain([&left[1].path])
    {
        assert_eq!(
            fs::metadata(path).unwrap().uid(),
            owner,
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_file_of_a_plain_directory_lies_where_it_is_said_to_lie() {
    let disk = Disk::directory();
    disk.put("a.eml", "x");
    let path = &disk.store.list("u").unwrap()[0].path;
    assert_eq!(path.as_os_str(), disk.path().join("a.eml").as_os_str());
}

/// A program that moves by linking was killed in between.
#[test]
fn a_message_with_two_names_is_one() {
    let disk = Disk::maildir();
    disk.put("new/1.a", "x\n");
    fs::hard_link(disk.path().join("new/1.a"), disk.path().join("cur/1.a:2,S")).unwrap();
    let mut mailbox = disk.open();
    assert_eq!(mailbox.list().unwrap().len(), 1);
    mailbox.update(&[Index(0)], &[]).unwrap();
    assert_eq!((disk.files("new").len(), disk.files("cur").len()), (0, 0));
}

/// Faster than the clock of the file system, and where the folder looks old.
#[test]
fn a_message_is_found_however_often_it_is_renamed() {
    let disk = Disk::maildir();
    disk.put("cur/1.a:2,", "x");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    let at = |flags| disk.path().join("cur").join(format!("1.a:2,{flags}"));
    let mut before = at("");
    for n in 0..300 {
        let now = at(["F", "R", "S"][n % 3]);
        fs::rename(&before, &now).unwrap();
        if n % 100 == 99 {
            let then = SystemTime::now() - Duration::from_secs(60);
            for part in ["new", "cur"] {
                set_modified(&disk.path().join(part), then);
            }
        }
        assert_eq!(read(&mut mailbox, 0).unwrap(), b"x", "{n}");
        before = now;
    }
}

#[test]
fn what_cannot_be_marked_is_named_unless_it_is_gone() {
    let disk = Disk::with(|config| config.mark_seen = true);
    disk.put("new/1.a", "x");
    disk.put("new/2.a", "x");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    fs::remove_file(disk.path().join("new/1.a")).unwrap();
    assert_eq!(mailbox.update(&[], &[Index(0)]), Ok(()));
    disk.put("cur/2.a:2,S", "another's");
    let error = mailbox.update(&[], &[Index(1)]).unwrap_err();
    assert!(error.to_string().contains("cur/2.a:2,S"), "{error}");
}

#[test]
fn a_folder_for_deleted_messages_is_made_for_deleted_messages() {
    let disk = Disk::with(|config| config.deletion = Deletion::Move(".Trash".into()));
    disk.put("new/1.a", "x");
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    mailbox.update(&[], &[Index(0)]).unwrap();
    assert!(!disk.path().join(".Trash").exists());
}

/// By the Maildir++ rules nothing in the trash counts, and all other folders do.
#[test]
fn what_is_moved_counts_for_the_quota_unless_it_goes_to_the_trash() {
    for (folder, expected) in [(".Trash", "1000S\n-5 -1\n"), (".Gone", "1000S\n")] {
        let disk = Disk::with(|config| config.deletion = Deletion::Move(folder.into()));
        disk.put("maildirsize", "1000S\n");
        disk.put("new/1.a", "12345");
        let mut mailbox = disk.open();
        mailbox.list().unwrap();
        mailbox.update(&[Index(0)], &[]).unwrap();
        let noted = fs::read_to_string(disk.path().join("maildirsize")).unwrap();
        assert_eq!(noted, expected, "{folder}");
    }
}

/// What is remembered of one folder is not believed of another that looks like it.
#[test]
fn the_sizes_of_two_folders_are_told_apart() {
    let top = tempfile::tempdir().unwrap();
    let store = store(top.path(), each);
    let then = SystemTime::now() - Duration::from_secs(60);
    for (user, mail, size) in [("ann", "x\n", 3), ("tom", "\r\n", 2)] {
        make_maildir(&top.path().join(user));
        let path = top.path().join(user).join("new/1.a");
        fs::write(&path, mail).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(then)
            .unwrap();
        // a reader's counts are kept in memory
        let mut mailbox = store.open(&read_only(user)).unwrap();
        assert_eq!(mailbox.access(), Access::ReadOnly);
        assert_eq!(mailbox.list().unwrap()[0].size, size, "{user}");
    }
}

/// Nothing has to be counted later, however the message came.
#[test]
fn a_delivery_has_its_sizes_in_its_name() {
    struct Interrupted<'a>(&'a [u8], bool);
    impl Read for Interrupted<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(buf)
        }
    }
    let disk = Disk::maildir();
    for (mail, sizes) in [("a\n\n", ",S=3,W=5"), ("a\r\n", ",S=3,W=3")] {
        let message = Interrupted(mail.as_bytes(), false);
        let id = disk.store.deliver("u", message).unwrap();
        assert!(id.ends_with(sizes), "{id}");
    }
}

/// A folder that is there twice, in capitals and small letters, does not get a third.
#[test]
fn a_delivery_makes_no_folder_beside_those_that_differ_in_case() {
    let top = tempfile::tempdir().unwrap();
    for name in ["Tim", "TIM"] {
        make_maildir(&top.path().join(name));
    }
    let delivered = store(top.path(), each).deliver("tim", &b"x"[..]);
    assert!(matches!(
        delivered,
        Err(StoreError::Permanent(_) | StoreError::Temporary(_))
    ));
    assert!(!top.path().join("tim").exists());
}
