//! A client's connection, plain or through TLS, read with a buffer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use memchr::{memchr, memmem};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Outcome;
use crate::place::HOST_NAME;

/// What is read at once.
const BUFFER: usize = 256 * 1024;

const PATIENCE: Duration = Duration::from_secs(120);

/// One cipher for all, the one they agree on by default.
pub(crate) fn trusting(certificate: &[u8]) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate))?;
    let provider = CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384],
        ..default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

pub(crate) struct Wire {
    socket: Socket,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wire {
    pub(crate) fn plain(port: u16) -> Outcome<Self> {
        let stream = connect(port)?;
        Ok(Self::new(Socket::Plain(stream)))
    }

    pub(crate) fn tls(port: u16, config: &Arc<ClientConfig>) -> Outcome<Self> {
        let name = ServerName::try_from(HOST_NAME)?;
        let connection = ClientConnection::new(Arc::clone(config), name)?;
        let stream = StreamOwned::new(connection, connect(port)?);
        Ok(Self::new(Socket::Tls(Box::new(stream))))
    }

    fn new(socket: Socket) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Outcome {
        match &mut self.socket {
            Socket::Plain(stream) => stream.write_all(bytes)?,
            Socket::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    /// The next line, without its line end.
    pub(crate) fn line(&mut self) -> Outcome<&[u8]> {
        let mut searched = self.start;
        let at = loop {
            if let Some(at) = memchr(b'\n', &self.buffer[searched..self.end]) {
                break searched + at;
            }
            let before = self.end - self.start;
            self.fill()?;
            searched = self.start + before;
        };
        let line = &self.buffer[self.start..at];
        self.start = at + 1;
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Waits until something is there to read.
    pub(crate) fn wait(&mut self) -> Outcome {
        if self.start == self.end {
            self.fill()?;
        }
        Ok(())
    }

    /// Reads over this many octets.
    pub(crate) fn skip(&mut self, octets: u64) -> Outcome {
        let mut left = octets;
        loop {
            let n = left.min((self.end - self.start) as u64);
            self.start += n as usize;
            left -= n;
            if left == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Reads over the rest of a multi-line response; tells how long it was, terminating line included.
    pub(crate) fn body(&mut self) -> Outcome<u64> {
        const END: &[u8] = b"\r\n.\r\n";
        while self.end - self.start < 3 {
            self.fill()?;
        }
        if self.buffer[self.start..].starts_with(&END[2..]) {
            self.start += 3;
            return Ok(3);
        }
        let mut octets = 0;
        loop {
            let here = &self.buffer[self.start..self.end];
            if let Some(at) = memmem::find(here, END) {
                self.start += at + END.len();
                return Ok(octets + (at + END.len()) as u64);
            }
            // the end may have begun
            let done = here.len().saturating_sub(END.len() - 1);
            self.start += done;
            octets += done as u64;
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Outcome {
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER];
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = &mut self.buffer[self.end..];
        let n = match &mut self.socket {
            _ if room.is_empty() => return Err("a line does not end".into()),
            Socket::Plain(stream) => stream.read(room)?,
            Socket::Tls(stream) => stream.read(room)?,
        };
        if n == 0 {
            return Err("the server closed the connection".into());
        }
        self.end += n;
        Ok(())
    }
}

fn connect(port: u16) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
