//! The TLS records of a connection, for either side: ciphertext in and out, plaintext in and out.
//!
//! Owns the TLS library's machine and the ciphertext on both ways, and nothing while none waits: most connections are idle
//! for most of their time. What comes is decrypted where it lies, a record when it is wanted. Never knows what the
//! plaintext means, nor what an end is to lead to.

use std::ops::Deref;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};
use zeroize::Zeroizing;

/// The most ciphertext that may wait for its rest: a handshake's message of the largest size, and records around it.
const INBOUND: usize = 96 * 1024;

/// What a record of the largest size holds.
const RECORD: usize = 16 * 1024;

/// More than what a record adds to its plaintext.
const FRAME: usize = 64;

/// An empty buffer of what goes out is kept up to this size; a larger one is given back.
const KEPT: usize = 512;

enum Machine {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// How the peer's records ended.
pub(super) enum Ended {
    /// It said good-bye.
    Closed,
    TooLong,
    Failed(Error),
}

/// What is to be sent as soon as it may.
enum Send<'a> {
    Nothing,
    Data(&'a [u8]),
    GoodBye,
}

/// What came of one step.
enum Step {
    /// There may be more.
    Moved,
    /// There was a record of plaintext.
    Read,
    /// The plaintext, or the good-bye, is encrypted.
    Sent,
    /// More has to come, or to be sent.
    Waits,
    Ended(Error),
    Closed,
}

/// A connection's records.
pub(super) struct Records {
    machine: Machine,
    /// Ciphertext that came in, the first `used` octets of it done. Decrypted in place, so it may be a password.
    inbound: Zeroizing<Vec<u8>>,
    used: usize,
    /// Nothing can be had of what came so far.
    spent: bool,
    ended: Option<Ended>,
    /// Ciphertext that goes out, the first `sent` octets of it done.
    outbound: Vec<u8>,
    sent: usize,
}

impl Records {
    pub(super) fn server(config: Arc<ServerConfig>) -> Result<Self, Error> {
        UnbufferedServerConnection::new(config).map(|server| Self::of(Machine::Server(server)))
    }

    pub(super) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, Error> {
        UnbufferedClientConnection::new(config, name)
            .map(|client| Self::of(Machine::Client(client)))
    }

    fn of(machine: Machine) -> Self {
        Self {
            machine,
            inbound: Zeroizing::default(),
            used: 0,
            spent: false,
            ended: None,
            outbound: Vec::new(),
            sent: 0,
        }
    }

    /// What was agreed on.
    pub(super) fn state(&self) -> &CommonState {
        match &self.machine {
            Machine::Client(client) => client.deref(),
            Machine::Server(server) => server.deref(),
        }
    }

    /// Whether more ciphertext is needed.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    /// More ciphertext came.
    pub(super) fn received(&mut self, octets: &[u8]) {
        if self.used > 0 {
            self.inbound.drain(..self.used);
            self.used = 0;
        }
        pop3_proto::secret::append(&mut self.inbound, octets);
        self.spent = false;
    }

    /// Hands over the next record of plaintext, if there is one.
    pub(super) fn read(&mut self, take: impl FnMut(&[u8])) {
        if !self.spent {
            self.run(&Send::Nothing, take);
        }
    }

    /// How the peer's records ended, once all before it is handed over.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Encrypts this. Returns whether it did.
    pub(super) fn write(&mut self, plaintext: &[u8], take: impl FnMut(&[u8])) -> bool {
        let before = self.outbound.len();
        self.run(&Send::Data(plaintext), take);
        self.outbound.len() > before
    }

    /// Says good-bye. Nothing can be encrypted after it.
    pub(super) fn close(&mut self, take: impl FnMut(&[u8])) {
        if !matches!(self.ended, Some(Ended::TooLong | Ended::Failed(_))) {
            self.run(&Send::GoodBye, take);
        }
    }

    /// Ciphertext for the socket.
    pub(super) fn send_buf(&self) -> &[u8] {
        &self.outbound[self.sent..]
    }

