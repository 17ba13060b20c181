//! One side's way between socket and machine: bytes as they are, or through TLS.
//!
//! The only file that names TLS connections. A [`Tls`] is a pure pump: ciphertext in and out on one
//! side, plaintext on the other. It holds at most one read of ciphertext beyond what the TLS library
//! needs, and at most [`WRITE_AHEAD`] octets that wait for the socket; what is empty is not allocated.
//!
//! It never takes more ciphertext while plaintext waits, and never reports the end of the stream before
//! the plaintext in front of it was taken.

use std::io::{BufRead, Write};
use std::mem;

use pop3_proto::server::TlsInfo;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, Error, ServerConnection};

use crate::tls::{ServerTls, UpstreamTls};

/// The most plaintext that is encrypted before the socket has taken what was encrypted earlier.
const WRITE_AHEAD: usize = 32 * 1024;

/// The plaintext that may wait inside the TLS library while it is fed; it refuses more than this.
const READ_AHEAD: usize = 16 * 1024;

/// An empty write buffer up to this size is kept; a larger one is given back.
const KEPT: usize = 512;

/// One side's way between socket and machine.
#[derive(Default)]
pub(crate) enum Pipe {
    /// Bytes as they are: the machine reads from and writes to the socket's buffers itself.
    #[default]
    Plain,
    /// Through TLS.
    Tls(Box<Tls>),
}

impl Pipe {
    pub(crate) fn server(tls: &ServerTls) -> Result<Self, TlsEnd> {
        ServerConnection::new(tls.config())
            .map(|connection| Tls::start(connection.into()))
            .map_err(|error| TlsEnd::from(&error))
    }

    pub(crate) fn client(tls: &UpstreamTls, server_name: &str) -> Result<Self, TlsEnd> {
        let name = ServerName::try_from(server_name).map_err(|_| TlsEnd::Failed {
            detail: format!("'{server_name}' is not a name that a certificate could prove"),
            certificate: true,
            error: None,
        })?;
        ClientConnection::new(tls.config(), name.to_owned())
            .map(|connection| Tls::start(connection.into()))
            .map_err(|error| TlsEnd::from(&error))
    }

    pub(crate) fn tls(&mut self) -> Option<&mut Tls> {
        match self {
            Self::Plain => None,
            Self::Tls(tls) => Some(tls),
        }
    }
}

/// What happened on a TLS connection.
pub(crate) enum TlsEvent {
    /// The handshake is done.
    Ready(TlsInfo),
    /// No more plaintext will come.
    End(TlsEnd),
}

/// How a TLS connection ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TlsEnd {
    /// The peer ended it.
    Closed,
    /// The stream below ended without a close_notify.
    Cut,
    /// Something was wrong.
    Failed {
        /// What.
        detail: String,
        /// Whether it was the certificate, which somebody has to look at.
        certificate: bool,
        /// The TLS library's error, if it was one.
        error: Option<Box<Error>>,
    },
}

impl From<&Error> for TlsEnd {
    fn from(error: &Error) -> Self {
        let certificate = matches!(
            error,
            Error::InvalidCertificate(_) | Error::NoCertificatesPresented
        );
        Self::Failed {
            detail: error.to_string(),
            certificate,
            error: Some(Box::new(error.clone())),
        }
    }
}

/// A TLS connection without its socket.
pub(crate) struct Tls {
    connection: Connection,
    /// Plaintext that waits inside `connection`.
    waiting: usize,
    /// Ciphertext that came in and that `connection` did not take yet.
    inbound: Vec<u8>,
    /// Ciphertext that goes out, the first `sent` octets of it done.
    outbound: Vec<u8>,
    sent: usize,
    handshake: Handshake,
    /// Nothing comes after what `inbound` holds.
    drained: bool,
    end: Option<TlsEnd>,
    end_reported: bool,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Handshake {
    Running,
    Done,
    Reported,
}

impl Tls {
    fn start(mut connection: Connection) -> Pipe {
        connection.set_buffer_limit(Some(WRITE_AHEAD));
        let mut tls = Self {
            connection,
            waiting: 0,
            inbound: Vec::new(),
            outbound: Vec::new(),
            sent: 0,
            handshake: Handshake::Running,
            drained: false,
            end: None,
            end_reported: false,
            closed: false,
        };
        tls.encrypted();
        Pipe::Tls(Box::new(tls))
    }

    /// Whether ciphertext is to be read from the socket.
    pub(crate) fn wants_input(&self) -> bool {
        self.waiting == 0 && self.inbound.is_empty() && self.end.is_none() && !self.drained
    }

