//! The tools for stores, as an administrator and his scripts meet them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use crate::common::{Gateway, RUNTIMES};
use serde_json::{Value, json};

const MAILDIR: &str = "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
    [[store]]\nname = \"local\"\nkind = \"maildir\"\npath = \"mail\"\nusers = \"each\"\naccounts = \"users\"\n";

struct Place {
    dir: tempfile::TempDir,
    config: String,
}

impl Place {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        fs::write(&file, config).unwrap();
        fs::create_dir(dir.path().join("mail")).unwrap();
        let config = file.to_str().unwrap().to_owned();
        Self { dir, config }
    }

    /// `command` is two words, such as `account add`.
    fn tool(&self, command: &str, arguments: &[&str], input: &str) -> Output {
        let words: Vec<_> = command.split(' ').collect();
        tool(
            &[&words, &["--config", &self.config][..], arguments].concat(),
            input,
        )
    }

    fn good(&self, command: &str, arguments: &[&str], input: &str) -> String {
        let output = self.tool(command, arguments, input);
        assert!(output.status.success(), "{command}: {}", err(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn tool(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // a tool that needs no input may be gone by now
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn logs_in(gateway: &Gateway, user: &str, password: &str) -> bool {
    let mut client = gateway.connect();
    client.say(&format!("USER {user}"));
    let good = client.say(&format!("PASS {password}")).starts_with("+OK");
    // so that the maildrop is free again
    good && client.say("QUIT").starts_with("+OK")
}

/// An account that is added can log in at once, one that is removed cannot any more: no signal is needed.
#[test]
fn accounts_come_and_go_while_the_gateway_runs() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        assert_eq!(
            place.good("account add", &["--password-stdin", "tim"], "first one\n"),
            ""
        );
        let users = place.dir.path().join("users");
        assert_eq!(
            fs::metadata(&users).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let written = fs::read_to_string(&users).unwrap();
        assert!(written.starts_with("tim:$argon2id$"), "{written}");
        let gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        assert!(logs_in(&gateway, "tim", "first one") && !logs_in(&gateway, "tim", "second"));
        place.good("account passwd", &["--password-stdin", "TIM"], "second");
        assert!(logs_in(&gateway, "tim", "second"));
        place.good(
            "account add",
            &["--password-stdin", "--stored-secret", "tom"],
            "s e:cret\n",
        );
        assert!(logs_in(&gateway, "tom", "s e:cret"));
        // its folder is there from the beginning
        assert!(place.dir.path().join("mail/tom/new").is_dir());
        place.good("account remove", &["tim"], "");
        assert!(!logs_in(&gateway, "tim", "second"));
        let listed: Value =
            serde_json::from_str(&place.good("account list", &["--json"], "")).unwrap();
        assert_eq!(
            listed,
            json!([{ "account": "tom", "credential": "plain", "maildrop": "tom" }])
        );
    }
}

#[test]
fn what_is_there_already_or_not_there_is_exit_code_3() {
    let place = Place::new(MAILDIR);
    place.good(
        "account add",
        &["--password-stdin", "--algorithm", "bcrypt", "tim"],
        "secret",
    );
    for (command, arguments, said) in [
        (
            "account add",
            &["--password-stdin", "Tim"][..],
            "there is an account \"Tim\" already",
        ),
        (
            "account passwd",
            &["--password-stdin", "tom"],
            "there is no account \"tom\"",
        ),
        ("account remove", &["tom"], "there is no account \"tom\""),
        (
            "message add",
            &["--user", "tom"],
            "there is no account \"tom\"",
        ),
        (
            "message remove",
            &["--user", "tim", "x"],
            "there is no message \"x\"",
        ),
    ] {
        // the folder of tim is there from the second on
        place.good("message add", &["--user", "tim"], "Subject: x\n\nx\n");
        let output = place.tool(command, arguments, "Subject: secret\n");
        assert_eq!(output.status.code(), Some(3), "{command}: {}", err(&output));
        assert_eq!(err(&output), format!("pop3-gateway: {said}\n"));
    }
    let users = fs::read_to_string(place.dir.path().join("users")).unwrap();
    assert!(
        users.starts_with("tim:$2b$12$") && users.lines().count() == 1,
        "{users}"
    );
}

/// An account is not kept if its folder could never exist or cannot be made.
#[test]
fn w054_an_account_that_cannot_be_is_not_left_behind() {
    for name in [
        "../evil", "a/b", "..", ".hidden", "a:b", "#a", " a", "", "a\u{7}b",
    ] {
        let place = Place::new(MAILDIR);
        let arguments = ["--password-stdin", "--", name];
        let output = place.tool("account add", &arguments, "secret\n");
        assert_eq!(output.status.code(), Some(2), "{name:?}: {}", err(&output));
        let listed = place.tool("account list", &["--json"], "");
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.is_empty() || listed == "[]\n", "{name:?}: {listed}");
        let users = fs::read_to_string(place.dir.path().join("users"));
        assert!(users.is_err() || users.is_ok_and(|users| users.is_empty()));
        assert_eq!(
            fs::read_dir(place.dir.path().join("mail")).unwrap().count(),
            0
        );
    }
    let place = Place::new(MAILDIR);
    // in the place of the folder is a file
    fs::write(place.dir.path().join("mail/tim"), "").unwrap();
    let output = place.tool("account add", &["--password-stdin", "tim"], "secret\n");
    assert!(!output.status.success());
    assert_eq!(place.good("account list", &[], ""), "");
}

/// A line that is wrong is listed, mended and removed like any other.
#[test]
fn w060_tools_tell_and_mend_lines_that_are_wrong() {
    let place = Place::new(MAILDIR);
    let users = place.dir.path().join("users");
    fs::write(&users, "old:{LANMAN}x\nhalf\n").unwrap();
    let listed = place.good("account list", &[], "");
    assert!(listed.contains("old\tcredential off\tfault"), "{listed}");
    assert!(listed.contains("users:2:5: no credential"), "{listed}");
    // they are warnings, and no mistake that would keep the service from its start
    let told = place.good("check", &[], "");
    for part in [
        "is good",
        "warning",
        "users:1:5: the scheme {LANMAN}",
        "users:2:5: no credential",
    ] {
        assert!(told.contains(part), "{told}\nlacks {part}");
    }
    place.good("account add", &["--password-stdin", "tim"], "secret");
    place.good(
        "account passwd",
        &["--password-stdin", "--stored-secret", "old"],
        "secret",
    );
    place.good("account remove", &["half"], "");
    let written = fs::read_to_string(&users).unwrap();
    assert!(
        written.starts_with("old:{PLAIN}secret\ntim:$argon2id$"),
        "{written}"
    );
    assert_eq!(written.lines().count(), 2);
}

#[test]
fn mistakes_are_exit_code_2_and_one_line() {
    let place = Place::new(&format!(
        "{MAILDIR}[routing]\ndefault = \"local\"\n\
        [[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n"
    ));
    let local = ["--store", "local"];
    for (command, arguments, input, said) in [
        (
            "account add",
            &["--password-stdin", "tim"][..],
            "x",
            "there are several stores; choose one with --store: local, notes",
        ),
        (
            "account add",
            &["--store", "loacl", "--password-stdin", "tim"],
            "x",
            "no such store; there are: local, notes",
        ),
        (
            "account add",
            &[local[0], local[1], "--password-stdin", "tim"],
            "\n",
            "the password is empty",
        ),
        (
            "account add",
            &[local[0], local[1], "--password-stdin", "a:b"],
            "x",
            "it has a colon, which ends the name",
        ),
        (
            "account add",
            &[
                local[0],
                local[1],
                "--password-stdin",
                "--algorithm",
                "md5",
                "a",
            ],
            "x",
            "invalid value 'md5'",
        ),
        (
            "message add",
            &[local[0], local[1]],
            "x",
            "say whose message it is with --user NAME",
        ),
        (
            "store migrate",
            &local,
            "",
            "store \"local\" is no database",
        ),
    ] {
        let output = place.tool(command, arguments, input);
        assert_eq!(output.status.code(), Some(2), "{command}: {}", err(&output));
        assert!(
            err(&output).contains(said),
            "{}\nlacks {said}",
            err(&output)
        );
    }
    place.good(
        "account add",
        &[local[0], local[1], "--password-stdin", "tim"],
        "x",
    );
    let text = place.tool(
        "message add",
        &[local[0], local[1], "--user", "tim"],
        "just a text\n",
    );
    assert_eq!(text.status.code(), Some(2));
    assert!(
        err(&text).contains("add a plain text with --subject"),
        "{}",
        err(&text)
    );
    let listed = place.tool("message list", &["--store", "notes", "--user", "tim"], "");
    assert_eq!(listed.status.code(), Some(2), "{}", err(&listed));
    // a password of 1025 octets is not cut
    let long = place.tool(
        "account passwd",
        &[local[0], local[1], "--password-stdin", "tim"],
        &"x".repeat(1025),
    );
    assert!(
        err(&long).contains("longer than 1024 octets"),
        "{}",
        err(&long)
    );
}

/// The tools find an account as a login does: without case, and however its letters are composed.
#[test]
fn w055_messages_go_to_the_account_that_a_login_finds() {
    let place = Place::new(MAILDIR);
    place.good("account add", &["--password-stdin", "jos\u{e9}"], "x");
    for name in ["jos\u{e9}", "Jose\u{301}", "\u{ff4a}OS\u{c9}"] {
        place.good("message add", &["--user", name], "Subject: x\n\nx\n");
    }
    let listed = place.good("message list", &["--user", "jos\u{e9}"], "");
    assert_eq!(listed.lines().count(), 3, "{listed}");
}

/// From a file, from standard input, and as a plain text; what was added is what a client gets.
#[test]
fn messages_are_added_listed_and_removed() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        place.good(
            "account add",
            &["--password-stdin", "--stored-secret", "tim"],
            "tim",
        );
        let file = place.dir.path().join("mail.eml");
        fs::write(&file, "Subject: file\n\n.\n").unwrap();
        let to_tim = ["--user", "tim"];
        let first = place.good(
            "message add",
            &[to_tim[0], to_tim[1], file.to_str().unwrap()],
            "",
        );
        let second: Value = serde_json::from_str(&place.good(
            "message add",
            &[
                "--json",
                to_tim[0],
                to_tim[1],
                "--subject",
                "Füllstand",
                "-",
            ],
            "disk: 97 %\n",
        ))
        .unwrap();
        let mut gateway = Gateway::start(runtime, 1, &["--config", &place.config]);
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("RETR 1"), b"Subject: file\r\n\r\n.\r\n");
        let mail = String::from_utf8(client.ask("RETR 2")).unwrap();
        for part in [
            "From: pop3-gateway@localhost\r\n",
            "Subject: =?UTF-8?B?RsO8bGxzdGFuZA==?=\r\n",
            "Message-ID: <",
            "\r\n\r\ndisk: 97 %\r\n",
        ] {
            assert!(mail.contains(part), "{mail}");
        }
        let ids = String::from_utf8(client.ask("UIDL")).unwrap();
        let second = second["unique_id"].as_str().unwrap();
        assert_eq!(ids, format!("1 {}\r\n2 {second}\r\n", first.trim()));
        let listed: Value = serde_json::from_str(&place.good(
            "message list",
            &["--json", to_tim[0], to_tim[1]],
            "",
        ))
        .unwrap();
        assert_eq!(listed[0]["unique_id"], first.trim());
        assert_eq!(listed[0]["octets"], 20);
        assert!(place.good("message list", &to_tim, "").contains(second));
        gateway.cut(client);
        place.good("message remove", &[to_tim[0], to_tim[1], second], "");
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 1 "));
    }
}

