//! Names that want to lead elsewhere, links, pipes, and rights that are wanting.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use common::{Disk, login, make_maildir, read, store};
use maildir_backend::{Config, ConfigError, Deletion, Layout, MaildirStore, Missing, Users};
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Caller, Index, Login};
use proptest::prelude::*;

/// Every account is there, whatever its name.
struct All;

impl Accounts for All {
    fn check(&self, login: &Login, _: &Caller) -> Result<String, StoreError> {
        Ok(login.user().unwrap_or_default().to_owned())
    }
}

/// A root with the folder `tim`, and somebody's mail beside the root.
fn tree() -> (tempfile::TempDir, MaildirStore) {
    let top = tempfile::tempdir().unwrap();
    let path = top.path();
    for folder in ["secret", "root/tim", "root/secret.d/inner"] {
        make_maildir(&path.join(folder));
    }
    fs::write(path.join("secret/new/1.a"), "secret").unwrap();
    fs::write(path.join("root/tim/new/1.a"), "of tim").unwrap();
    symlink("../secret", path.join("root/link")).unwrap();
    symlink("..", path.join("root/up")).unwrap();
    symlink("/", path.join("root/top")).unwrap();
    fs::create_dir(path.join("root/halfway")).unwrap();
    for place in ["new", "cur"] {
        let to = format!("../../secret/{place}");
        symlink(to, path.join("root/halfway").join(place)).unwrap();
    }
    let mut config = Config::new(path.join("root"));
    config.users = Users::Each { subfolder: None };
    config.missing = Missing::Empty;
    let store = MaildirStore::new(config, Arc::new(All)).unwrap();
    (top, store)
}

fn looks(store: &MaildirStore, user: &str) -> Result<usize, StoreError> {
    let mut mailbox = store.open(&login(user))?;
    let messages = mailbox.list()?.len();
    for index in 0..messages as u32 {
        assert_eq!(read(&mut mailbox, index)?, b"of tim");
    }
    Ok(messages)
}

#[test]
fn no_name_leads_out_of_the_root() {
    let (top, store) = tree();
    assert_eq!(looks(&store, "tim"), Ok(1));
    store.check_user("tim").unwrap();
    for name in ["", "..", "tim/x", "tim\0", &"x".repeat(256)] {
        assert!(store.check_user(name).is_err(), "{name:?}");
    }
    for name in [
        "",
        ".",
        "..",
        "../secret",
        "../root/tim",
        "tim/../../secret",
        "/",
        "/etc",
        "tim/",
        "./tim",
        "link",
        "up/secret",
        "up",
        "top",
        "halfway",
        "secret.d/inner",
        "tim\0",
        "\0",
        "tim\n",
        ".hidden",
        "tim/.",
        "..\\secret",
        "%2e%2e",
        "~",
        "~root",
        "$HOME",
        "\u{2024}\u{2024}",
        &"x".repeat(256),
        &"../".repeat(100),
    ] {
        let seen = looks(&store, name);
        assert!(
            matches!(seen, Err(StoreError::Permanent(_)) | Ok(0)),
            "{name:?}: {seen:?}"
        );
        let told = store.deliver(name, &b"x"[..]);
        let stayed = fs::read_dir(top.path()).unwrap().count() == 2;
        assert!(
            stayed && told.is_err() == store.list(name).is_err(),
            "{name:?}: {told:?}"
        );
        assert!(store.remove(name, "1.a").is_err());
    }
    assert_eq!(
        fs::read(top.path().join("secret/new/1.a")).unwrap(),
        b"secret"
    );
    assert_eq!(
        fs::read_dir(top.path().join("secret/new")).unwrap().count(),
        1
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn no_odd_name_leads_out_of_the_root(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "..", ".", "/", "tim", "secret", "link", "up", "top", "halfway", "root", "\0", "\n", "a", "%",
                "\\", "~", "*", "ü", " ", ":2,S", "new", "cur", "-",
            ]),
            0..6,
        ),
        any in any::<String>(),
    ) {
        let (top, store) = tree();
        for name in [parts.concat(), any] {
            if let Ok(messages) = looks(&store, &name) {
                prop_assert!(messages == 0 || name == "tim");
            }
            let delivered = store.deliver(&name, &b"of tim"[..]);
            prop_assert_eq!(fs::read_dir(top.path()).unwrap().count(), 2);
            prop_assert_eq!(fs::read_dir(top.path().join("secret/new")).unwrap().count(), 1);
            if delivered.is_ok() {
                prop_assert!(top.path().join("root").join(&name).join("new").is_dir());
                prop_assert!(looks(&store, &name).unwrap() >= 1);
            }
        }
    }
}