    /// Takes ciphertext from the socket, all of it.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        if self.inbound.is_empty() {
            let taken = self.feed(bytes);
            self.inbound.extend_from_slice(&bytes[taken..]);
        } else {
            self.inbound.extend_from_slice(bytes);
        }
    }

    /// The socket has no more.
    pub(crate) fn received_end(&mut self) {
        self.drained = true;
    }

    /// Plaintext for the machine. Empty: nothing there now.
    pub(crate) fn plaintext(&mut self) -> &[u8] {
        if self.waiting == 0 {
            return &[];
        }
        self.connection.reader().into_first_chunk().unwrap_or(&[])
    }

    /// The machine took the first `n` octets of [`plaintext`](Self::plaintext).
    pub(crate) fn taken(&mut self, n: usize) {
        let n = n.min(self.plaintext().len());
        self.connection.reader().consume(n);
        self.waiting = self.waiting.saturating_sub(n);
        if self.waiting > 0 {
            return;
        }
        if self.end.is_some() {
            self.recount();
        } else if !self.inbound.is_empty() {
            let inbound = mem::take(&mut self.inbound);
            let taken = self.feed(&inbound);
            self.inbound.extend_from_slice(&inbound[taken..]);
        }
    }

    /// What happened: the handshake once, the end once.
    pub(crate) fn poll_event(&mut self) -> Option<TlsEvent> {
        if self.handshake == Handshake::Done {
            self.handshake = Handshake::Reported;
            let (protocol, cipher) = peer_trust::agreed(&self.connection);
            return Some(TlsEvent::Ready(TlsInfo::new(protocol, cipher)));
        }
        if self.end_reported || self.waiting > 0 || !self.inbound.is_empty() {
            return None;
        }
        let end = self
            .end
            .clone()
            .or_else(|| self.drained.then_some(TlsEnd::Cut))?;
        self.end_reported = true;
        Some(TlsEvent::End(end))
    }

    /// Whether the handshake has not come to its end.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.handshake == Handshake::Running
    }

    /// Whether plaintext can be sent, now or once the socket has taken more.
    pub(crate) fn is_writable(&self) -> bool {
        let failed = matches!(self.end, Some(TlsEnd::Failed { .. }));
        self.handshake == Handshake::Reported && !self.closed && !failed
    }

    /// Takes plaintext from the machine; returns how much. None while ciphertext waits for the socket.
    pub(crate) fn write(&mut self, plaintext: &[u8]) -> usize {
        if plaintext.is_empty() || !self.is_writable() || !self.send_buf().is_empty() {
            return 0;
        }
        let some = &plaintext[..plaintext.len().min(WRITE_AHEAD)];
        let taken = self.connection.writer().write(some).unwrap_or(0);
        self.encrypted();
        taken
    }

    /// Sends close_notify (T013). No plaintext can be written after it.
    pub(crate) fn close(&mut self) {
        if !mem::replace(&mut self.closed, true) {
            self.connection.send_close_notify();
            self.encrypted();
        }
    }

    /// Ciphertext for the socket.
    pub(crate) fn send_buf(&self) -> &[u8] {
        &self.outbound[self.sent..]
    }

    /// The socket took the first `n` octets of [`send_buf`](Self::send_buf).
    pub(crate) fn sent(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.outbound.len());
        self.encrypted();
    }

    /// Hands ciphertext to the TLS library until it has no room; returns how much it took.
    fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() && self.end.is_none() && self.waiting <= READ_AHEAD {
            let before = rest.len();
            let read = self.connection.read_tls(&mut rest);
            match self.connection.process_new_packets() {
                Ok(state) => {
                    self.waiting = state.plaintext_bytes_to_read();
                    if state.peer_has_closed() {
                        self.end = Some(TlsEnd::Closed);
                    } else if read.is_err() || rest.len() == before {
                        self.end = Some(TlsEnd::Failed {
                            detail: "a record is too long".into(),
                            certificate: false,
                            error: None,
                        });
                    }
                }
                Err(error) => {
                    self.end = Some(TlsEnd::from(&error));
                    self.recount();
                }
            }
        }
        if self.handshake == Handshake::Running && !self.connection.is_handshaking() {
            self.handshake = Handshake::Done;
        }
        self.encrypted();
        // Nothing counts after the end of the stream.
        if self.end.is_some() {
            bytes.len()
        } else {
            bytes.len() - rest.len()
        }
    }

    /// After a failure the TLS library no longer says how much plaintext it still holds.
    fn recount(&mut self) {
        self.waiting = self
            .connection
            .reader()
            .into_first_chunk()
            .map_or(0, <[u8]>::len);
    }

    /// Fetches what the TLS library wants to send, once the socket has taken what was fetched before.
    fn encrypted(&mut self) {
        if self.sent < self.outbound.len() {
            return;
        }
        self.sent = 0;
        self.outbound.clear();
        while self.connection.wants_write() && self.outbound.len() < WRITE_AHEAD {
            match self.connection.write_tls(&mut self.outbound) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        if self.outbound.is_empty() && self.outbound.capacity() > KEPT {
            self.outbound = Vec::new();
        }
    }
}
