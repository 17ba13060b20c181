//! `/healthz` and `/readyz`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use pop3_gateway::cli::tools::Ready;
use pop3_gateway::tools::ready;
use pop3_server::shutdown::Phase;

use crate::rig::{RUNTIMES, Rig, answer};

const READY: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn the_process_lives_and_takes_logins() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime, "");
        for (path, body) in [("/healthz", "alive\n"), ("/readyz", "ready\n")] {
            let answer = rig.get(path);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
            assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
        }
        let head = rig.say("HEAD /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        for (path, status) in [("/", "404"), ("/metric", "404"), ("/readyz/", "404")] {
            assert!(
                rig.get(path).starts_with(&format!("HTTP/1.1 {status} ")),
                "{path}"
            );
        }
        let posted = rig.say(
            "POST /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
        assert!(posted.contains("allow: GET\r\n"), "{posted}");
    }
}

/// A system that watches keeps its connection, and hears it before the sockets are gone.
#[test]
fn a_server_that_shuts_down_is_not_ready() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime, "");
        let mut socket = rig.connect();
        socket.write_all(READY).unwrap();
        assert!(answer(&mut socket).ends_with("ready\n"));
        // a request is under way when the end begins
        socket.write_all(&READY[..20]).unwrap();
        let mut pop3 = std::net::TcpStream::connect(rig.pop3).unwrap();
        let mut greeting = [0; 3];
        pop3.read_exact(&mut greeting).unwrap();
        rig.server.shutdown().advance();
        assert_eq!(rig.server.shutdown().phase(), Phase::Finishing);
        socket.write_all(&READY[20..]).unwrap();
        let mut rest = String::new();
        // one that had nothing of a request yet is closed without a word
        if socket.read_to_string(&mut rest).is_ok() && !rest.is_empty() {
            assert!(rest.starts_with("HTTP/1.1 503 "), "{rest}");
            assert!(
                rest.ends_with("not ready: the server shuts down\n"),
                "{rest}"
            );
        }
    }
}

#[test]
fn what_is_not_configured_is_not_there() {
    let rig = Rig::new(RUNTIMES[0], "serve = \"metrics\"");
    assert!(rig.get("/healthz").starts_with("HTTP/1.1 404 "));
}

/// The command `ready` asks where the configuration says, and its failure says what came.
#[test]
fn the_command_says_what_the_page_says() {
    let rig = Rig::new(RUNTIMES[0], "");
    let file = rig.folder.path().join("asking.toml");
    let arguments = Ready {
        config: file.clone(),
    };
    let asked = |listen: &str| {
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:1\"\n{listen}\n[[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:1\"\n"
        );
        fs::write(&file, text).unwrap();
        ready::run(&arguments)
    };
    let port = rig.http.port();
    let http = |serve: &str| {
        format!("[[http]]\nlisten = \"0.0.0.0:{port}\"\nserve = \"{serve}\"\nconnections = 7")
    };
    assert_eq!(asked(&http("health")), Ok(()));
    assert_eq!(asked(&http("metrics")).unwrap_err().code, 2);
    assert_eq!(asked("").unwrap_err().code, 2);

    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let said = thread::spawn(move || {
        let (mut socket, _) = busy.accept().unwrap();
        let mut request = [0; 1024];
        assert_ne!(socket.read(&mut request).unwrap(), 0);
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nlater";
        socket.write_all(answer.as_bytes()).unwrap();
    });
    let failure = asked(&format!("[[http]]\nlisten = \"{address}\"")).unwrap_err();
    assert_eq!(failure.code, 1);
    assert_eq!(
        failure.message,
        format!("{address} says HTTP/1.1 503 Service Unavailable: later")
    );
    said.join().unwrap();
    let failure = asked(&format!("[[http]]\nlisten = \"{address}\"")).unwrap_err();
    assert_eq!(failure.code, 1);
    assert!(
        failure.message.contains("does not answer"),
        "{}",
        failure.message
    );
}
