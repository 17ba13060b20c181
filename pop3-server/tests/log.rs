//! What the log says, and what it never says.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use pop3_proto::server::{Policy, TlsOffer};
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use testkit_server::list::ListService;
use testkit_server::logged::logged;
use testkit_server::peer::TlsPeer;
use testkit_server::rig::Rig;
use testkit_server::{PASSWORD, identity, peer_at, server_tls};

fn settings() -> Settings<ListService> {
    let mut settings = Settings::new(Arc::new(ListService::new(&[b"x\r\n"])));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    settings.name = "office".into();
    settings
}

#[test]
fn a_session_is_one_line() {
    let log = logged(|| {
        let mut rig = Rig::new(&Arc::new(settings()), &Server::new());
        rig.log_in();
        rig.ask("RETR 1");
        rig.ask("DELE 1");
        rig.wait(Duration::from_secs(3));
        rig.ask("QUIT");
    });
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("session ended"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in [
        "INFO pop3_server::session",
        "user=\"joe\"",
        "peer=192.0.2.1:4711",
        "listener=\"office\"",
        "messages=1",
        "retrieved=1",
        "octets=3",
        "deleted=1",
        "upstream=\"list\"",
        "seconds=3",
        "reason=\"quit\"",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
}

/// T016.
#[test]
fn t016_tls_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = logged(|| {
        let mut settings = settings();
        settings.policy = Arc::new(Policy::default().tls(TlsOffer::Implicit));
        settings.tls = Some(server_tls(folder.path(), &["mail.example.org"]));
        let mut rig = Rig::new(&Arc::new(settings), &Server::new());
        let identity = identity(folder.path(), &["mail.example.org"]);
        let mut client = TlsPeer::client(&identity, "mail.example.org", &[]);
        client.send(format!("USER joe\r\nPASS {PASSWORD}\r\nQUIT\r\n").as_bytes());
        for _ in 0..5 {
            rig.say(client.wire());
            client.receive(&std::mem::take(&mut rig.client.outbound));
        }
    });
    for text in ["logged in", "session ended"] {
        let line = log.lines().find(|line| line.contains(text)).unwrap();
        assert!(
            line.contains("tls=\"TLSv1.3\"") && line.contains("cipher=\"TLS13_"),
            "{line}"
        );
    }
    assert!(!log.contains("CLEAR"));
}

/// V41.
#[test]
fn v41_a_login_in_the_clear_is_loud() {
    for (peer, loud) in [
        ("192.0.2.1:1", true),
        ("127.0.0.1:1", false),
        ("[::1]:1", false),
    ] {
        let log = logged(|| {
            let server = Server::new();
            Rig::at(&Arc::new(settings()), &server, peer_at(peer))
                .unwrap()
                .log_in();
        });
        let warned = log
            .lines()
            .any(|line| line.contains("WARN") && line.contains("CLEAR"));
        assert_eq!(warned, loud, "{log}");
    }
}

/// V37, qG6: the client hears a fixed text, the operator what the upstream said.
#[test]
fn v37_qg6_a_refusal_has_its_detail_in_the_log_alone() {
    let log = logged(|| {
        let mut rig = Rig::new(&Arc::new(settings()), &Server::new());
        rig.ask("USER joe");
        rig.ask("PASS nope");
        rig.wait(Duration::from_secs(2));
        assert!(!rig.heard().contains("wrong password"));
    });
    let line = log
        .lines()
        .find(|line| line.contains("login refused"))
        .unwrap();
    assert!(
        line.contains("wrong password") && line.contains("Credentials"),
        "{line}"
    );
}

/// V33, V34: nothing that a client proves itself with, in whatever form it came, and no control
/// character that a terminal would obey.
#[test]
fn v33_v34_no_secret_is_logged() {
    let log = logged(|| {
        let mut rig = Rig::new(&Arc::new(settings()), &Server::new());
        for lines in [
            "USER \u{85}joe\r\nPASS hush-hush\r\n",
            "USER joe\r\nPASS hush-hush\r\nPASS hush-hush\r\n",
            "PASS hush-hush\r\nhush-hush\r\n",
            "AUTH PLAIN AGpvZQBodXNoLWh1c2g=\r\n",
            "AUTH LOGIN\r\nam9l\r\naHVzaC1odXNo\r\n",
            "AUTH PLAIN\r\nhush-hush\r\n",
        ] {
            rig.say(lines);
            rig.wait(Duration::from_secs(60));
        }
        rig.end_of_stream();
    });
    assert!(log.contains("login refused"));
    for secret in ["hush", "AGpvZQBodXNoLWh1c2g", "aHVzaC1odXNo", "\u{85}"] {
        assert!(!log.contains(secret), "{secret:?} is in {log}");
    }
}

/// W029: what follows a name and may be a password is in no line, unless the name was proven.
#[test]
fn w029_what_was_typed_after_a_name_is_not_logged() {
    let log = logged(|| {
        let mut rig = Rig::new(&Arc::new(settings()), &Server::new());
        rig.say("USER joe hush-hush\r\nPASS x\r\n");
        rig.wait(Duration::from_secs(60));
        rig.end_of_stream();
    });
    assert!(
        log.contains("login refused") && log.contains("session ended"),
        "{log}"
    );
    assert!(log.contains("user=\"joe <9 octets>\""), "{log}");
    assert!(!log.contains("hush"), "{log}");
}

/// W020: each login that is not found good is one line, whether it was looked at or not.
#[test]
fn w020_an_attempt_that_hangs_up_is_logged_as_refused() {
    let log = logged(|| {
        let (settings, server) = (Arc::new(settings()), Server::new());
        for n in 0..5 {
            let mut rig = Rig::new(&settings, &server);
            rig.ask(&format!("USER user{n}"));
            rig.say("PASS guess\r\n");
            rig.reset();
        }
    });
    let refused: Vec<_> = log
        .lines()
        .filter(|line| line.contains("INFO") && line.contains("login refused"))
        .collect();
    assert_eq!(refused.len(), 5, "{log}");
    for (n, line) in refused.iter().enumerate() {
        assert!(line.contains(&format!("user=\"user{n}\"")), "{line}");
        assert!(line.contains("peer=192.0.2.1:4711"), "{line}");
        let waits = line.contains("the client left while the login waited");
        assert_eq!(waits, n > 0, "{line}");
    }
}
