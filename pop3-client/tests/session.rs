//! Connections and logins.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::{Behaviour, PASSWORD, Server, TOKEN, identity, messages};
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, Identity, Preference, SecretKind, TlsMode, Transcript, Trust};
use pop3_proto::client::Method;
use pop3_proto::secret::Secret;

fn connect(server: &Server, tls: TlsMode) -> Result<Session, Error> {
    Session::connect(&server.endpoint(tls))
}

fn log_in(server: &Server, tls: TlsMode, identity: &Identity) -> Result<Method, Error> {
    connect(server, tls)?.log_in(identity)
}

#[test]
fn tls_begins_when_it_should() {
    let plain = Server::start(Behaviour::default(), Vec::new());
    assert!(connect(&plain, TlsMode::Starttls).unwrap().tls().is_some());
    assert!(connect(&plain, TlsMode::IfOffered).unwrap().tls().is_some());
    assert!(connect(&plain, TlsMode::None).unwrap().tls().is_none());
    let none = Server::start(
        Behaviour {
            stls: false,
            ..Behaviour::default()
        },
        Vec::new(),
    );
    assert!(matches!(
        connect(&none, TlsMode::Starttls),
        Err(Error::NoStls(_))
    ));
    assert!(connect(&none, TlsMode::IfOffered).unwrap().tls().is_none());
    let implicit = Server::start(
        Behaviour {
            implicit: true,
            ..Behaviour::default()
        },
        Vec::new(),
    );
    assert!(
        connect(&implicit, TlsMode::Implicit)
            .unwrap()
            .tls()
            .is_some()
    );
    // TLS to a server that speaks none says what to do
    let Err(Error::Tls(error)) = connect(&plain, TlsMode::Implicit) else {
        panic!("TLS with a server that has none");
    };
    assert!(error.to_string().contains("starttls"), "{error}");
}

#[test]
fn a_server_hides_that_it_can_stls_and_still_can() {
    let behaviour = Behaviour {
        capabilities: None,
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, Vec::new());
    assert!(connect(&server, TlsMode::Starttls).unwrap().tls().is_some());
    assert_eq!(
        log_in(&server, TlsMode::Starttls, &identity()).unwrap(),
        Method::UserPass
    );
}

#[test]
fn ct021_w040_certificates_are_believed_by_authority_by_pin_or_blindly() {
    let behaviour = Behaviour {
        implicit: true,
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, Vec::new());
    let with = |trust: Trust, host: &str| {
        let mut endpoint = server.endpoint(TlsMode::Implicit);
        endpoint.trust = trust;
        endpoint.host = host.into();
        Session::connect(&endpoint)
    };
    let file = || Trust::File(server.shared.certificate.file.path().into());
    let session = with(file(), "localhost").unwrap();
    let pin = session.tls().unwrap().certificate.parse().unwrap();
    assert!(with(Trust::Pin(pin), "127.0.0.1").is_ok());
    assert!(with(Trust::Anybody, "127.0.0.1").is_ok());
    // it stands in the file itself, and that counts more than its name (W040)
    assert!(with(file(), "127.0.0.1").is_ok());
    let stranger = common::Certificate::new();
    let foreign = || Trust::File(stranger.file.path().into());
    let other = "00".repeat(32).parse().unwrap();
    for (trust, host, word) in [
        (foreign(), "127.0.0.1", "127.0.0.1"),
        (Trust::Pin(other), "localhost", "pinned"),
        (Trust::System, "localhost", ""),
    ] {
        let Err(Error::Tls(error)) = with(trust, host) else {
            panic!("{host} is believed");
        };
        let text = error.to_string();
        assert!(text.contains(word), "{text}");
    }
    // the refusal tells the fingerprint that a pin takes
    let text = with(foreign(), "127.0.0.1").err().unwrap().to_string();
    assert!(
        text.contains(&pin.to_string()) && text.contains("--pin"),
        "{text}"
    );
}

#[test]
fn the_strongest_login_first_and_the_next_where_a_digest_is_not_kept() {
    let server = Server::start(Behaviour::default(), Vec::new());
    assert_eq!(
        log_in(&server, TlsMode::Starttls, &identity()).unwrap(),
        Method::Plain
    );
    let heard = server.heard();
    let auth: Vec<_> = heard
        .iter()
        .filter(|line| line.starts_with("AUTH"))
        .collect();
    assert_eq!(auth[0], "AUTH CRAM-MD5");
    assert!(auth[1].starts_with("AUTH PLAIN "));
}

#[test]
fn every_way_in() {
    let behaviour = Behaviour {
        stamp: true,
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, Vec::new());
    for (preference, method) in [
        (Preference::User, Method::UserPass),
        (Preference::Apop, Method::Apop),
        (Preference::Plain, Method::Plain),
        (Preference::Login, Method::Login),
    ] {
        let identity = Identity {
            preference,
            ..identity()
        };
        assert_eq!(
            log_in(&server, TlsMode::Starttls, &identity).unwrap(),
            method
        );
    }
    for initial_response in [true, false] {
        let token = Identity {
            secret: Secret::from(TOKEN.as_bytes()),
            kind: SecretKind::Token,
            initial_response,
            ..identity()
        };
        assert_eq!(
            log_in(&server, TlsMode::Starttls, &token).unwrap(),
            Method::XOauth2
        );
    }
}

#[test]
fn a_wrong_password_is_one_attempt_by_each_way_at_most() {
    let server = Server::start(Behaviour::default(), Vec::new());
    let wrong = Identity {
        secret: Secret::from(&b"wrong"[..]),
        ..identity()
    };
    let error = log_in(&server, TlsMode::Starttls, &wrong).unwrap_err();
    assert!(error.is_bad_login());
    assert!(error.to_string().contains("[AUTH]"), "{error}");
    let attempts = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("AUTH"))
        .count();
    assert_eq!(attempts, 2);
}

