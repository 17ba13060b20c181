//! Where a file is found: in the folder of the process, and wherever a path leads from there.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;

use local_accounts::PasswdFile;

use crate::CHEAP;

const FOLDER: &str = "LOCAL_ACCOUNTS_TEST_FOLDER";

fn add(path: &Path, name: &str) {
    PasswdFile::edit(path, |file| file.add(name, CHEAP)).unwrap();
}

/// In a process of its own: the folder of a process is that of all its threads.
#[test]
#[ignore = "is started by the other test"]
fn child() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let here = folder.join("here");
    fs::create_dir(&here).unwrap();
    env::set_current_dir(&here).unwrap();
    add(Path::new("users"), "tim");
    assert_eq!(fs::read_dir(&here).unwrap().count(), 1);
    // a folder that is gone is of no use, and none is needed
    fs::rename(here.join("users"), folder.join("users")).unwrap();
    fs::remove_dir(&here).unwrap();
    add(&folder.join("users"), "tom");
}

#[test]
fn a_path_leads_from_the_folder_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "elsewhere::child", "--ignored"])
        .env(FOLDER, folder.path())
        .status();
    assert!(status.unwrap().success());
    let file = PasswdFile::read(&folder.path().join("users")).unwrap();
    assert_eq!(file.entries().count(), 2);
}

/// Root changes the file of another user, who can read it after that.
#[test]
fn a_file_keeps_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    add(&path, "tim");
    let before = fs::metadata(&path).unwrap();
    // only root can give a file away
    let given = chown(&path, Some(before.uid() + 4711), None).is_ok();
    add(&path, "tom");
    let owner = fs::metadata(&path).unwrap().uid();
    assert_eq!(owner, before.uid() + if given { 4711 } else { 0 });
}
