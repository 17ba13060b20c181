//! The program as an operator meets it: exit codes, messages, help.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pop3_gateway::cli::CONFIGURATION;
use time::OffsetDateTime;

fn gateway(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A configuration in a folder of its own.
fn with_config(text: &str, act: impl FnOnce(&Path, &str)) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    fs::write(&file, text).unwrap();
    act(dir.path(), file.to_str().unwrap());
}

const GOOD: &str = "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
                    [[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:9\"\n";

#[test]
fn a_wrong_configuration_is_exit_code_2_and_one_clear_message() {
    with_config(&GOOD.replace("listen =", "lisen ="), |_, file| {
        let expected = format!(
            "pop3-gateway: {file}:2:1: listener[1].lisen: unknown key; did you mean \"listen\"?\n"
        );
        for command in ["check", "serve"] {
            let output = gateway(&[command, "--config", file]);
            assert_eq!(output.status.code(), Some(2));
            assert_eq!(err(&output), expected);
            assert_eq!(out(&output), "");
        }
    });
}

#[test]
fn files_that_the_configuration_names_are_loaded_by_check() {
    let certificate =
        "tls = \"implicit\"\n[[listener.certificate]]\ncert = \"no.pem\"\nkey = \"no.key\"\n";
    with_config(
        &GOOD.replace("[[upstream]]", &format!("{certificate}[[upstream]]")),
        |dir, file| {
            let output = gateway(&["check", "--config", file]);
            assert_eq!(output.status.code(), Some(2));
            let missing = dir.join("no.pem");
            let message = err(&output);
            assert!(
                message.starts_with("pop3-gateway: listener \"127.0.0.1:0\": cannot read "),
                "{message}"
            );
            assert!(message.contains(missing.to_str().unwrap()), "{message}");
            assert_eq!(message.lines().count(), 1);
        },
    );
    let ca = GOOD.replace("imap://127.0.0.1:9", "imaps://127.0.0.1:9") + "ca_file = \"ca.pem\"\n";
    with_config(&ca, |dir, file| {
        fs::write(dir.join("ca.pem"), "nothing").unwrap();
        let output = gateway(&["check", "--config", file]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            err(&output).starts_with("pop3-gateway: upstream \"main\": no certificate in "),
            "{}",
            err(&output)
        );
    });
}

#[test]
fn check_says_what_would_run_and_makes_nothing() {
    let public = "[[listener]]\nname = \"public\"\nlisten = \"0.0.0.0:995\"\ntls = \"implicit\"\nself_signed = \"tls\"\n";
    with_config(
        &format!("{public}{GOOD}[routing.domain]\n\"example.org\" = \"main\"\n"),
        |dir, file| {
            let output = gateway(&["check", "--config", file]);
            assert_eq!(output.status.code(), Some(0), "{}", err(&output));
            let said = out(&output);
            for part in [
                "is good. It would run:",
                "public at 0.0.0.0:995: TLS from the first byte, self-signed certificate to be made in ",
                "127.0.0.1:0: no TLS, logins in the clear allowed",
                "main at imap://127.0.0.1:9: folder INBOX, delete = expunge",
                "*@example.org -> main",
                "everybody else -> nowhere: refused like a wrong password",
                "autologout after 10m",
            ] {
                assert!(said.contains(part), "{said}\nlacks {part}");
            }
            assert!(!dir.join("tls").exists());
        },
    );
}

/// If `check` made the key, it would belong to the user of `check` and not to the gateway.
#[test]
fn check_makes_no_certificate_in_a_folder_that_is_there() {
    let public = "[[listener]]\nname = \"public\"\nlisten = \"0.0.0.0:995\"\ntls = \"implicit\"\nself_signed = \".\"\n";
    with_config(&format!("{public}{GOOD}"), |dir, file| {
        let output = gateway(&["check", "--config", file]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let said = out(&output);
        assert!(
            said.contains("self-signed certificate to be made in"),
            "{said}"
        );
        let files: Vec<_> = fs::read_dir(dir).unwrap().collect();
        assert_eq!(files.len(), 1, "{files:?}");
    });
}

#[test]
fn check_answers_in_json() {
    with_config(GOOD, |_, file| {
        let output = gateway(&["check", "--json", "--config", file]);
        let answer: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(answer["ok"], true);
        assert_eq!(answer["listeners"][0]["addresses"][0], "127.0.0.1:0");
        assert_eq!(answer["upstreams"][0]["url"], "imap://127.0.0.1:9");
    });
    with_config("[[listener]]\nlisten = 1\n", |_, file| {
        let output = gateway(&["check", "--json", "--config", file]);
        assert_eq!(output.status.code(), Some(2));
        let answer: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(answer["ok"], false);
        assert_eq!(answer["error"]["line"], 2);
        assert_eq!(answer["error"]["key"], "listener[1].listen");
    });
}

/// Names, who vouches, the end; and a warning before it.
#[test]
fn check_tells_of_certificates() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["pop.example.org".into()]).unwrap();
    let (day, now) = (Duration::from_secs(24 * 3600), OffsetDateTime::UNIX_EPOCH);
    let now = now + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (params.not_before, params.not_after) = (now - 80 * day, now + 10 * day + day / 2);
    let made = params.self_signed(&key).unwrap();
    let listener = "[[listener]]\nname = \"public\"\nlisten = \"127.0.0.1:0\"\ntls = \"implicit\"\n\
                    [[listener.certificate]]\ncert = \"pop.crt\"\nkey = \"pop.key\"\n";
    let upstream = GOOD.split_once("[[upstream]]").unwrap().1;
    let text = format!("{listener}[[upstream]]{upstream}");
    with_config(&text, |dir, file| {
        fs::write(dir.join("pop.crt"), made.pem()).unwrap();
        fs::write(dir.join("pop.key"), key.serialize_pem()).unwrap();
        let told = out(&gateway(&["check", "--config", file]));
        let is_row = |line: &&str| line.starts_with("certificate ");
        let row = told.lines().find(is_row).unwrap();
        assert!(
            row.contains("pop.crt: for pop.example.org; self-signed; it ends in 10 days ("),
            "{row}"
        );
        assert!(
            told.contains("warning     listener \"public\": the certificate "),
            "{told}"
        );
        assert!(told.contains(" ends within 14 days, on "), "{told}");
        let json = out(&gateway(&["check", "--json", "--config", file]));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let certificate = &json["certificates"][0];
        assert_eq!(certificate["listener"], "public");
        assert_eq!(certificate["names"][0], "pop.example.org");
        assert_eq!(certificate["self_signed"], true);
        assert_eq!(certificate["not_after"], params.not_after.unix_timestamp());
        assert_eq!(json["warnings"][0]["of"], "listener \"public\"");
    });
}

#[test]
fn the_configurations_that_are_shipped_would_run() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for file in ["pop3-gateway.example.toml", "packaging/pop3-gateway.toml"] {
        let output = gateway(&["check", "--config", &format!("{root}/{file}")]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    }
}

#[test]
fn wrong_flags_are_exit_code_2() {
    for (arguments, part) in [
        (&["serve"][..], "--config <FILE>|--upstream <URL>"),
        (
            &["serve", "--config", "a", "--upstream", "b"],
            "cannot be used with",
        ),
        (
            &["serve", "--config", "a", "--listen", "b"],
            "the argument '--config <FILE>' cannot be used with",
        ),
        (
            &["serve", "--upstream", "mail"],
            "pop3-gateway: --upstream: this is not the URL of an IMAP server",
        ),
        (
            &["serve", "--upstream", "imap://192.0.2.1"],
            "pop3-gateway: --upstream: passwords would travel in the clear",
        ),
        (
            &["serve", "--upstream", "imaps://a", "--listen", "0.0.0.0:1"],
            "pop3-gateway: --allow-clear-login: no login is possible",
        ),
        (
            &["serve", "--upstream", "imaps://a", "--tls", "stls"],
            "pop3-gateway: --tls: TLS needs a certificate",
        ),
        (
            &["serve", "--upstream", "imaps://a", "--runtime", "async-std"],
            "[possible values: tokio, smol]",
        ),
        (
            &[
                "serve",
                "--upstream",
                "imaps://a",
                "--ca-file",
                "/nonexistent/ca",
            ],
            "pop3-gateway: upstream \"main\": cannot read /nonexistent/ca",
        ),
        (
            &[
                "serve",
                "--upstream",
                "imaps://a",
                "--transcript",
                "/dev/null/t",
            ],
            "pop3-gateway: transcripts cannot be written to /dev/null/t",
        ),
        (
            &["check", "--config", "/nonexistent/g.toml"],
            "pop3-gateway: /nonexistent/g.toml: cannot be read",
        ),
        (&["sevre"], "serve"),
        (&[], "Usage: pop3-gateway <COMMAND>"),
    ] {
        if arguments == ["serve"] && Path::new(CONFIGURATION).exists() {
            // a package is installed here, and this would run it
            continue;
        }
        let output = gateway(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            err(&output).contains(part),
            "{arguments:?}: {}",
            err(&output)
        );
    }
}

#[test]
fn an_address_that_is_taken_is_exit_code_1_and_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = gateway(&[
        "serve",
        "--upstream",
        "imap://127.0.0.1:9",
        "--listen",
        &address,
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains(&format!("cannot listen on {address}")),
        "{}",
        err(&output)
    );
}

#[test]
fn a_wrong_log_filter_is_exit_code_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args([
            "serve",
            "--upstream",
            "imap://127.0.0.1:9",
            "--listen",
            "127.0.0.1:0",
        ])
        .env("RUST_LOG", "a=b=c")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).starts_with("pop3-gateway: RUST_LOG: "),
        "{}",
        err(&output)
    );
}