#[test]
fn no_secret_gets_into_the_transcript() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let behaviour = Behaviour {
        stamp: true,
        ..Behaviour::default()
    };
    let server = Server::start(behaviour, messages(2));
    for preference in [
        Preference::User,
        Preference::Apop,
        Preference::Plain,
        Preference::Login,
    ] {
        let endpoint = server.endpoint(TlsMode::Starttls);
        let transcript = Transcript::to(log.clone());
        let mut session = Session::connect(&endpoint.transcript(transcript)).unwrap();
        session
            .log_in(&Identity {
                preference,
                ..identity()
            })
            .unwrap();
        session.message(1, None).unwrap();
        session.quit().unwrap();
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let secrets: Vec<String> = server
        .heard()
        .iter()
        .filter(|line| {
            ["PASS ", "APOP ", "AUTH PLAIN "]
                .iter()
                .any(|verb| line.starts_with(verb))
        })
        .map(|line| line.rsplit(' ').next().unwrap().to_string())
        .collect();
    assert_eq!(secrets.len(), 3);
    for secret in secrets
        .iter()
        .map(String::as_str)
        .chain([PASSWORD, "Y29ycmVjdCBob3JzZQ=="])
    {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
    for part in [
        "C: PASS <password>",
        "S: +OK",
        "C: RETR 1",
        "octets>",
        "*: TLSv1.3",
    ] {
        assert!(log.contains(part), "{part} not in\n{log}");
    }
}

#[test]
fn a_silent_server_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(Behaviour::default(), Vec::new());
    let mut endpoint = server.endpoint(TlsMode::None);
    endpoint.port = listener.local_addr().unwrap().port();
    endpoint.patience = std::time::Duration::from_millis(100);
    let error = Session::connect(&endpoint).err().unwrap();
    assert!(
        error.is_loss() && error.to_string().contains("greeting"),
        "{error}"
    );
}

/// Takes one connection, says this, and closes or waits.
fn saying(octets: &'static [u8], closes: bool) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.write_all(octets);
        if closes {
            // the end, and no reset: what the client still says is taken in
            let _ = socket.shutdown(std::net::Shutdown::Write);
        }
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    });
    port
}

#[test]
fn w047_every_failure_before_the_login_names_host_port_cause_and_remedy() {
    let server = Server::start(Behaviour::default(), Vec::new());
    let implicit = Behaviour {
        implicit: true,
        ..Behaviour::default()
    };
    let implicit = Server::start(implicit, Vec::new());
    let bare = Behaviour {
        stls: false,
        ..Behaviour::default()
    };
    let bare = Server::start(bare, Vec::new());
    let unused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let plain = server.address.port();
    let of = |server: &Server| server.address.port();
    for (tls, port, loss, words) in [
        (TlsMode::None, unused, true, &["refused", "firewall"][..]),
        (
            TlsMode::Implicit,
            plain,
            false,
            &["does not speak TLS", "--tls starttls"],
        ),
        (
            TlsMode::None,
            of(&implicit),
            true,
            &["no greeting within 0.2 s", "--tls implicit"],
        ),
        (
            TlsMode::Starttls,
            of(&implicit),
            true,
            &["no greeting", "--tls implicit"],
        ),
        (
            TlsMode::Starttls,
            of(&bare),
            false,
            &["does not offer STLS", "--tls implicit"],
        ),
        (
            TlsMode::None,
            saying(b"", false),
            true,
            &["no greeting", "--tls implicit"],
        ),
        (
            TlsMode::None,
            saying(b"", true),
            true,
            &["before its greeting", "own log"],
        ),
        (
            TlsMode::Implicit,
            saying(b"", true),
            false,
            &["within the TLS handshake", "--tls starttls"],
        ),
        (
            TlsMode::Implicit,
            saying(b"", false),
            false,
            &["TLS handshake within", "--tls starttls"],
        ),
        (
            TlsMode::None,
            saying(b"220 mail ESMTP\r\n", false),
            false,
            &["220 mail ESMTP", "port"],
        ),
        (
            TlsMode::None,
            saying(b"-ERR [SYS/TEMP] full\r\n", true),
            true,
            &["full", "turns"],
        ),
        (
            TlsMode::None,
            saying(b"-ERR go away\r\n", true),
            false,
            &["go away", "turns"],
        ),
        (
            TlsMode::None,
            saying(b"+OK\r\n", false),
            true,
            &["CAPA", "0.2 s"],
        ),
        (
            TlsMode::None,
            saying(b"+OK\r\n", true),
            true,
            &["CAPA", "closed the connection"],
        ),
    ] {
        let mut endpoint = server.endpoint(tls);
        endpoint.port = port;
        endpoint.patience = std::time::Duration::from_millis(200);
        let error = Session::connect(&endpoint).err().unwrap();
        let text = error.to_string();
        assert_eq!(error.is_loss(), loss, "{tls:?} {text}");
        assert!(
            text.contains(&format!("localhost port {port}")),
            "{tls:?} {text}"
        );
        for word in words {
            assert!(text.contains(word), "{tls:?} {word}: {text}");
        }
        for debug in ["InvalidContentType", "Error", "{", "os error 11)", "kind:"] {
            assert!(!text.contains(debug), "{text}");
        }
    }
    let wrong = Identity {
        secret: Secret::from(&b"wrong"[..]),
        ..identity()
    };
    let text = log_in(&server, TlsMode::Starttls, &wrong)
        .unwrap_err()
        .to_string();
    for word in [&format!("localhost port {plain}"), "alice", "whole address"] {
        assert!(text.contains(word), "{text}");
    }
}
