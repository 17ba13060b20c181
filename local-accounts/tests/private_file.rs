//! Files with secrets: for their owner alone, whole or not there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use local_accounts::private_file::{create, replace};

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_is_made_once_and_replaced_with_nothing_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    create(&file, b"one").unwrap();
    assert_eq!(mode(&file), 0o600);
    let again = create(&file, b"two").unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&file).unwrap(), b"one");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    replace(&file, b"three").unwrap();
    assert_eq!(
        (fs::read(&file).unwrap(), mode(&file)),
        (b"three".into(), 0o600)
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn where_a_file_cannot_be_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("by a folder")).unwrap();
    assert!(replace(&taken, b"secret").is_err());
    assert!(create(&taken, b"secret").is_err());
    assert!(create(&folder.path().join("no/such/folder"), b"secret").is_err());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
