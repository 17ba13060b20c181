//! A running server: it follows the file, and a line that is wrong costs its own account.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use local_accounts::{FileAccounts, PasswdFile};
use pop3_proto::backend::Caller;
use pop3_proto::backend::store::{Accounts as _, StoreError};
use proptest::prelude::*;

use crate::{CHEAP, FILE, faults, login, parse, verifier};

/// Each of these lines costs its own account, and no other.
#[test]
fn w060_a_line_that_is_wrong_costs_its_own_account() {
    let wrong: [&[u8]; 14] = [
        b"tim:{LANMAN}9186d855",
        b"tim:$2b$12$abc",
        b"tim:",
        b"tim",
        b"tim:{PLAIN}\0",
        b"tim:{PLAIN}a\xff",
        b"tim:\xff",
        b"tim:*::::::user=",
        b"tim:{PLAIN}right::::::hours=9-17",
        b"tim:{PLAIN}right::::::allow_nets=nowhere",
        b"tim:{PLAIN}right::::::nopassword",
        b"tim:{PLAIN}right\ntim:{PLAIN}wrong",
        b"TIM:{LANMAN}x\ntim:{PLAIN}right",
        b"\0\0\0\0\xff\0",
    ];
    for wrong in wrong {
        for last in [&b"\n"[..], b""] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("users");
            let text = [b"ann:{PLAIN}a\n", wrong, b"\ntom:{PLAIN}t\n", wrong, last].concat();
            fs::write(&path, text).unwrap();
            let accounts = FileAccounts::open(&path, verifier()).unwrap();
            let check = |user, password| accounts.check(&login(user, password), &Caller::default());
            let shown = String::from_utf8_lossy(wrong);
            assert_eq!(check("ann", "a"), Ok("ann".into()), "{shown:?}");
            assert_eq!(check("tom", "t"), Ok("tom".into()), "{shown:?}");
            for password in ["right", "wrong", "", "a"] {
                let answer = check("tim", password);
                let off = matches!(answer, Err(StoreError::Permanent(_)));
                let nobody = answer == Err(StoreError::Credentials);
                assert!(
                    if wrong[0] == 0 { nobody } else { off },
                    "{shown:?} {answer:?}"
                );
            }
            assert_eq!(accounts.count(), 2);
        }
    }
}

/// Removed users do not log in, new ones do, whatever else the file has; each mistake is reported once.
#[test]
fn w060_changes_count_beside_a_line_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "tim:{PLAIN}a\nbad:{LANMAN}x\n").unwrap();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let inner = Arc::clone(&told);
    let accounts = FileAccounts::open(&path, verifier())
        .unwrap()
        .on_problem(move |problem| inner.lock().unwrap().push(problem.to_string()));
    let news = || std::mem::take(&mut *told.lock().unwrap());
    let news_of_line = |line: usize| {
        let news = news();
        let place = format!("{}:{line}:", path.display());
        assert!(news.len() == 1 && news[0].starts_with(&place), "{news:?}");
    };
    news_of_line(2);
    let check = |user, password| {
        accounts
            .check(&login(user, password), &Caller::default())
            .is_ok()
    };
    for _ in 0..3 {
        assert!(check("tim", "a") && !check("bad", "x"));
    }
    assert!(news().is_empty(), "not at every login");
    fs::write(&path, "tom:{PLAIN}b\nbad:{LANMAN}x\n").unwrap();
    assert!(!check("tim", "a") && check("tom", "b"));
    assert!(news().is_empty(), "the mistake is the same");
    fs::write(&path, "tim:{PLAIN}a\ntom:{PLAIN}b\nbad:\n").unwrap();
    assert!(check("tim", "a") && check("tom", "b"));
    news_of_line(3);
    // as long, and within the same tick of the clock
    for round in 0..20 {
        let (there, gone) = if round % 2 == 0 {
            ("tom", "tim")
        } else {
            ("tim", "tom")
        };
        fs::write(&path, format!("{there}:{{PLAIN}}a\n")).unwrap();
        assert!(check(there, "a") && !check(gone, "a"), "{round}");
    }
    let lines: String = (0..1000).map(|n| format!("user{n}:nonsense\n")).collect();
    fs::write(&path, format!("{lines}tim:{{PLAIN}}a\n")).unwrap();
    assert!(check("tim", "a"));
    let news = news();
    assert_eq!(news.len(), 21);
    assert!(
        news[20].ends_with("980 further lines are wrong"),
        "{news:?}"
    );
}

