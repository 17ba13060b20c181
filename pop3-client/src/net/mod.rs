//! The way to a server: name to address, TCP, TLS. It moves octets and knows no POP3.
//!
//! Blocking on purpose: a client has one connection. Reads wait no longer than they are told to.

mod dial;
mod tls;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub use dial::DialError;
pub use peer_trust::Fingerprint;
pub use tls::{TlsError, TlsFacts, Trust};

use pop3_proto::trouble::Place;
use rustls::{ClientConnection, StreamOwned};

/// A connection, in clear or through TLS.
pub struct Stream {
    way: Way,
    peer: SocketAddr,
}

enum Way {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>, TlsFacts),
    /// A handshake failed half-way; nothing can be said any more.
    Dead,
}

impl Stream {
    /// Connects to whichever address of the host answers first.
    pub fn dial(host: &str, port: u16, patience: Duration) -> Result<Self, DialError> {
        let (socket, peer) = dial::dial(bare(host), port, patience)?;
        // commands are small and wait for their answer
        let _ = socket.set_nodelay(true);
        Ok(Self {
            way: Way::Clear(socket),
            peer,
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
            return Err(TlsError::Failed("TLS is active already".into()));
        };
        let host = bare(host);
        let place = Place {
            host,
            port: self.peer.port(),
        };
        let mut plan = trust.plan(host)?;
        plan.shake_hands(&mut socket, place, patience)?;
        let facts = plan.facts();
        let stream = StreamOwned::new(plan.connection, socket);
        self.way = Way::Tls(Box::new(stream), facts);
        Ok(())
    }

    /// What TLS came to, if there is TLS.
    pub fn tls(&self) -> Option<TlsFacts> {
        match &self.way {
            Way::Tls(_, facts) => Some(facts.clone()),
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
        if let Way::Tls(stream, _) = &mut self.way {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }

    fn socket(&self) -> Option<&TcpStream> {
        match &self.way {
            Way::Clear(socket) => Some(socket),
            Way::Tls(stream, _) => Some(&stream.sock),
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
            Way::Tls(stream, _) => match stream.read(buffer) {
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
            Way::Tls(stream, _) => stream.write(buffer),
            Way::Dead => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Clear(socket) => socket.flush(),
            Way::Tls(stream, _) => stream.flush(),
            Way::Dead => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A host without the brackets that an IPv6 address may stand in.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|inside| inside.strip_suffix(']'))
        .unwrap_or(host)
}
