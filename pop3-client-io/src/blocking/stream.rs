//! A connection without a session: for programs that speak POP3 themselves, octet by octet.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::tls::TlsFacts;
use crate::transport::Transport as _;

use super::link::{Link, Patient, wait};

/// A connection that blocks, in clear or through TLS.
pub struct Stream<S = TcpStream> {
    channel: Channel<Link<S>>,
    patience: Duration,
}

impl Stream {
    /// Connects to whichever address of the host answers first, in clear.
    ///
    /// # Errors
    ///
    /// No address answers.
    pub fn dial(endpoint: &Endpoint) -> Result<Self, Error> {
        let (socket, peer) = super::dial::dial(endpoint)?;
        // commands are small and wait for their answer
        let _ = socket.set_nodelay(true);
        Ok(Self {
            channel: Channel::new(Link::new(socket, Some(peer.ip()))),
            patience: endpoint.patience,
        })
    }
}

impl<S: Patient> Stream<S> {
    /// Starts TLS. After an error the connection is of no use.
    ///
    /// # Errors
    ///
    /// The certificate is not trusted, or the handshake fails.
    pub fn start_tls(&mut self, endpoint: &Endpoint) -> Result<(), Error> {
        let (place, patience) = (endpoint.place(), endpoint.patience);
        let (trust, words) = (&endpoint.trust, &endpoint.words);
        Ok(wait(self.channel.start_tls(place, trust, words, patience))?)
    }

    /// What was agreed on in TLS, if there is TLS.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.channel.tls()
    }

    /// Limits every read and write from now on; they fail with `TimedOut` then.
    pub const fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    fn set_clock(&mut self) {
        let until = Instant::now() + self.patience;
        wait(poll_fn(|cx| {
            let _ = self.channel.transport.poll_until(cx, until);
            std::task::Poll::Ready(())
        }));
    }
}

impl<S: Patient> From<Channel<Link<S>>> for Stream<S> {
    fn from(channel: Channel<Link<S>>) -> Self {
        Self {
            channel,
            patience: Duration::from_secs(60),
        }
    }
}

impl<S: Patient> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.set_clock();
        wait(poll_fn(|cx| self.channel.poll_read(cx, buffer)))
    }
}

impl<S: Patient> Write for Stream<S> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.set_clock();
        wait(poll_fn(|cx| self.channel.poll_write(cx, octets)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.set_clock();
        wait(poll_fn(|cx| self.channel.poll_flush(cx)))
    }
}
