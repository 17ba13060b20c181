//! The passwd-file: read, changed by tools, and followed by a running server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use local_accounts::{FileAccounts, PasswdError, PasswdFile, Verifier, VerifierConfig};
use pop3_proto::backend::store::{Accounts as _, StoreError};
use pop3_proto::backend::{Caller, Login};
use pop3_proto::secret::Secret;
use proptest::prelude::*;

/// bcrypt at its cheapest, of "password".
const CHEAP: &str = "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu";

const FILE: &str = "\
# people
Tim:{PLAIN}tanstaaf

tom:{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu:1000:1000::/home/tom::userdb_mail=maildir:~/Mail
tim-phone:{PLAIN}another::::::user=Tim
gone:!
";

fn parse(text: &str) -> Result<PasswdFile, PasswdError> {
    PasswdFile::parse(Path::new("users"), text.as_bytes())
}

fn verifier() -> Arc<Verifier> {
    Arc::new(Verifier::new(VerifierConfig::default()).unwrap())
}

fn login(user: &str, password: &str) -> Login {
    Login::Password {
        user: user.into(),
        password: Secret::from(password.as_bytes()),
    }
}

#[test]
fn a_file_of_dovecots_is_read_and_written_as_it_is() {
    let file = parse(FILE).unwrap();
    let names: Vec<_> = file.entries().map(|e| (e.name(), e.maildrop())).collect();
    let expected = [
        ("Tim", "Tim"),
        ("tom", "tom"),
        ("tim-phone", "Tim"),
        ("gone", "gone"),
    ];
    assert_eq!(names, expected);
    assert_eq!(file.to_string(), FILE);
    assert!(!format!("{file:?}").contains("tanstaaf"));
    for text in ["", "\n", "# x\n", "\n\na:*\n"] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn tools_change_their_line_and_no_other() {
    let mut file = parse(FILE).unwrap();
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
    assert_eq!(file.to_string(), expected);
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
fn what_is_wrong_is_named_with_its_place() {
    let error = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(
        error("a:*\ntim\n"),
        "users:2:4: no credential; an account is written as name:credential"
    );
    assert_eq!(
        error("tim:*\n# x\nTIM:*\n"),
        "users:3:1: the account \"TIM\" is on line 1 already; names are compared without case"
    );
    assert_eq!(
        error("tim:$2b$12$abc\n"),
        "users:1:5: a malformed bcrypt hash: cut off, or with characters that do not belong there"
    );
    assert_eq!(
        error("tim:*::::::allow_nets=10.0.0.0/8\n"),
        "users:1:6: the extra field \"allow_nets\" is not supported; remove it"
    );
    assert_eq!(
        error(":*\n"),
        "users:1:1: not a name for an account: it is empty"
    );
    let octets = PasswdFile::parse(Path::new("users"), b"tim:*\n\xff:*\n").unwrap_err();
    assert_eq!(octets.to_string(), "users:2:1: not UTF-8");
    // whatever stands there, a secret is not repeated
    assert!(!error("tim:hush hush\n").contains("hush"));
}

#[test]
fn names_have_no_case_and_aliases_open_the_same_maildrop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, FILE).unwrap();
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    let check = |user, password| accounts.check(&login(user, password), &Caller::default());
    assert_eq!(check("tIM", "tanstaaf"), Ok("Tim".into()));
    assert_eq!(check("tim-phone", "another"), Ok("Tim".into()));
    assert_eq!(check("tom", "password"), Ok("tom".into()));
    let refused = Err(StoreError::Credentials);
    assert_eq!(check("tim-phone", "tanstaaf"), refused);
    assert_eq!(check("tim", "another"), refused);
    assert_eq!(check("gone", "!"), refused);
    assert_eq!(check("", ""), refused);
}

#[test]
fn a_changed_file_counts_at_once_and_a_broken_one_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    PasswdFile::edit(&path, |file| file.add("tim", "{PLAIN}one")).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    let problems = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&problems);
    let accounts = FileAccounts::open(&path, verifier())
        .unwrap()
        .on_problem(move |_| _ = told.fetch_add(1, Ordering::Relaxed));
    assert!(!accounts.is_exposed());
    let check = |user, password| {
        accounts
            .check(&login(user, password), &Caller::default())
            .is_ok()
    };
    assert!(check("tim", "one") && !check("tom", "two"));
    PasswdFile::edit(&path, |file| file.add("tom", "{PLAIN}two")).unwrap();
    assert!(check("tom", "two"));
    PasswdFile::edit(&path, |file| file.set_credential("tim", "{PLAIN}three")).unwrap();
    assert!(check("tim", "three") && !check("tim", "one"));
    fs::write(&path, "tim").unwrap();
    assert!(check("tim", "three") && check("tom", "two"), "as it was");
    assert_eq!(problems.load(Ordering::Relaxed), 1);
    fs::remove_file(&path).unwrap();
    assert!(check("tim", "three") && check("tom", "two"), "as it was");
    assert_eq!(problems.load(Ordering::Relaxed), 2);
    fs::write(&path, "tom:{PLAIN}two\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!check("tim", "three") && check("tom", "two"));
    assert!(accounts.is_exposed());
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

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "([a-c]{0,2}:(\\*|\\{PLAIN\\}[a-z]{0,3}|[$:0-9]{0,8})(:[a-z=]{0,4}){0,8}\n|#[a-z]{0,3}\r?\n|\\PC{0,10}){0,6}") {
        if let Ok(file) = parse(&text) {
            // what was read is written so that the same is read again
            let written = file.to_string();
            let again = parse(&written).unwrap();
            let names = |file: &PasswdFile| file.entries().map(|e| (e.name().to_owned(), e.maildrop().to_owned())).collect::<Vec<_>>();
            prop_assert_eq!(names(&file), names(&again));
            prop_assert_eq!(again.to_string(), written);
        }
    }

    #[test]
    fn octets_do_no_harm(octets: Vec<u8>) {
        let _ = PasswdFile::parse(Path::new("users"), &octets);
    }
}
