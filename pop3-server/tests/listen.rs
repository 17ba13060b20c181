//! The accepting socket.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::TcpStream;

use pop3_server::listen::{VANISHED, listen};
use socket2::SockRef;

/// G17: a client that vanished does not hold its maildrop until autologout.
#[test]
fn g17_an_accepted_socket_asks_whether_its_peer_is_there() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    listener.set_nonblocking(false).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let accepted = SockRef::from(&accepted);
    assert!(accepted.keepalive().unwrap());
    let probes = accepted.tcp_keepalive_retries().unwrap();
    let longest = accepted.tcp_keepalive_time().unwrap()
        + accepted.tcp_keepalive_interval().unwrap() * probes;
    assert_eq!(longest, VANISHED);
    assert_eq!(VANISHED.as_secs(), 120);
}