#[test]
fn links_of_folders_are_followed_where_the_administrator_says_so() {
    let (top, _) = tree();
    let mut config = Config::new(top.path().join("root"));
    config.users = Users::Each { subfolder: None };
    config.follow_links = true;
    let store = MaildirStore::new(config, Arc::new(All)).unwrap();
    for user in ["link", "halfway"] {
        let mut mailbox = store.open(&login(user)).unwrap();
        assert_eq!(mailbox.list().unwrap().len(), 1);
        assert_eq!(read(&mut mailbox, 0).unwrap(), b"secret");
    }
    assert!(store.open(&login("../secret")).is_err());
    // the root itself may always be one
    symlink("root", top.path().join("alias")).unwrap();
    let store = store_at(&top.path().join("alias"));
    assert_eq!(looks(&store, "tim"), Ok(1));
}

fn store_at(root: &Path) -> MaildirStore {
    let mut config = Config::new(root);
    config.users = Users::Each { subfolder: None };
    MaildirStore::new(config, Arc::new(All)).unwrap()
}

#[test]
fn only_regular_files_are_messages() {
    for disk in [Disk::maildir(), Disk::directory()] {
        let new = if disk.path().join("new").is_dir() {
            "new/"
        } else {
            ""
        };
        disk.put(&format!("{new}1.mail"), "x");
        symlink("/etc/passwd", disk.path().join(format!("{new}2.link"))).unwrap();
        fs::create_dir(disk.path().join(format!("{new}3.folder"))).unwrap();
        let pipe = disk.path().join(format!("{new}4.pipe"));
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        let mut mailbox = disk.open();
        assert_eq!(mailbox.list().unwrap().len(), 1);
        // and none that becomes something else
        let path = disk.path().join(format!("{new}1.mail"));
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert_eq!(read(&mut mailbox, 0), Err(StoreError::Missing));
        fs::remove_file(&path).unwrap();
        fs::rename(&pipe, &path).unwrap();
        assert_eq!(read(&mut mailbox, 0), Err(StoreError::Missing));
    }
}

