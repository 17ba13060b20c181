//! `/healthz` and `/readyz`.

use std::io::{Read as _, Write as _};

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