#[test]
fn hash_password_makes_what_accounts_take() {
    for (algorithm, start) in [
        ("argon2id", "$argon2id$"),
        ("bcrypt", "$2b$"),
        ("scrypt", "$scrypt$"),
        ("sha512-crypt", "$6$"),
    ] {
        let output = tool(
            &[
                "hash-password",
                "--password-stdin",
                "--algorithm",
                algorithm,
            ],
            "secret\n",
        );
        let made = String::from_utf8(output.stdout).unwrap();
        assert!(made.starts_with(start) && made.ends_with('\n'), "{made}");
    }
    let output = tool(
        &[
            "hash-password",
            "--password-stdin",
            "--stored-secret",
            "--json",
        ],
        "s3cret",
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["credential"], "{PLAIN}s3cret");
}

#[test]
fn check_looks_at_stores_too() {
    let check = |place: &Place| tool(&["check", "--config", &place.config], "");
    let place = Place::new(MAILDIR);
    let users = place.dir.path().join("users");
    let said = err(&check(&place));
    let expected = format!(
        "pop3-gateway: store \"local\": {}: there is no such file of accounts; make it with \"pop3-gateway \
         account add --config FILE --store local USER\"\n",
        users.display()
    );
    assert_eq!(said, expected);
    // a line that is wrong costs its account, not the service
    fs::write(&users, "tim:secret\n").unwrap();
    let good = check(&place);
    assert!(good.status.success(), "{}", err(&good));
    let said = String::from_utf8(good.stdout).unwrap() + &String::from_utf8(good.stderr).unwrap();
    assert!(!said.contains("secret"), "{said}");
    fs::write(&users, "tim:*\n").unwrap();
    let good = check(&place);
    assert!(good.status.success(), "{}", err(&good));
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(
        said.contains("store       local: Maildir for each account in "),
        "{said}"
    );
    fs::remove_dir(place.dir.path().join("mail")).unwrap();
    let gone = check(&place);
    assert_eq!(gone.status.code(), Some(2));
    assert!(
        err(&gone).contains("store \"local\": ") && err(&gone).contains("mail"),
        "{}",
        err(&gone)
    );
    // no secret is made by a look
    let monitor = Place::new(&format!(
        "{MAILDIR}[monitor]\nuser = \"probe\"\nsecret_file = \"probe\"\n"
    ));
    fs::write(monitor.dir.path().join("users"), "tim:*\n").unwrap();
    let said = String::from_utf8(check(&monitor).stdout).unwrap();
    assert!(
        said.contains("monitor     probe: secret to be made in "),
        "{said}"
    );
    assert!(said.contains("goes before every route"), "{said}");
    assert!(!monitor.dir.path().join("probe").exists());
}
