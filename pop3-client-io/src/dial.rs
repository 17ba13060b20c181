//! The error when no connection can be made: one text for all runtimes.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pop3_proto::trouble::Trouble;

use crate::endpoint::Endpoint;
use crate::error::Error;

/// How long an attempt runs alone before the next address is tried as well (RFC 8305 section 5).
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// The addresses that were found, at least one.
pub(crate) fn found(
    endpoint: &Endpoint,
    found: io::Result<Vec<SocketAddr>>,
) -> Result<Vec<SocketAddr>, Error> {
    let cause = match found {
        Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
        Ok(_) => io::ErrorKind::NotFound.into(),
        Err(cause) => cause,
    };
    let trouble = Trouble::Resolve {
        cause: &cause.to_string(),
    };
    let text = trouble.text(endpoint.place(), &endpoint.words.remedies);
    Err(Error::Dial { text, cause })
}

/// None of the addresses answers; `cause` is what the system said about the last one.
pub(crate) fn unconnected(endpoint: &Endpoint, tried: &[IpAddr], cause: io::Error) -> Error {
    let say = |trouble: Trouble<'_>| trouble.text(endpoint.place(), &endpoint.words.remedies);
    let addresses = Addresses(tried);
    let text = if cause.kind() == io::ErrorKind::TimedOut {
        let waited = endpoint.patience;
        let text = say(Trouble::ConnectSilent { waited });
        format!("{text} (tried: {addresses})")
    } else {
        say(Trouble::Connect {
            cause: &format!("{cause} ({addresses})"),
        })
    };
    Error::Dial { text, cause }
}

/// A few of many.
struct Addresses<'a>(&'a [IpAddr]);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let shown: Vec<_> = self.0.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
