//! One side's way between socket and machine: bytes as they are, or through TLS.
//!
//! A [`Tls`] is a pure pump: ciphertext in and out on one side, plaintext on the other; only `records` names the TLS
//! library's connections. It holds at most one read of ciphertext beyond what a record needs, one record of plaintext, and
//! little more than [`WRITE_AHEAD`] octets that wait for the socket; what is empty is not allocated.
//!
//! It never takes more ciphertext while plaintext waits, and never reports the end of the stream before
//! the plaintext in front of it was taken.

mod records;

use std::mem;

use pop3_proto::server::TlsInfo;
use rustls::Error;
use rustls::pki_types::ServerName;
use zeroize::Zeroizing;

use crate::tls::{ServerTls, UpstreamTls};
use records::{Ended, Records};

/// The most plaintext that is encrypted before the socket has taken what was encrypted earlier.
const WRITE_AHEAD: usize = 32 * 1024;

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
        Records::server(tls.config())
            .map(Tls::start)
            .map_err(|error| TlsEnd::from(&error))
    }

    pub(crate) fn client(tls: &UpstreamTls, server_name: &str) -> Result<Self, TlsEnd> {
        let name = ServerName::try_from(server_name).map_err(|_| TlsEnd::Failed {
            detail: format!("'{server_name}' is not a name that a certificate could prove"),
            certificate: true,
            error: None,
        })?;
        Records::client(tls.config(), name.to_owned())
            .map(Tls::start)
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
    records: Records,
    /// Plaintext for the machine, the first `taken` octets of it done.
    plain: Zeroizing<Vec<u8>>,
    taken: usize,
    handshake: Handshake,
    /// Nothing comes after what came so far.
    drained: bool,
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
    fn start(records: Records) -> Pipe {
        let mut tls = Self {
            records,
            plain: Zeroizing::default(),
            taken: 0,
            handshake: Handshake::Running,
            drained: false,
            end_reported: false,
            closed: false,
        };
        tls.go_on();
        Pipe::Tls(Box::new(tls))
    }

    /// Whether ciphertext is to be read from the socket.
    pub(crate) fn wants_input(&self) -> bool {
        let idle = self.plain.is_empty() && self.records.is_spent();
        idle && self.records.ended().is_none() && !self.drained
    }

    /// Takes ciphertext from the socket, all of it.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        // nothing counts after the end of the stream
        if self.records.ended().is_none() {
            self.records.received(bytes);
        }
        if self.is_handshaking() {
            self.go_on();
        }
    }

    /// The socket has no more.
    pub(crate) fn received_end(&mut self) {
        self.drained = true;
    }

    /// Plaintext for the machine. Empty: nothing there now.
    pub(crate) fn plaintext(&mut self) -> &[u8] {
        if self.plain.is_empty() {
            self.go_on();
        }
        &self.plain[self.taken..]
    }

    /// The machine took the first `n` octets of [`plaintext`](Self::plaintext).
    pub(crate) fn taken(&mut self, n: usize) {
        self.taken = (self.taken + n).min(self.plain.len());
        if self.taken == self.plain.len() {
            self.plain = Zeroizing::default();
            self.taken = 0;
        }
    }

    /// Puts plaintext where the machine wants it; returns how much. A record goes there without a stop, as far as it fits.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> usize {
        if !self.plain.is_empty() {
            let n = copy(self.plaintext(), room);
            self.taken(n);
            return n;
        }
        let (plain, mut n) = (&mut self.plain, 0);
        self.records.read(|record| {
            let fits = copy(record, &mut room[n..]);
            n += fits;
            pop3_proto::secret::append(plain, &record[fits..]);
        });
        n
    }

    /// Looks at what came, up to the next plaintext.
    fn go_on(&mut self) {
        let plain = &mut self.plain;
        while plain.is_empty() && !self.records.is_spent() {
            self.records
                .read(|record| pop3_proto::secret::append(plain, record));
        }
        let running = self.handshake == Handshake::Running;
        if running && !self.records.state().is_handshaking() {
            self.handshake = Handshake::Done;
        }
    }

    fn end(&self) -> Option<TlsEnd> {
        match self.records.ended()? {
            Ended::Closed => Some(TlsEnd::Closed),
            Ended::TooLong => Some(TlsEnd::Failed {
                detail: "a record is too long".into(),
                certificate: false,
                error: None,
            }),
            Ended::Failed(error) => Some(TlsEnd::from(error)),
        }
    }

    /// What happened: the handshake once, the end once.
    pub(crate) fn poll_event(&mut self) -> Option<TlsEvent> {
        let waits = !self.plaintext().is_empty();
        if self.handshake == Handshake::Done {
            self.handshake = Handshake::Reported;
            let (protocol, cipher) = peer_trust::agreed(self.records.state());
            return Some(TlsEvent::Ready(TlsInfo::new(protocol, cipher)));
        }
        if self.end_reported || waits {
            return None;
        }
        let end = self.end().or_else(|| self.drained.then_some(TlsEnd::Cut))?;
        self.end_reported = true;
        Some(TlsEvent::End(end))
    }

    /// Whether the handshake has not come to its end.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.handshake == Handshake::Running
    }

    /// Whether plaintext can be sent, now or once the socket has taken more.
    pub(crate) fn is_writable(&self) -> bool {
        let failed = matches!(
            self.records.ended(),
            Some(Ended::TooLong | Ended::Failed(_))
        );
        self.handshake == Handshake::Reported && !self.closed && !failed
    }

    /// Takes plaintext from the machine; returns how much. None while ciphertext waits for the socket.
    pub(crate) fn write(&mut self, plaintext: &[u8]) -> usize {
        if plaintext.is_empty() || !self.is_writable() || !self.send_buf().is_empty() {
            return 0;
        }
        let some = &plaintext[..plaintext.len().min(WRITE_AHEAD)];
        let plain = &mut self.plain;
        let taken = self
            .records
            .write(some, |record| pop3_proto::secret::append(plain, record));
        if taken { some.len() } else { 0 }
    }

    /// Sends close_notify (T013). No plaintext can be written after it.
    pub(crate) fn close(&mut self) {
        if !mem::replace(&mut self.closed, true) {
            let plain = &mut self.plain;
            self.records
                .close(|record| pop3_proto::secret::append(plain, record));
        }
    }

    /// Ciphertext for the socket.
    pub(crate) fn send_buf(&self) -> &[u8] {
        self.records.send_buf()
    }

    /// The socket took the first `n` octets of [`send_buf`](Self::send_buf).
    pub(crate) fn sent(&mut self, n: usize) {
        self.records.sent(n);
    }
}

/// As much as fits; returns how much.
pub(crate) fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let n = from.len().min(to.len());
    to[..n].copy_from_slice(&from[..n]);
    n
}
