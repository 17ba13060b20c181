//! From an empty folder to the first mail, by commands alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use oauth2::url::Url;
use serde_json::{Value, json};
use testkit::imap_server::{Options, Server, Store};
use testkit::tcp::TcpHost;

use crate::rig::{ANN, Script};

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"));
    command.args(words).stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    command(words).output().unwrap()
}

fn good(words: &[&str]) -> String {
    let output = run(words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Goes to the address that is shown, as a browser that is signed in already, and comes back.
fn sign_in(config: &str) {
    let words = ["sign-in", "--config", config, ANN];
    let mut child = Running(command(&words).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let shown = lines.find_map(|line| Url::parse(&line.ok()?).ok()).unwrap();
    let asked = |key: &str| {
        let mut pairs = shown.query_pairs();
        pairs.find(|(name, _)| name == key).unwrap().1.into_owned()
    };
    assert_eq!(asked("code_challenge_method"), "S256");
    let back = Url::parse(&asked("redirect_uri")).unwrap();
    let address = (back.host_str().unwrap(), back.port().unwrap());
    let mut browser = TcpStream::connect(address).unwrap();
    let line = format!("GET /?code=abc&state={} HTTP/1.1\r\n\r\n", asked("state"));
    browser.write_all(line.as_bytes()).unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).unwrap();
    assert!(page.contains("You can close this page"), "{page}");
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(child.0.wait().unwrap().success(), "{rest:?}");
    assert!(
        rest.iter()
            .any(|line| line.contains("account add --config")),
        "{rest:?}"
    );
}

fn first_mail(config: &str, runtime: &str, password: &str) -> String {
    let words = [
        "serve",
        "--config",
        config,
        "--runtime",
        runtime,
        "--log",
        "json",
    ];
    let mut child = Running(command(&words).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let entry: Value = serde_json::from_str(&line.ok()?).ok()?;
        (entry["message"] == "listening").then(|| entry["address"].as_str().unwrap().to_owned())
    });
    // the log has to go somewhere
    std::thread::spawn(move || lines.for_each(drop));
    let mut client = TcpStream::connect(address.unwrap()).unwrap();
    let said = format!("USER {ANN}\r\nPASS {password}\r\nRETR 1\r\nQUIT\r\n");
    let mut answers = BufReader::new(client.try_clone().unwrap());
    let mut all = String::new();
    for line in said.split_inclusive("\r\n") {
        client.write_all(line.as_bytes()).unwrap();
        if line.starts_with("PASS") {
            // greeting, USER, PASS
            for _ in 0..3 {
                answers.read_line(&mut all).unwrap();
            }
        }
    }
    answers.read_to_string(&mut all).unwrap();
    all
}

#[test]
fn four_commands_lead_from_an_empty_folder_to_the_first_mail() {
    let token = json!({ "access_token": "the-token", "refresh_token": "again", "token_type": "Bearer", "expires_in": 3600 });
    let issuer = Script {
        answer: (200, token.to_string()),
        metadata: Some(
            r#"{"issuer":"OWN","authorization_endpoint":"OWN/auth","token_endpoint":"OWN/token"}"#
                .into(),
        ),
        date: String::new(),
    };
    let issuer = format!("http://{}", issuer.serve());
    let store = Store::new();
    store.add_user(ANN, "nobody knows it");
    store.add_token(ANN, "the-token");
    store.deliver(ANN, b"Subject: the first\r\n\r\nmail\r\n".to_vec());
    let imap = TcpHost::start("127.0.0.1:0", Server::new(store, Options::default())).unwrap();
    let upstream = format!("imap://{}", imap.address());
    for runtime in ["tokio", "smol"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.toml");
        let config = file.to_str().unwrap();
        let setup = [
            "setup",
            ANN,
            "--config",
            config,
            "--issuer",
            &issuer,
            "--client-id",
            "app",
            "--upstream",
            &upstream,
            "--listen",
            "127.0.0.1:0",
        ];
        let said = good(&setup);
        for next in [
            "sign-in --config",
            "account add --config",
            "serve --config",
            "doctor --config",
        ] {
            assert!(said.contains(next), "{said}");
        }
        sign_in(config);
        let made = good(&[
            "account",
            "add",
            "--config",
            config,
            "--json",
            "--mailbox",
            ANN,
        ]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let all = first_mail(config, runtime, made["password"].as_str().unwrap());
        assert!(all.contains("Subject: the first"), "{all}");
        good(&["doctor", "--config", config, ANN]);
        never_over_another_file(&setup, &file);
    }
}

fn never_over_another_file(setup: &[&str], file: &Path) {
    let before = std::fs::read(file).unwrap();
    assert_eq!(run(setup).status.code(), Some(3));
    assert_eq!(std::fs::read(file).unwrap(), before);
}

#[test]
fn setup_knows_providers_by_their_domains_and_says_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let setup = |address: &str, more: &[&str]| {
        let file = folder.path().join(format!("{address}.toml"));
        let output = run(&[
            &["setup", address, "--config", file.to_str().unwrap()],
            more,
        ]
        .concat());
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (output, text)
    };
    let (output, text) = setup("ann@gmail.com", &[]);
    assert!(
        text.contains("profile = \"google\"") && text.contains("imaps://imap.gmail.com"),
        "{text}"
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("Register an app") && text.contains("PUT-THE-ID-OF-YOUR-APP-HERE"),
        "{said}"
    );
    let app = [
        "--profile",
        "microsoft",
        "--flow",
        "app",
        "--client-id",
        "a",
        "--client-secret-file",
        "s",
    ];
    let (output, text) = setup(
        "ann@example.org",
        &[&app[..], &["--tenant", "example.org"]].concat(),
    );
    assert!(
        output.status.success() && text.contains("outlook.office365.com"),
        "{text}"
    );
    assert!(
        !String::from_utf8(output.stdout)
            .unwrap()
            .contains("sign-in")
    );
    // what the other commands would refuse is not written
    let (output, text) = setup("bob@example.org", &app);
    assert_eq!((output.status.code(), text.as_str()), (Some(2), ""));
    assert_eq!(setup("nobody", &[]).0.status.code(), Some(2));
}