/// Root may run the tests and reads everything, so rights are taken away by other means too.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn what_is_wrong_with_a_folder_is_named() {
    let top = tempfile::tempdir().unwrap();
    let named = |store: &MaildirStore, what: &str| {
        let error = looks(store, "tim").unwrap_err();
        let StoreError::Permanent(text) = &error else {
            panic!("{error:?}")
        };
        assert!(
            text.contains(what) && text.contains(top.path().to_str().unwrap()),
            "{text}"
        );
    };
    let store = store_at(&top.path().join("root"));
    named(&store, "No such file");
    assert!(store.check_root().is_err());
    fs::create_dir(top.path().join("root")).unwrap();
    store.check_root().unwrap();
    named(&store, "root/tim");
    fs::write(top.path().join("root/tim"), "").unwrap();
    named(&store, "Not a directory");
    fs::remove_file(top.path().join("root/tim")).unwrap();
    fs::create_dir(top.path().join("root/tim")).unwrap();
    named(&store, "no Maildir");
    fs::write(top.path().join("root/tim/cur"), "").unwrap();
    named(&store, "Not a directory");
    fs::remove_file(top.path().join("root/tim/cur")).unwrap();
    // no tool made `cur` yet
    fs::create_dir(top.path().join("root/tim/new")).unwrap();
    assert_eq!(looks(&store, "tim"), Ok(0));
    if !is_root() {
        let closed = top.path().join("root/tim/new");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        named(&store, "it needs rights for the user");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn one_message_that_cannot_be_read_leaves_the_others() {
    let disk = Disk::maildir();
    disk.put("new/1.a", "x\n");
    // as an IMAP server compresses it
    disk.put("new/2.a", b"\x1f\x8b\x08packed\n");
    disk.put("new/3.a", "y\n");
    if !is_root() {
        let path = disk.path().join("new/3.a");
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    let mut mailbox = disk.open();
    assert_eq!(mailbox.list().unwrap().len(), 3);
    assert_eq!(read(&mut mailbox, 0).unwrap(), b"x\n");
    let packed = read(&mut mailbox, 1).unwrap_err();
    assert!(packed.to_string().contains("gzip"), "{packed}");
    if !is_root() {
        let error = read(&mut mailbox, 2).unwrap_err();
        assert!(error.to_string().contains("new/3.a"), "{error}");
    }
}

#[test]
fn what_cannot_be_removed_is_reported_and_the_rest_goes() {
    let disk = Disk::with(|config| config.deletion = Deletion::Move(".Trash".into()));
    for n in 1..4 {
        disk.put(&format!("new/{n}.a"), "x\n");
    }
    let mut mailbox = disk.open();
    mailbox.list().unwrap();
    // the trash is no folder
    disk.put(".Trash", "");
    let error = mailbox.remove(&[Index(0), Index(2)]).unwrap_err();
    assert!(error.to_string().contains(".Trash"), "{error}");
    assert_eq!(disk.files("new").len(), 3);
    fs::remove_file(disk.path().join(".Trash")).unwrap();
    // a folder has taken the name of one of them, and stays
    fs::remove_file(disk.path().join("new/1.a")).unwrap();
    fs::create_dir(disk.path().join("new/1.a")).unwrap();
    mailbox.remove(&[Index(0), Index(2)]).unwrap();
    assert_eq!(disk.files("new"), ["2.a"]);
    assert!(disk.path().join("new/1.a").is_dir());
    if !is_root() {
        let new = disk.path().join("new");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o500)).unwrap();
        let error = mailbox.remove(&[Index(1)]).unwrap_err();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(
            matches!(&error, StoreError::Permanent(text) if text.contains("new/2.a")),
            "{error}"
        );
        assert_eq!(disk.files("new"), ["2.a"]);
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let check = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::new("/nowhere");
        change(&mut config);
        MaildirStore::new(config, Arc::new(All)).err()
    };
    assert_eq!(check(&|_| {}), None);
    for path in ["", "..", "/x", "a/../b", "."] {
        let subfolder = Some(path.into());
        let error = check(&|config| {
            config.users = Users::Each {
                subfolder: subfolder.clone(),
            }
        });
        assert_eq!(error, Some(ConfigError::Subfolder(path.into())), "{path}");
    }
    for name in ["", ".", "..", "cur", "a/b", "Trash", ".a\0"] {
        let error = check(&|config| config.deletion = Deletion::Move(name.into()));
        assert_eq!(error, Some(ConfigError::Trash(name.into())), "{name}");
    }
    let plain = check(&|config| {
        config.layout = Layout::Directory;
        config.deletion = Deletion::Move("Deleted".into());
    });
    assert_eq!(plain, None);
    let longest = format!(".{}", "t".repeat(254));
    for (name, is_fine) in [(longest.clone(), true), (longest + "t", false)] {
        let error = check(&|config| config.deletion = Deletion::Move(name.clone()));
        assert_eq!(error.is_none(), is_fine);
    }
    let longest = "s".repeat(64);
    for (suffix, is_fine) in [
        ("", false),
        ("/x", false),
        ("\0", false),
        (longest.as_str(), true),
        (&format!("{longest}s"), false),
    ] {
        let suffixes = vec![suffix.to_owned()];
        let error = check(&|config| config.suffixes = suffixes.clone());
        assert_eq!(error.is_none(), is_fine, "{suffix:?}");
        let error = check(&|config| config.texts = suffixes.clone());
        assert_eq!(error.is_none(), is_fine, "{suffix:?}");
    }
}

#[test]
fn a_missing_folder_is_an_error_or_empty() {
    let top = tempfile::tempdir().unwrap();
    let each = |config: &mut Config| config.users = Users::Each { subfolder: None };
    assert!(store(top.path(), each).open(&login("u")).is_err());
    let store = store(top.path(), |config| {
        each(config);
        config.missing = Missing::Empty;
        config.deletion = Deletion::Keep;
    });
    let mut mailbox = store.open(&login("u")).unwrap();
    assert!(mailbox.keeps_deleted());
    let removing = self::store(top.path(), |config| {
        each(config);
        config.missing = Missing::Empty;
    });
    assert!(!removing.open(&login("u")).unwrap().keeps_deleted());
    assert_eq!(mailbox.account(), Some("u"));
    assert_eq!(mailbox.list(), Ok(Vec::new()));
    assert_eq!(mailbox.update(&[], &[]), Ok(()));
    assert_eq!(store.list("u"), Ok(Vec::new()));
    assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
}
