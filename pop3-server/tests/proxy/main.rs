//! The PROXY protocol: the header by itself, and sessions after it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod header;
mod sessions;

use pop3_server::proxy::header::Header;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn passed_on(source: &str, destination: &str) -> Header {
    Header::Client {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}