#[test]
fn help_has_examples_and_the_version_is_ours() {
    let help = out(&gateway(&["--help"]));
    for part in [
        "pop3-gateway demo",
        "pop3-gateway serve --upstream imaps://imap.example.org",
        "Exit codes",
    ] {
        assert!(help.contains(part), "{help}");
    }
    let serve = out(&gateway(&["serve", "--help"]));
    for part in [
        "SIGHUP",
        "--tls-self-signed <DIR>",
        "[possible values: tokio, smol]",
    ] {
        assert!(serve.contains(part), "{serve}");
    }
    let version = format!("pop3-gateway {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(out(&gateway(&["--version"])), version);
}

#[test]
fn completions_and_manual_pages_come_from_the_same_definitions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = out(&gateway(&["completions", shell]));
        assert!(script.contains("tls-self-signed"), "{shell}");
    }
    let page = out(&gateway(&["man"]));
    assert!(
        page.contains(".TH pop3-gateway 1") && page.contains("demo"),
        "{page}"
    );
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("man");
    assert!(gateway(&["man", folder.to_str().unwrap()]).status.success());
    let serve = fs::read_to_string(folder.join("pop3-gateway-serve.1")).unwrap();
    assert!(serve.contains("tls\\-self\\-signed"), "{serve}");
    for tool in [
        "account-add",
        "account-passwd",
        "message-add",
        "store-migrate",
        "hash-password",
    ] {
        let page = fs::read_to_string(folder.join(format!("pop3-gateway-{tool}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{page}");
    }
    let script = out(&gateway(&["completions", "bash"]));
    for word in [
        "hash-password",
        "--password-stdin",
        "--unchecked",
        "migrate",
    ] {
        assert!(script.contains(word), "{word}");
    }
}
