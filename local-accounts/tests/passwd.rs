//! The passwd-file: read, changed by tools, and followed by a running server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use local_accounts::{FileAccounts, PasswdError, PasswdFile, Verifier, VerifierConfig};
use pop3_proto::backend::store::{Accounts as _, StoreError};
use pop3_proto::backend::{Access, Caller, Login};
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

fn parse(text: &str) -> PasswdFile {
    PasswdFile::parse(Path::new("users"), text.as_bytes())
}

fn written(file: &PasswdFile) -> String {
    String::from_utf8(file.octets()).unwrap()
}

fn faults(text: &[u8]) -> Vec<String> {
    let file = PasswdFile::parse(Path::new("users"), text);
    let faults = file.faults().into_iter();
    faults.map(|(_, fault)| fault.to_string()).collect()
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

/// Removed users do not log in, new ones do, whatever else the file has; each mistake is told once.
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
fn w061_fields_that_limit_an_account_are_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    let text = "\
near:{PLAIN}a:1000:1000::/home/near::allow_nets=192.0.2.0/24,2001:db8::/32,[::1],127.0.0.1 userdb_quota=1
both:{PLAIN}a::::::allow_nets=192.0.2.0/24 allow_real_nets=192.0.2.128/25
closed:{PLAIN}a::::::nologin
closed2:{PLAIN}a::::::nologin= nodelay
closed3:{PLAIN}a::::::nologin=no
closed4:{PLAIN}a::::::nologin=never
any:::::::nopassword
anynear:::::::nopassword allow_nets=127.0.0.0/8
anyplain:{plain}::::::nopassword=y
local:{PLAIN}a::::::allow_nets=local
localnear:{PLAIN}a::::::allow_nets=local,192.0.2.7
mapped:{PLAIN}a::::::allow_nets=::ffff:192.0.2.7,::ffff:198.51.100.0/120
all:{PLAIN}a::::::allow_nets=0.0.0.0/0,::/0
";
    fs::write(&path, text).unwrap();
    assert_eq!(faults(text.as_bytes()), [""; 0]);
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    let check = |user: &str, password: &str, from: &str| {
        let (caller, _presence) = match from {
            "" => (Caller::default(), None),
            from => {
                let (caller, presence) = Caller::new(from.parse().unwrap(), 0);
                (caller, Some(presence))
            }
        };
        match accounts.check(&login(user, password), &caller) {
            Ok(name) => {
                assert_eq!(name, user);
                true
            }
            Err(error) => {
                assert_eq!(error, StoreError::Credentials);
                false
            }
        }
    };
    for (user, password, from, right) in [
        ("near", "a", "192.0.2.7", true),
        ("near", "a", "::ffff:192.0.2.7", true),
        ("near", "a", "2001:db8:ffff::1", true),
        ("near", "a", "::1", true),
        ("near", "a", "127.0.0.1", true),
        ("near", "b", "127.0.0.1", false),
        ("near", "a", "127.0.0.2", false),
        ("near", "a", "", false),
        ("both", "a", "192.0.2.200", true),
        ("both", "a", "192.0.2.7", false),
        ("closed", "a", "127.0.0.1", false),
        ("closed2", "a", "127.0.0.1", false),
        // to Dovecot a field that is there is set, whatever its value
        ("closed3", "a", "127.0.0.1", false),
        ("closed4", "a", "127.0.0.1", false),
        ("any", "whatever", "203.0.113.1", true),
        ("any", "", "203.0.113.1", false),
        ("anynear", "whatever", "203.0.113.1", false),
        ("anynear", "whatever", "127.0.0.1", true),
        ("anyplain", "whatever", "203.0.113.1", true),
        ("local", "a", "127.0.0.1", false),
        ("local", "a", "", false),
        ("localnear", "a", "192.0.2.7", true),
        ("localnear", "a", "192.0.2.8", false),
        ("mapped", "a", "192.0.2.7", true),
        ("mapped", "a", "::ffff:198.51.100.9", true),
        ("mapped", "a", "192.0.2.8", false),
        ("all", "a", "192.0.2.8", true),
        ("all", "a", "2001:db8::1", true),
    ] {
        assert_eq!(
            check(user, password, from),
            right,
            "{user} {password} {from}"
        );
    }
    let homes: Vec<_> = parse(text)
        .entries()
        .map(|e| e.home().map(str::to_owned))
        .collect();
    assert_eq!(homes[0].as_deref(), Some("/home/near"));
    assert_eq!(homes[1], None);
    assert_eq!(accounts.weaknesses(), [("nopassword", 3)]);
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

/// What an account may do and how long it is there.
#[test]
fn an_account_ends_with_the_day_before_the_one_that_is_named() {
    let text = "\
old:{PLAIN}a::::::expires=1970-01-02
new:{PLAIN}a::::::expires=2999-12-31
read:{PLAIN}a::::::access=read-only
";
    let file = parse(text);
    let entry = |name| file.find(name).unwrap();
    assert!(!entry("old").has_expired(86_399) && entry("old").has_expired(86_400));
    assert!(!entry("read").has_expired(u64::MAX));
    assert_eq!(entry("read").access(), Access::ReadOnly);
    assert_eq!(entry("old").access(), Access::ReadWrite);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    let accounts = FileAccounts::open(&path, verifier()).unwrap();
    let check = |user| accounts.check(&login(user, "a"), &Caller::default());
    assert_eq!(check("old"), Err(StoreError::Credentials));
    assert_eq!(check("new"), Ok("new".into()));
    assert!(matches!(check("read"), Err(StoreError::Permanent(_))));
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