/// What takes the file's place holds nobody up, and lets nobody in; all is well when the file is there again.
#[test]
fn w060_a_file_that_cannot_be_read_has_no_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "tim:{PLAIN}a\n").unwrap();
    let problems = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&problems);
    let accounts = FileAccounts::open(&path, verifier())
        .unwrap()
        .on_problem(move |_| _ = told.fetch_add(1, Ordering::Relaxed));
    let check = || accounts.check(&login("tim", "a"), &Caller::default());
    let fifo = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    type Take<'t> = (&'t str, &'t dyn Fn(&Path));
    let takes: [Take<'_>; 6] = [
        ("is a FIFO", &fifo),
        ("is a directory", &|path| fs::create_dir(path).unwrap()),
        ("is a device", &|path| symlink("/dev/zero", path).unwrap()),
        ("is a device", &|path| symlink("/dev/null", path).unwrap()),
        ("No such file", &|_| {}),
        ("larger than", &|path| {
            fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        }),
    ];
    for (n, (why, take)) in (1..).zip(takes) {
        assert_eq!(check(), Ok("tim".into()));
        fs::remove_file(&path).unwrap();
        take(&path);
        for _ in 0..2 {
            match check() {
                Err(StoreError::Temporary(text)) => assert!(text.contains(why), "{text}"),
                other => panic!("{why}: {other:?}"),
            }
        }
        assert_eq!(problems.load(Ordering::Relaxed), n, "{why}: once each");
        assert!(FileAccounts::open(&path, verifier()).is_err());
        assert!(PasswdFile::read(&path).is_err());
        if why != "No such file" {
            PasswdFile::edit(&path, |file| file.add("tom", CHEAP)).unwrap_err();
        }
        let _ = fs::remove_dir(&path);
        let _ = fs::remove_file(&path);
        fs::write(&path, "tim:{PLAIN}a\n").unwrap();
    }
}

#[test]
fn w055_names_are_compared_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "Zoë:{PLAIN}a\n").unwrap();
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    for name in ["Zoë", "zoe\u{308}", "ZOE\u{308}"] {
        let answer = accounts.check(&login(name, "a"), &Caller::default());
        assert_eq!(answer, Ok("Zoë".into()), "{name}");
    }
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
    let found = accounts.find("tIM").unwrap();
    assert_eq!(found.unwrap().name(), "Tim");
    assert!(accounts.find("nobody").unwrap().is_none());
    let read = parse(FILE);
    assert_eq!(read.find("tIM").map(|entry| entry.name()), Some("Tim"));
    assert!(read.find("nobody").is_none());
}

#[test]
fn names_and_lines_may_be_as_long_as_they_may() {
    let line = "#".repeat(64 * 1024);
    assert_eq!(faults(line.as_bytes()), [""; 0]);
    assert_eq!(faults(format!("{line}#").as_bytes()).len(), 1);
    let name = "n".repeat(255);
    for (line, is_off) in [
        (format!("{name}:{{FOO}}x\n"), true),
        (format!("{name}n:{{FOO}}x\n"), false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, line).unwrap();
        let accounts = FileAccounts::open(&path, verifier()).unwrap();
        assert_eq!(accounts.find(&name).is_err(), is_off);
    }
    let both = parse("tim:{PLAIN}x::::::nopassword\n");
    assert!(both.find("tim").is_none());
}

/// A change of the same length within a tick of the file system's clock is seen, too.
#[test]
fn a_change_right_after_another_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "tim:{PLAIN}00\n").unwrap();
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    for n in 1..100 {
        let secret = format!("{n:02}");
        fs::write(&path, format!("tim:{{PLAIN}}{secret}\n")).unwrap();
        let answer = accounts.check(&login("tim", &secret), &Caller::default());
        assert_eq!(answer, Ok("tim".into()), "{n}");
    }
}

#[test]
fn digests_suit_a_file_of_stored_secrets() {
    for (line, all) in [
        ("ann:{PLAIN}a", true),
        ("ann:*", true),
        ("ann:$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, format!("tim:{{PLAIN}}t\n{line}\n")).unwrap();
        let accounts = FileAccounts::open(&path, verifier()).unwrap();
        assert_eq!(accounts.all_secrets_stored(), all, "{line}");
    }
}

#[test]
fn a_changed_file_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    PasswdFile::edit(&path, |file| file.add("tim", "{PLAIN}one")).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
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
    fs::write(&path, "tom:{PLAIN}two\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!check("tim", "three") && check("tom", "two"));
    assert!(accounts.is_exposed());
}

proptest! {
    /// Whatever stands in a file: every line stays, no account is made up, and what was read is read again.
    #[test]
    fn w060_any_octets_are_a_file(
        lines in prop::collection::vec(prop_oneof![
            "[a-cA]{0,2}:(\\*|\\{PLAIN\\}[a-z]{0,3}|[$:0-9]{0,8})(:[a-z=]{0,4}){0,8}".prop_map(String::into_bytes),
            "#?\\PC{0,10}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>().prop_filter("an end", |b| *b != b'\n'), 0..12),
        ], 0..8),
    ) {
        let octets = lines.join(&b'\n');
        let file = PasswdFile::parse(Path::new("users"), &octets);
        let names = |file: &PasswdFile| file.entries().map(|e| (e.name().to_owned(), e.maildrop().to_owned())).collect::<Vec<_>>();
        let again = PasswdFile::parse(Path::new("users"), &file.octets());
        prop_assert_eq!(names(&file), names(&again));
        prop_assert_eq!(again.octets(), file.octets());
        for (name, _) in names(&file) {
            let start = format!("{name}:");
            let own = lines.iter().filter(|line| line.to_ascii_lowercase().starts_with(start.to_ascii_lowercase().as_bytes()));
            prop_assert_eq!(own.count(), 1);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, &octets).unwrap();
        let live = FileAccounts::open(&path, verifier()).unwrap();
        prop_assert_eq!(live.count(), file.entries().count());
    }
}
