//! The program as scripts see it: JSON, exit codes, the configuration file, and where secrets are not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::{Command, Output};

use common::{Behaviour, PASSWORD, Server, USER, message, messages};
use serde_json::{Value, json};

struct Program<'a> {
    server: &'a Server,
    folder: tempfile::TempDir,
}

impl<'a> Program<'a> {
    fn new(server: &'a Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "default = 'test'\n[account.test]\nhost = 'localhost'\nport = {}\ntls = 'starttls'\n\
             ca-file = '{}'\nuser = '{USER}'\npassword-from = 'env:TEST_PASSWORD'\n\
             [account.test.download]\nto = 'maildir:{}'\n",
            server.address.port(),
            server.shared.certificate.file.path().display(),
            folder.path().join("mail").display(),
        );
        std::fs::create_dir(folder.path().join("pop3-client")).unwrap();
        std::fs::write(folder.path().join("pop3-client/config.toml"), config).unwrap();
        Self { server, folder }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, PASSWORD)
    }

    fn run_with(&self, arguments: &[&str], password: &str) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_pop3-client"))
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path())
            .env("TEST_PASSWORD", password)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        for stream in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(stream).contains(PASSWORD));
        }
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn code(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }
}

#[test]
fn everything_as_json() {
    let server = Server::start(Behaviour::default(), messages(3));
    let program = Program::new(&server);
    let size = server.shared.mailbox.lock().unwrap()[1].1.len();
    assert_eq!(program.json(&["stat"])["messages"], 3);
    let list = program.json(&["list", "2-"]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        list[0],
        json!({"number": 2, "size": size, "date": null, "from": "Bob", "from_address": "bob@example.org", "to": "", "subject": "mail 1"})
    );
    let mail = program.json(&["show", "2"]);
    assert_eq!(mail["summary"]["subject"], "mail 1");
    assert!(
        mail["text"]
            .as_str()
            .unwrap()
            .starts_with(".dot 1\nFrom me\n")
    );
    assert_eq!(mail["attachments"], json!([]));
    assert_eq!(
        program.json(&["uidl", "3"]),
        json!([{"number": 3, "id": "id2"}])
    );
    let capa = program.json(&["capa"]);
    assert_eq!(capa["tls"]["protocol"], "TLSv1.3");
    assert!(
        capa["capabilities"]
            .as_array()
            .unwrap()
            .contains(&json!("UIDL"))
    );
    let download = program.json(&["download"]);
    assert_eq!(
        (&download["fetched"], &download["known"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(
        std::fs::read_dir(program.folder.path().join("mail/new"))
            .unwrap()
            .count(),
        3
    );
    assert_eq!(
        program.json(&["delete", "1,3"]),
        json!({"deleted": [1, 3], "refused": {}})
    );
    assert_eq!(server.ids(), ["id1".to_string()].into());
    let check = program.json(&["check"]);
    assert_eq!(check["tls"]["protocol"], "TLSv1.3");
    assert!(check["findings"].as_array().unwrap().len() > 20);
}

#[test]
fn source_is_octet_for_octet() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    let source = program.run(&["show", "--source", "1"]).stdout;
    assert_eq!(source, server.shared.mailbox.lock().unwrap()[0].1);
    let headers = program.run(&["show", "--headers", "1"]).stdout;
    assert_eq!(headers, b"From: Bob <bob@example.org>\nSubject: mail 0\n");
}

#[test]
fn text_for_people() {
    let mut mailbox = messages(1);
    mailbox.push(("evil".into(), message("\x1b]0;x\x07evil", "y\r\n")));
    let server = Server::start(Behaviour::default(), mailbox);
    let program = Program::new(&server);
    let list = String::from_utf8(program.run(&["list"]).stdout).unwrap();
    assert_eq!(list.lines().count(), 2);
    assert!(list.contains("Bob") && list.contains("mail 0") && !list.contains('\x1b'));
    let stat = program.run(&["stat"]).stdout;
    assert!(stat.starts_with(b"2 messages, "));
}

#[test]
fn exit_codes() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    assert_eq!(program.code(&["stat"]), 0);
    assert_eq!(program.code(&["show", "7"]), 1);
    assert_eq!(program.code(&["list", "x"]), 1);
    assert_eq!(program.code(&["--account", "nobody", "stat"]), 2);
    assert_eq!(program.code(&["nonsense"]), 2);
    assert_eq!(program.run_with(&["stat"], "wrong").status.code(), Some(3));
    let failed = program.run_with(&["--json", "stat"], "wrong");
    let value: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert!(value["error"].as_str().unwrap().contains("[AUTH]"));
    let faulty = Server::start(
        Behaviour {
            fault: Some(common::Fault::F14),
            ..Behaviour::default()
        },
        messages(2),
    );
    let program = Program::new(&faulty);
    assert_eq!(program.code(&["check"]), 4);
    assert_eq!(program.server.ids().len(), 2);
}

#[test]
fn a_missing_host_and_a_password_on_the_command_line_are_clear_errors() {
    let server = Server::start(Behaviour::default(), Vec::new());
    let program = Program::new(&server);
    let empty = program.folder.path().join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    let output = program.run(&["--config", empty.to_str().unwrap(), "stat"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--host"));
    let output = program.run(&["--password-from", "hunter2", "stat"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn manual_pages_come_from_the_command_line() {
    let server = Server::start(Behaviour::default(), Vec::new());
    let program = Program::new(&server);
    let page = String::from_utf8(program.run(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH pop3-client 1"), "{page}");
    let folder = program.folder.path().join("man");
    let output = program.run(&["man", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let download = std::fs::read_to_string(folder.join("pop3-client-download.1")).unwrap();
    assert!(download.contains("keep\\-days"), "{download}");
}

#[test]
fn secrets_come_from_the_password_store_the_keyring_a_file_and_commands() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    let tools = program.folder.path().join("bin");
    std::fs::create_dir(&tools).unwrap();
    for (name, wanted) in [
        ("pass", "show -- mail/test".to_string()),
        (
            "secret-tool",
            format!("lookup service pop3 user {USER} server localhost"),
        ),
    ] {
        let script =
            format!("#!/bin/sh\n[ \"$*\" = '{wanted}' ] && echo '{PASSWORD}' && echo 'login: x'\n");
        // written by another process: what other tests start here inherits what is open here, and nothing that is
        // open for writing can be run
        let written = Command::new("sh")
            .args(["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh"])
            .arg(script)
            .arg(tools.join(name))
            .status();
        assert!(written.unwrap().success());
    }
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let file = program.folder.path().join("secret");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = format!("file:{}", file.display());
    for (source, code) in [
        ("pass:mail/test", 0),
        ("pass:mail/other", 1),
        ("keyring", 0),
        ("keyring:other", 1),
        (file.as_str(), 0),
        ("command:pass show -- mail/test", 0),
        ("env:NOT_SET_AT_ALL", 1),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_pop3-client"))
            .args(["--password-from", source, "stat"])
            .env("XDG_CONFIG_HOME", program.folder.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{source}: {output:?}");
    }
}

#[test]
fn the_example_configuration_is_right() {
    let server = Server::start(Behaviour::default(), Vec::new());
    let program = Program::new(&server);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/pop3-client.example.toml");
    // it is read, and has no account of this name
    let output = program.run(&["--config", example, "--account", "nobody", "stat"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("there are: home, microsoft, work"),
        "{error}"
    );
}

#[test]
fn a_transcript_has_times_both_directions_and_no_secret() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    let file = program.folder.path().join("log");
    let path = file.to_str().unwrap();
    assert_eq!(
        program.code(&["--transcript", path, "--auth", "user", "show", "1"]),
        0
    );
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(!log.contains(PASSWORD));
    for part in ["Z C: PASS <password>", "Z S: +OK in", "Z C: RETR 1"] {
        assert!(log.contains(part), "{log}");
    }
    assert_eq!(program.code(&["--transcript", path, "check"]), 0);
    assert!(!std::fs::read_to_string(&file).unwrap().contains(PASSWORD));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_console_takes_a_script_from_standard_input() {
    let server = Server::start(Behaviour::default(), messages(3));
    let program = Program::new(&server);
    let input = program.folder.path().join("input");
    std::fs::write(&input, "stat\ndelete 2\nquit\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pop3-client"))
        .env("XDG_CONFIG_HOME", program.folder.path())
        .env("XDG_STATE_HOME", program.folder.path())
        .env("TEST_PASSWORD", PASSWORD)
        .stdin(std::fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 message deleted"));
    assert_eq!(server.ids(), ["id0".to_string(), "id2".to_string()].into());
}

#[test]
fn w054_places_that_cannot_be_written_are_reported_at_once_and_with_their_path() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    let file = program.folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("inside");
    let (file, inside) = (file.to_str().unwrap(), inside.to_str().unwrap());
    let folder = program.folder.path().to_str().unwrap();
    for (arguments, path) in [
        (["download", "--to", &format!("maildir:{inside}")], inside),
        (["download", "--to", "maildir:/proc/mail"], "/proc/mail"),
        (["download", "--to", &format!("files:{file}")], file),
        (["download", "--to", &format!("mbox:{inside}")], file),
        (["download", "--to", &format!("mbox:{folder}")], folder),
        (["download", "--state", "/proc/state"], "/proc/state"),
        (["--transcript", inside, "stat"], inside),
        (["--transcript", folder, "stat"], folder),
    ] {
        let output = program.run(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains(path),
            "{arguments:?}: {error}"
        );
    }
    assert!(server.heard().is_empty(), "{:?}", server.heard());
}

#[test]
fn w054_a_transcript_to_the_error_output_makes_no_file() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pop3-client"))
        .args(["--transcript", "-", "stat"])
        .current_dir(place.path())
        .env("XDG_CONFIG_HOME", program.folder.path())
        .env("TEST_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("C: STAT"));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn w054_a_mark_of_an_editor_in_the_configuration_does_no_harm() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    let path = program.folder.path().join("pop3-client/config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    assert_eq!(program.code(&["stat"]), 0);
}

#[test]
fn w040_a_certificate_that_is_named_is_believed_and_what_is_odd_about_it_is_reported() {
    let server = Server::start(Behaviour::default(), messages(1));
    let program = Program::new(&server);
    // the certificate is for the name alone
    let output = program.run(&["--host", "127.0.0.1", "--account", "test", "stat"]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("it is not for \"127.0.0.1\" but for localhost"),
        "{told}"
    );
    assert!(program.run(&["stat"]).stderr.is_empty());
}
