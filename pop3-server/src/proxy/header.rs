//! What a PROXY header says, of version 1 (a line) and of version 2 (octets).
//!
//! Pure: octets in, a verdict out. It never guesses: what is not a header from its first octet on is none, and every
//! length is held against its bound before it is waited for.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many octets a header may have. The protocol keeps it within one segment of any path.
pub const LONGEST: usize = 536;

/// The longest line of version 1, with its CR LF.
const LONGEST_LINE: usize = 107;

/// How a line of version 1 begins.
const LINE: &[u8] = b"PROXY ";

/// How version 2 begins. No command of any protocol looks like that.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version and command, family and transport, and the length of the rest.
const FIXED: usize = SIGNATURE.len() + 4;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The proxy passes on a client.
    Client {
        /// Where the client connects from.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
    /// No client with an address: the proxy connects on its own behalf (LOCAL), or does not know (UNKNOWN, a socket
    /// in the file system).
    Itself,
}

/// Octets that no header begins with, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(&'static str);

/// Reads the header at the front of these octets, and how many it has. `None`: more have to come.
///
/// # Errors
///
/// If no header begins like this, whatever comes.
pub fn read(octets: &[u8]) -> Result<Option<(Header, usize)>, Invalid> {
    if begins_like(octets, SIGNATURE) {
        return binary(octets);
    }
    if begins_like(octets, LINE) {
        return line(octets);
    }
    Err(Invalid("it does not begin like a PROXY header"))
}

/// Whether as many octets as there are agree with this beginning.
fn begins_like(octets: &[u8], beginning: &[u8]) -> bool {
    octets
        .iter()
        .zip(beginning)
        .all(|(one, other)| one == other)
}

/// Version 1.
fn line(octets: &[u8]) -> Result<Option<(Header, usize)>, Invalid> {
    let within = &octets[..octets.len().min(LONGEST_LINE)];
    let Some(end) = within.iter().position(|&octet| octet == b'\n') else {
        return match within.len() {
            LONGEST_LINE => Err(Invalid("the line is longer than 107 octets")),
            _ => Ok(None),
        };
    };
    let said = within[..end].strip_prefix(LINE);
    let said = said.and_then(|said| said.strip_suffix(b"\r"));
    let said = said.ok_or(Invalid("the line does not end with CR LF"))?;
    if said == b"UNKNOWN" || said.starts_with(b"UNKNOWN ") {
        return Ok(Some((Header::Itself, end + 1)));
    }
    let client = std::str::from_utf8(said).ok().and_then(client);
    let client = client.ok_or(Invalid(
        "the line does not name two addresses and two ports",
    ))?;
    Ok(Some((client, end + 1)))
}

/// `TCP4 192.0.2.1 192.0.2.2 4711 110`
fn client(said: &str) -> Option<Header> {
    let mut words = said.split(' ');
    let mut word = || words.next();
    let (protocol, from, to) = (word()?, word()?, word()?);
    let ports = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return None;
    }
    match protocol {
        "TCP4" => Some(pass_on::<Ipv4Addr>(
            (from.parse().ok()?, to.parse().ok()?),
            ports,
        )),
        "TCP6" => Some(pass_on::<Ipv6Addr>(
            (from.parse().ok()?, to.parse().ok()?),
            ports,
        )),
        _ => None,
    }
}

/// A decimal number without leading zeros.
fn port(text: &str) -> Option<u16> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    canonical.then(|| text.parse().ok()).flatten()
}

fn pass_on<A: Into<std::net::IpAddr>>((source, destination): (A, A), ports: (u16, u16)) -> Header {
    // a client of IPv4 is the same one, however its proxy writes it
    let address = |address: A, port| SocketAddr::new(address.into().to_canonical(), port);
    Header::Client {
        source: address(source, ports.0),
        destination: address(destination, ports.1),
    }
}

/// Version 2.
fn binary(octets: &[u8]) -> Result<Option<(Header, usize)>, Invalid> {
    let Some((head, rest)) = octets.split_first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let &[.., command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST - FIXED {
        return Err(Invalid("it is longer than 536 octets"));
    }
    let least = match (command, family) {
        // whatever is said of addresses does not count
        (0x20, _) | (0x21, 0x00) => 0,
        (0x21, 0x11) => 12,
        (0x21, 0x21) => 36,
        (0x21, 0x31) => 216,
        (0x21, 0x12 | 0x22 | 0x32) => return Err(Invalid("datagrams do not come through TCP")),
        (0x21, _) => return Err(Invalid("this family of addresses does not exist")),
        _ => return Err(Invalid("this version or command does not exist")),
    };
    if length < least {
        return Err(Invalid("it is too short for its addresses"));
    }
    let Some(said) = rest.get(..length) else {
        return Ok(None);
    };
    let (addresses, more) = said.split_at(least);
    if least != 0 {
        vectors(more)?;
    }
    let header = match least {
        12 => two_addresses(addresses).map(|(two, ports)| pass_on::<Ipv4Addr>(two, ports)),
        36 => two_addresses(addresses).map(|(two, ports)| pass_on::<Ipv6Addr>(two, ports)),
        _ => None,
    };
    Ok(Some((header.unwrap_or(Header::Itself), FIXED + length)))
}

/// Two addresses of the same length, and their ports.
fn two_addresses<A: From<[u8; N]>, const N: usize>(octets: &[u8]) -> Option<((A, A), (u16, u16))> {
    let (&source, rest) = octets.split_first_chunk::<N>()?;
    let (&destination, rest) = rest.split_first_chunk::<N>()?;
    let &[a, b, c, d] = rest.first_chunk()?;
    let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(((source.into(), destination.into()), ports))
}

/// What follows the addresses: a kind, a length and the octets, again and again. None of it is needed here.
fn vectors(mut octets: &[u8]) -> Result<(), Invalid> {
    while let [_, rest @ ..] = octets {
        let past = rest
            .split_first_chunk()
            .and_then(|(length, value)| value.get(usize::from(u16::from_be_bytes(*length))..));
        octets = past.ok_or(Invalid("what follows the addresses is cut off"))?;
    }
    Ok(())
}
