//! What is read of a file, and what tools change in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use local_accounts::{PasswdError, PasswdFile};

use crate::{CHEAP, FILE, faults, parse};

fn written(file: &PasswdFile) -> String {
    String::from_utf8(file.octets()).unwrap()
}

#[test]
fn a_file_of_dovecots_is_read_and_written_as_it_is() {
    let file = parse(FILE);
    let names: Vec<_> = file.entries().map(|e| (e.name(), e.maildrop())).collect();
    let expected = [
        ("Tim", "Tim"),
        ("tom", "tom"),
        ("tim-phone", "Tim"),
        ("gone", "gone"),
    ];
    assert_eq!(names, expected);
    assert_eq!(written(&file), FILE);
    assert!(!format!("{file:?}").contains("tanstaaf"));
    for text in ["", "\n", "# x\n", "\n\na:*\n"] {
        assert_eq!(written(&parse(text)), text);
    }
}

#[test]
fn tools_change_their_line_and_no_other() {
    let mut file = parse(FILE);
    file.add("new", CHEAP).unwrap();
    file.set_credential("TOM", "{PLAIN}secret").unwrap();
    file.remove("tim").unwrap();
    let expected = format!(
        "\
# people

tom:{{PLAIN}}secret:1000:1000::/home/tom::userdb_mail=maildir:~/Mail
tim-phone:{{PLAIN}}another::::::user=Tim
gone:!
new:{CHEAP}
"
    );
    assert_eq!(written(&file), expected);
    assert!(matches!(
        file.add("NEW", CHEAP),
        Err(PasswdError::Exists(_))
    ));
    assert!(matches!(
        file.remove("nobody"),
        Err(PasswdError::Unknown(_))
    ));
    assert!(matches!(
        file.set_credential("nobody", CHEAP),
        Err(PasswdError::Unknown(_))
    ));
    assert!(matches!(
        file.add("x", "secret"),
        Err(PasswdError::BadCredential(_))
    ));
    assert!(matches!(
        file.add("x", "{PLAIN}a:b"),
        Err(PasswdError::BadCredential(_))
    ));
    for name in ["", "a:b", "a\nb", "#a", " a", "a ", &"a".repeat(256)] {
        assert!(
            matches!(file.add(name, CHEAP), Err(PasswdError::BadName(..))),
            "{name:?}"
        );
    }
}

#[test]
fn w060_what_is_wrong_is_named_with_its_place() {
    let fault = |text: &str| {
        let mut faults = faults(text.as_bytes());
        assert_eq!(faults.len(), 1, "{text:?} {faults:?}");
        faults.remove(0)
    };
    assert_eq!(
        fault("a:*\ntim\n"),
        "users:2:4: no credential; an account is written as name:credential"
    );
    assert_eq!(
        fault("tim:*\n# x\nTIM:*\n"),
        "users:3:1: the account \"TIM\" is on line 1 already, so that it is off; names are compared without \
         case; remove one of the lines"
    );
    assert_eq!(
        fault("tim:$2b$12$abc\n"),
        "users:1:5: a malformed bcrypt hash: cut off, or with characters that do not belong there"
    );
    assert_eq!(
        fault("tim:*::::::allowed_hours=9-17\n"),
        "users:1:6: the extra field \"allowed_hours\" is not supported, and may be meant to limit the account; \
         remove it"
    );
    assert_eq!(
        fault("tim:*::::::allow_nets=10.0.0.0/33\n"),
        "users:1:6: allow_nets: \"10.0.0.0/33\" is not a network; write for example 192.0.2.0/24 or \
         2001:db8::/32"
    );
    assert_eq!(
        fault(":*\n"),
        "users:1:1: not a name for an account: it is empty"
    );
    assert_eq!(faults(b"tim:*\n\xff:*\n"), ["users:2:1: not UTF-8"]);
    let long = format!("tim:{{PLAIN}}{}\n", "x".repeat(70_000));
    assert_eq!(fault(&long), "users:1:1: the line is longer than 64 KiB");
    // whatever stands there, a secret is not repeated
    assert!(!fault("tim:hush hush\n").contains("hush"));
}

/// Tools mend what they can, and leave every other line as it is.
#[test]
fn w060_tools_work_beside_lines_that_are_wrong() {
    let mut file = PasswdFile::parse(
        Path::new("users"),
        b"\xff:x\nold:{LANMAN}x::::::user=tim\ntim:*\nTim:*\nhalf",
    );
    file.add("new", CHEAP).unwrap();
    assert!(matches!(
        file.add("old", CHEAP),
        Err(PasswdError::Exists(_))
    ));
    assert!(matches!(
        file.add("half", CHEAP),
        Err(PasswdError::Exists(_))
    ));
    file.set_credential("old", "{PLAIN}x").unwrap();
    file.set_credential("half", "{PLAIN}y").unwrap();
    assert!(matches!(
        file.set_credential("tim", CHEAP),
        Err(PasswdError::Malformed { .. })
    ));
    assert!(!file.entries().any(|entry| entry.name() == "tim"));
    file.remove("tim").unwrap();
    let expected = format!("old:{{PLAIN}}x::::::user=tim\nhalf:{{PLAIN}}y\nnew:{CHEAP}\n");
    assert_eq!(file.octets(), [b"\xff:x\n", expected.as_bytes()].concat());
}

#[test]
fn an_edit_that_fails_writes_nothing_and_the_mode_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, FILE).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    PasswdFile::edit(&path, |file| file.remove("nobody")).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    PasswdFile::edit(&path, |file| file.remove("gone")).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing left behind"
    );
}

#[test]
fn tools_at_once_do_not_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let path = path.clone();
            // the name of the new file has the process in it: in one process one after the other
            thread::spawn(move || {
                PasswdFile::edit(&path, |file| file.add(&format!("user{n}"), CHEAP)).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(PasswdFile::read(&path).unwrap().entries().count(), 8);
}

#[test]
fn a_link_leads_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("users"), folder.path().join("link"));
    fs::write(&path, FILE).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    PasswdFile::edit(&link, |file| file.remove("gone")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(PasswdFile::read(&path).unwrap().entries().count(), 3);
}

#[test]
fn a_file_that_was_written_is_read_as_it_is() {
    for text in [
        "a:{PLAIN}b\r\r\n# c\r\r\r\n\r\r",
        "a:{PLAIN}b\r\n",
        "a:$5$r\r\r",
    ] {
        let file = parse(text);
        let written = file.octets();
        let again = PasswdFile::parse(Path::new("users"), &written);
        assert_eq!(again.octets(), written, "{text:?}");
    }
    assert_eq!(parse("a:{PLAIN}b\r\r\n").octets(), b"a:{PLAIN}b\n");
}
