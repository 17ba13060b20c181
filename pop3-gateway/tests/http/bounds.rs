//! What a client cannot do, whatever it sends.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::rig::{RUNTIMES, Rig};

/// V39: what is long is refused as soon as it is too long.
#[test]
fn v39_requests_are_bounded() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime, "");
        let header = format!("X: {}\r\n", "x".repeat(1000));
        let long = format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            header.repeat(100)
        );
        assert!(rig.say(long).starts_with("HTTP/1.1 431 "));
        let many = format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(200)
        );
        assert!(rig.say(many).starts_with("HTTP/1.1 431 "));
        for garbage in [
            "\r\n\r\n\0\0\0\r\n\r\n",
            "USER tim\r\n",
            "GET /healthz\r\n\r\n",
            "GET http://[::1/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            // a first line may be waited for, so the client ends its side
            let mut socket = rig.connect();
            socket.write_all(garbage.as_bytes()).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let mut said = Vec::new();
            let _ = socket.read_to_end(&mut said);
            let said = String::from_utf8_lossy(&said);
            assert!(!said.contains("200 OK"), "{garbage:?}: {said}");
        }
        assert!(rig.get("/healthz").starts_with("HTTP/1.1 200 "));
    }
}

/// V39: one client's connections are counted, and those that stand idle go by themselves.
#[test]
fn v39_many_connections_and_slow_ones_leave_room() {
    // their time runs for both at once
    std::thread::scope(|scope| {
        for runtime in RUNTIMES {
            scope.spawn(|| idle_ones_go(runtime));
        }
    });
}

fn idle_ones_go(runtime: &str) {
    let rig = Rig::new(runtime, "connections = 3");
    let mut slow: Vec<_> = (0..3).map(|_| rig.connect()).collect();
    for socket in &mut slow {
        // places are taken when they are accepted, which is before this is answered
        socket
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /")
            .unwrap();
        let mut first = [0; 12];
        socket.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    assert_eq!(rig.get("/healthz"), "");
    // they began a request and do not end it
    for socket in &mut slow {
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
    }
    assert!(rig.get("/healthz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn only_these_networks_are_served() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime, "networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]");
        assert_eq!(rig.get("/healthz"), "");
        let rig = Rig::new(runtime, "networks = [\"192.0.2.0/24\", \"127.0.0.1\"]");
        assert!(rig.get("/healthz").starts_with("HTTP/1.1 200 "));
    }
}

/// The places of POP3 are others: a full house there still answers here.
#[test]
fn a_full_house_still_says_that_it_lives() {
    for runtime in RUNTIMES {
        let rig = Rig::with(runtime, "", "[limits]\nconnections = 2\n");
        let sockets: Vec<_> = (0..2)
            .map(|_| {
                let mut socket = std::net::TcpStream::connect(rig.pop3).unwrap();
                let mut greeting = [0; 3];
                socket.read_exact(&mut greeting).unwrap();
                socket
            })
            .collect();
        assert!(rig.get("/healthz").starts_with("HTTP/1.1 200 "));
        drop(sockets);
    }
}

/// And a flood there turns out no browser, nor does a browser take a place of it.
#[test]
fn a_flood_of_strangers_leaves_browsers_alone() {
    for runtime in RUNTIMES {
        let rig = Rig::with(runtime, "", "[limits]\nconnections = 2\n");
        // older than every stranger, and from the same address
        let mut browser = rig.connect();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        browser.write_all(request).unwrap();
        assert!(crate::rig::answer(&mut browser).starts_with("HTTP/1.1 200 "));
        assert_eq!(rig.server.crowd().count(), (0, 0));
        let _standing: Vec<_> = (0..2).map(|_| rig.connect_pop3()).collect();
        while rig.server.crowd().make_room() {}
        let _others: Vec<_> = (0..2).map(|_| rig.connect_pop3()).collect();
        browser.write_all(request).unwrap();
        assert!(crate::rig::answer(&mut browser).starts_with("HTTP/1.1 200 "));
        assert_eq!(rig.server.crowd().count().0, 2);
    }
}

/// With TLS there is nothing in the clear. curl is the other side, where it is installed.
#[test]
fn tls_is_all_or_nothing() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime, "self_signed = \"tls\"");
        assert!(!rig.get("/healthz").contains("200 OK"));
        let curl = Command::new("curl")
            .args(["-sS", "--http1.1", "--max-time", "50", "--cacert"])
            .arg(rig.folder.path().join("tls/self-signed.crt"))
            .arg(format!("https://{}/healthz", rig.http))
            .stderr(Stdio::null())
            .output();
        if let Ok(said) = curl {
            assert_eq!(String::from_utf8_lossy(&said.stdout), "alive\n");
        }
    }
}
