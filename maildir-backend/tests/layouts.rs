//! Where the folders of accounts are: by template, and whatever capitals they are written in.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use common::{login, make_maildir};
use maildir_backend::{Config, MaildirStore, Missing, Template, Users};
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Caller, Login};

/// Every account is there, whatever its name.
struct All;

impl Accounts for All {
    fn check(&self, login: &Login, _: &Caller) -> Result<String, StoreError> {
        Ok(login.user().unwrap_or_default().to_owned())
    }
}

fn store(root: &Path, users: Users) -> MaildirStore {
    let mut config = Config::new(root);
    config.users = users;
    MaildirStore::new(config, Arc::new(All)).unwrap()
}

fn template(text: &str) -> Users {
    Users::Template(Template::parse(text).unwrap())
}

/// A Maildir with one message, whose unique-id says whose it is.
fn fill(root: &Path, folder: &str, id: &str) {
    make_maildir(&root.join(folder));
    fs::write(root.join(folder).join("new").join(id), "x\n").unwrap();
}

fn ids(store: &MaildirStore, user: &str) -> Result<Vec<String>, StoreError> {
    let entries = store.open(&login(user))?.list()?;
    Ok(entries.into_iter().map(|entry| entry.unique_id).collect())
}

#[test]
fn w062_a_template_leads_to_the_folder_of_each_account() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), "example.org/tim/Maildir", "tim.org");
    fill(root.path(), "example.net/tim/Maildir", "tim.net");
    let store = store(root.path(), template("{domain}/{local}/Maildir"));
    store.check_root().unwrap();
    let shown = Template::parse("{domain}/{local}").unwrap().to_string();
    assert_eq!(shown, "{domain}/{local}");
    assert_eq!(ids(&store, "tim@example.org").unwrap(), ["tim.org"]);
    assert_eq!(ids(&store, "tim@example.net").unwrap(), ["tim.net"]);
    for stranger in [
        "tim",
        "tom@example.org",
        "tim@..",
        "..@example.org",
        "../example.org/tim@example.net",
        "@example.org",
        "tim@",
        "tim@example.org/tim",
        "tim\0@example.org",
        "{local}@{domain}",
        ".@.",
    ] {
        let found = ids(&store, stranger);
        assert!(
            matches!(found, Err(StoreError::Permanent(_))),
            "{stranger}: {found:?}"
        );
    }
    // a new account's folder is made where it belongs
    store.make("tom@example.com").unwrap();
    assert!(root.path().join("example.com/tom/Maildir/new").is_dir());
    assert_eq!(ids(&store, "tom@example.com").unwrap(), [""; 0]);
}

/// Accounts are the same in capitals and small letters, and so are their folders.
#[test]
fn w062_names_with_capitals_find_the_folder_that_is_there() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), "Example.ORG/Tim/Maildir", "tim");
    fill(root.path(), "Jörg/Maildir", "jörg");
    let by_domain = store(root.path(), template("{domain}/{local}/Maildir"));
    for user in ["tim@example.org", "Tim@Example.ORG", "TIM@EXAMPLE.org"] {
        assert_eq!(ids(&by_domain, user).unwrap(), ["tim"], "{user}");
        by_domain.make(user).unwrap();
    }
    let each = store(
        root.path(),
        Users::Each {
            subfolder: Some("Maildir".into()),
        },
    );
    for user in ["jörg", "JÖRG", "Jörg"] {
        assert_eq!(ids(&each, user).unwrap(), ["j%C3%B6rg"], "{user}");
    }
    // nothing was made beside them, and text of the administrator's is as he wrote it
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    assert!(
        ids(
            &store(root.path(), template("example.org/{user}/maildir")),
            "tim"
        )
        .is_err()
    );
    // the very name goes first
    fill(root.path(), "jörg/Maildir", "other");
    assert_eq!(ids(&each, "jörg").unwrap(), ["other"]);
    // and where two could be meant neither is chosen
    let error = ids(&each, "JÖRG").unwrap_err();
    assert!(
        matches!(&error, StoreError::Permanent(text) if text.contains("capitals alone")),
        "{error}"
    );
    assert!(each.make("JÖRG").is_err());
}

/// A link is none of the account's folders, in whatever capitals.
#[test]
fn w062_capitals_lead_through_no_link() {
    let top = tempfile::tempdir().unwrap();
    fill(top.path(), "secret", "secret");
    fs::create_dir(top.path().join("root")).unwrap();
    symlink("../secret", top.path().join("root/Tim")).unwrap();
    let mut config = Config::new(top.path().join("root"));
    config.users = template("{user}");
    config.missing = Missing::Empty;
    let store = MaildirStore::new(config, Arc::new(All)).unwrap();
    for user in ["tim", "Tim"] {
        assert!(ids(&store, user).is_err(), "{user}");
        assert!(store.make(user).is_err());
    }
    assert_eq!(ids(&store, "tom").unwrap(), [""; 0]);
}