    /// The socket took this much of it.
    pub(super) fn sent(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.outbound.len());
        if self.sent == self.outbound.len() {
            self.sent = 0;
            self.outbound.clear();
            if self.outbound.capacity() > KEPT {
                self.outbound = Vec::new();
            }
        }
    }

    /// Goes on until a record is read, or what is to be sent is encrypted, or neither can be.
    fn run(&mut self, send: &Send<'_>, mut take: impl FnMut(&[u8])) {
        loop {
            match self.step(send, &mut take) {
                Step::Read if matches!(send, Send::Nothing) => break,
                Step::Moved | Step::Read => {}
                Step::Waits if self.inbound.len() - self.used > INBOUND => {
                    self.ended = Some(Ended::TooLong);
                    break;
                }
                Step::Sent | Step::Waits => {
                    self.spent = true;
                    break;
                }
                Step::Closed => self.ended = Some(Ended::Closed),
                Step::Ended(error) => {
                    // what the peer is to hear of it
                    while self.state().wants_write() {
                        self.step(&Send::Nothing, &mut take);
                    }
                    self.ended = Some(Ended::Failed(error));
                    break;
                }
            }
        }
        // nothing counts after the end
        if self.used == self.inbound.len() || self.ended.is_some() {
            self.inbound = Zeroizing::default();
            self.used = 0;
        }
        self.spent |= self.ended.is_some();
    }

    fn step(&mut self, send: &Send<'_>, take: &mut impl FnMut(&[u8])) -> Step {
        let inbound = &mut self.inbound[self.used..];
        let (discard, step) = match &mut self.machine {
            Machine::Client(client) => {
                let status = client.process_tls_records(inbound);
                handle(status, send, &mut self.outbound, take)
            }
            Machine::Server(server) => {
                let status = server.process_tls_records(inbound);
                handle(status, send, &mut self.outbound, take)
            }
        };
        self.used += discard;
        step
    }
}

/// Does what the machine asks for. Returns how much of what came is done with.
fn handle<D>(
    status: UnbufferedStatus<'_, '_, D>,
    send: &Send<'_>,
    out: &mut Vec<u8>,
    take: &mut impl FnMut(&[u8]),
) -> (usize, Step) {
    let UnbufferedStatus { mut discard, state } = status;
    let step = match state {
        Err(error) => Step::Ended(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            while let Some(Ok(record)) = traffic.next_record() {
                discard += record.discard;
                take(record.payload);
            }
            Step::Read
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            append(out, 0, |room| match data.encode(room) {
                Err(EncodeError::InsufficientSize(lacks)) => Err(Some(lacks)),
                other => other.map_err(|_| None),
            });
            Step::Moved
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // what was encoded is sent before anything else
            data.done();
            Step::Moved
        }
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            let lacks = |error| match error {
                EncryptError::InsufficientSize(lacks) => Some(lacks),
                EncryptError::EncryptExhausted => None,
            };
            match send {
                Send::Nothing => Step::Waits,
                Send::Data(data) => {
                    let room = data.len() + (data.len() / RECORD + 1) * FRAME;
                    append(out, room, |room| traffic.encrypt(data, room).map_err(lacks));
                    Step::Sent
                }
                Send::GoodBye => {
                    append(out, FRAME, |room| {
                        traffic.queue_close_notify(room).map_err(lacks)
                    });
                    Step::Sent
                }
            }
        }
        Ok(ConnectionState::PeerClosed) => Step::Closed,
        // early data is not taken, and a state that is not known asks for nothing
        Ok(_) => Step::Waits,
    };
    (discard, step)
}

/// Lets this write at the end of a buffer, in as much room as it needs.
fn append(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) {
    let at = out.len();
    loop {
        out.resize(at + room, 0);
        match write(&mut out[at..]) {
            Ok(n) => return out.truncate(at + n),
            Err(Some(lacks)) if lacks.required_size > room => room = lacks.required_size,
            Err(_) => return out.truncate(at),
        }
    }
}
