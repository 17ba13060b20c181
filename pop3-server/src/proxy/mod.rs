//! The PROXY protocol: a balancer in front says who its client is, before anything else comes.
//!
//! Owns which peers may say so, and what becomes of the [`Peer`]. A header is required: a connection without one
//! could be anybody's. It comes from listed peers alone, since a client that could send one would choose its own
//! address, and with it its limits, its delays and what the log says. Both versions of the
//! [specification](https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt) are read, see [`header`].
//!
//! After a header that passes on no client (LOCAL, as a balancer's own checks send it, and UNKNOWN) the peer stays the
//! proxy itself.

pub mod header;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::preamble::{Preamble, Verdict};
use crate::service::Peer;
use header::Header;

/// Reads the header of the PROXY protocol.
///
/// # Examples
///
/// ```
/// use std::net::IpAddr;
/// use pop3_server::preamble::{Preamble, Verdict};
/// use pop3_server::proxy::ProxyProtocol;
/// use pop3_server::service::Peer;
///
/// let balancer: IpAddr = "10.0.0.7".parse()?;
/// let proxied = ProxyProtocol::from_peers(move |address| address == balancer);
/// let mut peer = Peer::new("10.0.0.7:40000".parse()?, "10.0.0.9:110".parse()?);
/// assert!(proxied.hears(&peer));
/// let read = proxied.read(b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 110\r\nCAPA\r\n", &mut peer);
/// assert_eq!(read, Verdict::Done(44));
/// assert_eq!(peer.address, "192.0.2.1:4711".parse()?);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub struct ProxyProtocol {
    is_trusted: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl ProxyProtocol {
    /// From these peers; others are not heard. It is called in the accept loop and must not block.
    pub fn from_peers(is_trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self {
            is_trusted: Box::new(is_trusted),
        }
    }
}

impl fmt::Debug for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyProtocol").finish_non_exhaustive()
    }
}

impl Preamble for ProxyProtocol {
    fn hears(&self, peer: &Peer) -> bool {
        (self.is_trusted)(peer.address.ip().to_canonical())
    }

    fn read(&self, octets: &[u8], peer: &mut Peer) -> Verdict {
        let (header, length) = match header::read(octets) {
            Ok(Some(read)) => read,
            Ok(None) => return Verdict::More,
            Err(_) => return Verdict::Refused,
        };
        match header {
            Header::Client {
                source,
                destination,
            } => {
                peer.address = source;
                peer.local = destination;
            }
            Header::Itself => {}
        }
        Verdict::Done(length)
    }

    fn longest(&self) -> usize {
        header::LONGEST
    }

    /// A proxy says it at once.
    fn patience(&self) -> Duration {
        Duration::from_secs(3)
    }
}
