//! `ready`: asks the gateway that runs whether it takes logins.
//!
//! One question to `/readyz` on this machine. What the answer means is decided there.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::Failure;
use crate::cli::tools::Ready;
use crate::config::Config;
use crate::http::Serves;

/// Who is ready says so at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// The answer is a line; it may have headers.
const LONGEST: u64 = 8 * 1024;

/// Runs `ready`.
pub fn run(arguments: &Ready) -> Result<(), Failure> {
    let config = Config::load(&arguments.config)?;
    let asked = config
        .http
        .iter()
        .filter(|http| !http.has_tls() && http.serve.contains(&Serves::Health))
        .find_map(|http| http.addresses.first())
        .ok_or_else(|| {
            Failure::configuration(
                "no [[http]] without TLS serves \"health\"; add one, such as listen = \"127.0.0.1:9110\"",
            )
        })?;
    let address = on_this_machine(*asked);
    let answer = ask(address)
        .map_err(|error| Failure::running(format!("{address} does not answer: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(Failure::running(format!(
            "{address} says {}: {}",
            head.lines().next().unwrap_or("nothing"),
            body.trim_end()
        ))),
    }
}

/// Where a listener of all addresses is reached.
fn on_this_machine(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listens.port())
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(
        format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    socket.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
