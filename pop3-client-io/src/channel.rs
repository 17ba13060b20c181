//! A transport, in clear or through TLS. It moves octets and knows no POP3.
//!
//! Owns the TLS connection. It never waits by itself, so that every runtime can wait for it.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pop3_proto::trouble::Place;
use rustls::Connection;

use crate::tls::{TlsError, TlsFacts, Trust, failure};
use crate::transport::Transport;
use crate::words::Words;

pub(crate) struct Channel<T> {
    pub(crate) transport: T,
    tls: Option<Tls>,
}

struct Tls {
    connection: Box<Connection>,
    facts: TlsFacts,
}

impl<T: Transport> Channel<T> {
    pub(crate) const fn new(transport: T) -> Self {
        Self {
            transport,
            tls: None,
        }
    }

    /// What was agreed on in TLS, if there is TLS.
    pub(crate) fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref().map(|tls| &tls.facts)
    }

    /// Starts TLS. After an error the connection is of no use.
    pub(crate) async fn start_tls(
        &mut self,
        place: Place<'_>,
        trust: &Trust,
        words: &Words,
        patience: Duration,
    ) -> Result<(), TlsError> {
        let oddities = Arc::<Mutex<Vec<String>>>::default();
        let mut connection: Connection = trust.plan(place.host, &oddities)?.into();
        let end = Instant::now() + patience;
        poll_fn(|cx| {
            if self.transport.poll_until(cx, end).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let mut way = Way(&mut self.transport, cx);
            while connection.is_handshaking() {
                match connection.complete_io(&mut way) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
        .map_err(|error| failure(&error, place, words, patience))?;
        let facts = TlsFacts::of(&connection, &oddities);
        let connection = Box::new(connection);
        self.tls = Some(Tls { connection, facts });
        Ok(())
    }

    /// 0 is the end. A missing close_notify is not an error, because every response shows whether it is
    /// complete.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(Tls { connection, .. }) = &mut self.tls else {
            return self.transport.poll_read(cx, buffer);
        };
        loop {
            // what TLS itself has to send: new keys, session tickets
            let _ = poll_encrypted(connection, &mut self.transport, cx)?;
            match connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(0));
                }
                outcome => return Poll::Ready(outcome),
            }
            match connection.read_tls(&mut Way(&mut self.transport, cx)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => {
                    let outcome = connection.process_new_packets();
                    outcome.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                }
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(Tls { connection, .. }) = &mut self.tls else {
            return self.transport.poll_write(cx, octets);
        };
        ready!(poll_encrypted(connection, &mut self.transport, cx))?;
        Poll::Ready(connection.writer().write(octets))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(Tls { connection, .. }) = &mut self.tls {
            ready!(poll_encrypted(connection, &mut self.transport, cx))?;
        }
        self.transport.poll_flush(cx)
    }

    /// Sends close_notify, if there is TLS; the transport closes when this is dropped.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(Tls { connection, .. }) = &mut self.tls {
            connection.send_close_notify();
        }
        self.poll_flush(cx)
    }
}

/// Sends all ciphertext that waits.
fn poll_encrypted<T: Transport>(
    connection: &mut Connection,
    transport: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while connection.wants_write() {
        match connection.write_tls(&mut Way(transport, cx)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// A transport for the TLS library: what has to wait is `WouldBlock`.
struct Way<'a, 'b, T>(&'a mut T, &'a mut Context<'b>);

impl<T: Transport> Read for Way<'_, '_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        at_once(self.0.poll_read(self.1, buffer))
    }
}

impl<T: Transport> Write for Way<'_, '_, T> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        at_once(self.0.poll_write(self.1, octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(self.0.poll_flush(self.1))
    }
}

fn at_once<V>(polled: Poll<io::Result<V>>) -> io::Result<V> {
    match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
