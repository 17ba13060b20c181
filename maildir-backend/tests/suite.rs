//! The suite that every store has to pass, for each way in which files can lie.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Disk, filled};
use maildir_backend::{Layout, Users};
use testkit::stores;

#[test]
fn one_maildir() {
    // a single folder belongs to the one account that can log in
    let make = |mails: &[_]| filled(Disk::maildir(), mails);
    stores::lists(&make);
    stores::deletes(&make);
    stores::changes_nothing_without_quit(&make);
    stores::is_read_only_on_request(&make);
    stores::misses_what_vanished(&make);
    stores::random_sessions(&make);
}

#[test]
fn a_maildir_for_each() {
    stores::all(&|mails| {
        let disk = Disk::with(|config| {
            config.users = Users::Each {
                subfolder: Some("mail/Maildir".into()),
            };
        });
        filled(disk, mails)
    });
}

#[test]
fn a_directory_for_each() {
    stores::all(&|mails| {
        let disk = Disk::with(|config| {
            config.layout = Layout::Directory;
            config.settle = Duration::ZERO;
            config.suffixes = vec![".txt".into()];
            config.texts.clear();
            config.users = Users::Each { subfolder: None };
        });
        filled(disk, mails)
    });
}
