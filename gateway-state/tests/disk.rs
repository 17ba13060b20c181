//! Disks that are full or read-only, seen by another process: the limits are a process's own.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{BINDING, NOW, make, names, open, tokens};
use gateway_state::{GrantId, Keys};
use smol::block_on;

const CHILD: &str = "STATE_TEST_CHILD";
const KEYS: &str = "STATE_TEST_KEYS";

/// In another process: opens the state and says what it hears.
#[test]
#[ignore = "is started by other tests"]
fn child() {
    let (Ok(path), Ok(keys)) = (std::env::var(CHILD), std::env::var(KEYS)) else {
        return;
    };
    let keys = Keys::parse(keys.as_bytes()).unwrap();
    block_on(async {
        let state = match open(Path::new(&path), &keys).await {
            Ok(state) => state,
            Err(error) => return println!("<{error}>"),
        };
        for n in 0..2000 {
            let id = GrantId::new("child", n.to_string());
            if let Err(error) = state
                .put_grant(&id, BINDING, &tokens(&"x".repeat(1000)), NOW)
                .await
            {
                println!("<{error}>");
                assert!(error.is_temporary());
                // what was there can still be read, and the next one is not hindered by this
                assert!(state.grant(&common::id(), BINDING).await.unwrap().is_some());
                return;
            }
        }
        println!("<no error>");
    });
}

/// What the child says, started by these words.
fn child_says(words: &[&str], path: &Path, keys: &Keys) -> String {
    let mut command = Command::new(words[0]);
    let output = command
        .args(&words[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CHILD, path)
        .env(
            KEYS,
            String::from_utf8(keys.to_text().expose().to_vec()).unwrap(),
        )
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text
        .split_once('<')
        .and_then(|(_, said)| said.rsplit_once('>'));
    let said = said.unwrap_or_else(|| panic!("{text}")).0.to_owned();
    assert!(output.status.success(), "{text}");
    said
}

#[test]
fn a_full_disk_loses_nothing() {
    let (_folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    // a limit for the length of files, which a disk without room is like
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"];
    let said = child_says(&limited, &path, &keys);
    assert!(said.contains("no room") || said.contains("full"), "{said}");
    block_on(async {
        let state = open(&path, &keys).await.unwrap();
        let grants = state.grants().await.unwrap();
        assert!(grants.len() > 1);
        for grant in grants {
            assert!(state.grant(&grant.id, BINDING).await.unwrap().is_some());
        }
        state.close().await;
    });
}

#[test]
fn a_read_only_disk_is_named() {
    let (folder, path) = common::file();
    let keys = Keys::generate().unwrap();
    make(&path, &keys);
    let content = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // the rights are nothing to root
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let other = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
    ];
    let said = child_says(if root { &other } else { &["env"] }, &path, &keys);
    assert!(
        said.contains("read-only") || said.contains("rights"),
        "{said}"
    );
    let none = folder.path().join("none.db");
    let said = child_says(if root { &other } else { &["env"] }, &none, &keys);
    assert!(
        said.contains("cannot be made") || said.contains("rights"),
        "{said}"
    );
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(names(folder.path()), ["state.db"]);
    assert_eq!(fs::read(&path).unwrap(), content);
}
