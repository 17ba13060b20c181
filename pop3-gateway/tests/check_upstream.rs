//! `check --connect` and `check --login`: what a configuration names is tried, and nothing is changed.
#![cfg(all(feature = "tokio", feature = "smol"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use testkit::imap_server::{Options, Server as ImapServer, Store};
use testkit::tcp::TcpHost;

const USER: &str = "tim";
const PASSWORD: &str = "tanstaaf";

fn imap() -> TcpHost {
    let store = Store::new();
    store.add_user(USER, PASSWORD);
    store.deliver(USER, b"Subject: a\r\n\r\nb\r\n".to_vec());
    store.deliver(USER, b"Subject: c\r\n\r\nd\r\n".to_vec());
    TcpHost::start("127.0.0.1:0", ImapServer::new(store, Options::default())).unwrap()
}

fn check(runtime: &str, url: &str, more: &[&str], password: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("g.toml");
    let config = format!(
        "runtime = \"{runtime}\"\n[[listener]]\nlisten = \"127.0.0.1:0\"\n[[upstream]]\nname = \"main\"\nurl = \"{url}\"\nconnect_timeout = \"2s\"\n"
    );
    fs::write(&file, config).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args(["check", "--config"])
        .arg(&file)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // it may not be read
    let _ = stdin.write_all(format!("{password}\n").as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr].map(|part| String::from_utf8_lossy(part));
    parts.concat()
}

#[test]
fn w047_check_connects_to_what_the_configuration_names() {
    for runtime in ["tokio", "smol"] {
        let host = imap();
        let url = format!("imap://{}", host.address());
        let output = check(runtime, &url, &["--connect"], "");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        for part in [
            "upstream \"main\"",
            "it greets with OK",
            "it offers ",
            "IMAP4REV1",
            "users would be logged in by LOGIN",
            "  ok\n",
        ] {
            assert!(text.contains(part), "{text}\nlacks {part}");
        }
        // TLS where there is none, and no server at all
        let nobody: SocketAddr = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        for (url, part) in [
            (
                format!("imaps://{}", host.address()),
                "does not speak TLS from the first byte; if it offers STARTTLS, write url = \"imap+starttls://",
            ),
            (
                format!("imap://{nobody}"),
                "cannot connect to 127.0.0.1 port",
            ),
        ] {
            let output = check(runtime, &url, &["--connect"], "");
            let text = said(&output);
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(
                text.contains("FAILED: ") && text.contains(part),
                "{text}\nlacks {part}"
            );
        }
    }
}

#[test]
fn w047_check_logs_in_and_changes_nothing() {
    for runtime in ["tokio", "smol"] {
        let host = imap();
        let url = format!("imap://{}", host.address());
        let login = ["--login", USER, "--password-stdin"];
        for _ in 0..2 {
            let output = check(runtime, &url, &login, PASSWORD);
            let text = said(&output);
            assert_eq!(output.status.code(), Some(0), "{text}");
            for part in [
                "the login is good",
                "open for reading",
                "ok: 2 messages, 34 octets",
            ] {
                assert!(text.contains(part), "{text}\nlacks {part}");
            }
            assert!(!text.contains(PASSWORD));
        }
        let output = check(runtime, &url, &login, "wrong");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("refuses the login: NO"), "{text}");
    }
}
