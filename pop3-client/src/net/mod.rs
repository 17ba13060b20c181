//! The way to a server: name to address, TCP, TLS. It moves octets and knows no POP3.
//!
//! Blocking on purpose: a client has one connection. Reads wait no longer than they are told to.

mod tls;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

pub use tls::{Fingerprint, TlsError, TlsFacts, Trust};

use rustls::{ClientConnection, StreamOwned};

/// A connection, in clear or through TLS.
pub struct Stream {
    way: Way,
    peer: SocketAddr,
}

enum Way {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// A handshake failed half-way; nothing can be said any more.
    Dead,
}

/// No connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address.
    #[error(
        "cannot find the address of '{host}': {cause}; is the name right, and is there a network?"
    )]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// None of the addresses answers.
    #[error("cannot connect to '{host}' port {port} ({address}): {cause}")]
    Connect {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// The address that was tried last.
        address: IpAddr,
        /// What the system said about it.
        #[source]
        cause: io::Error,
    },
}

impl Stream {
    /// Connects to the first address that answers.
    pub fn dial(host: &str, port: u16, patience: Duration) -> Result<Self, DialError> {
        let host = bare(host);
        let resolve = |cause| DialError::Resolve {
            host: host.into(),
            cause,
        };
        let addresses = (host, port).to_socket_addrs().map_err(resolve)?;
        let mut failure = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, patience) {
                Ok(socket) => {
                    // commands are small and wait for their answer
                    let _ = socket.set_nodelay(true);
                    return Ok(Self {
                        way: Way::Clear(socket),
                        peer: address,
                    });
                }
                Err(cause) => failure = Some((address.ip(), cause)),
            }
        }
        Err(match failure {
            Some((address, cause)) => DialError::Connect {
                host: host.into(),
                port,
                address,
                cause,
            },
            None => resolve(io::ErrorKind::NotFound.into()),
        })
    }

    /// Goes over to TLS. After an error the connection is of no use.
    pub fn start_tls(
        &mut self,
        host: &str,
        trust: &Trust,
        patience: Duration,
    ) -> Result<(), TlsError> {
        let Way::Clear(mut socket) = std::mem::replace(&mut self.way, Way::Dead) else {
            return Err(TlsError::Handshake("TLS is active already".into()));
        };
        let mut connection = trust.connection(bare(host))?;
        let limits = socket
            .set_read_timeout(Some(patience))
            .and_then(|()| socket.set_write_timeout(Some(patience)));
        limits.map_err(|error| TlsError::Handshake(error.to_string()))?;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut socket) {
                return Err(tls::failure(&error, bare(host), trust));
            }
        }
        self.way = Way::Tls(Box::new(StreamOwned::new(connection, socket)));
        Ok(())
    }

    /// What TLS came to, if there is TLS.
    pub fn tls(&self) -> Option<TlsFacts> {
        match &self.way {
            Way::Tls(stream) => Some(TlsFacts::of(&stream.conn)),
            Way::Clear(_) | Way::Dead => None,
        }
    }

    /// The server's address.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Limits every read and write from now on.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        // a zero would mean "for ever"
        let patience = Some(patience.max(Duration::from_millis(1)));
        match self.socket() {
            Some(socket) => {
                socket.set_read_timeout(patience)?;
                socket.set_write_timeout(patience)
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says good-bye to TLS, if there is TLS; the socket closes when this is dropped.
    pub fn close(&mut self) {
        if let Way::Tls(stream) = &mut self.way {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }

    fn socket(&self) -> Option<&TcpStream> {
        match &self.way {
            Way::Clear(socket) => Some(socket),
            Way::Tls(stream) => Some(&stream.sock),
            Way::Dead => None,
        }
    }
}

impl Read for Stream {
    /// 0 is the end; a server that forgets to end TLS properly has ended all the same, because a
    /// response says itself whether it is complete.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.way {
            Way::Clear(socket) => socket.read(buffer),
            Way::Tls(stream) => match stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
            Way::Dead => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.way {
            Way::Clear(socket) => socket.write(buffer),
            Way::Tls(stream) => stream.write(buffer),
            Way::Dead => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Clear(socket) => socket.flush(),
            Way::Tls(stream) => stream.flush(),
            Way::Dead => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A host without the brackets that an IPv6 address may stand in.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|inside| inside.strip_suffix(']'))
        .unwrap_or(host)
}
