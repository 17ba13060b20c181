//! On smol and every other runtime that has no sockets of its own: [`connect`], and what a session has
//! there beyond [`crate::Session`]. Sockets and clock are async-io's, whose thread works below any executor.
//!
//! ```no_run
//! use pop3_client_io::{Endpoint, Identity, futures};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = futures::connect(&Endpoint::new("pop.example.org")).await?;
//! session.log_in(&Identity::password("alice", "secret")).await?;
//! for (number, id) in session.unique_ids().await? {
//!     let mut message = session.retrieve(number)?;
//!     while let Some(octets) = message.next().await? {
//!         println!("{id}: {} octets", octets.len());
//!     }
//! }
//! session.quit().await?;
//! # Ok(())
//! # }
//! ```

use std::future::Future as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::batch::Message;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::race::{self, Net};
use crate::transport::Transport;

/// A session over a stream of futures-io.
pub type Session<S = TcpStream> = crate::Session<Link<S>>;

/// Connects to whichever address of the host answers first, starts TLS as wanted and asks for the
/// capabilities.
///
/// # Errors
///
/// No address answers, TLS fails, or the server does not greet.
pub async fn connect(endpoint: &Endpoint) -> Result<Session, Error> {
    let (socket, peer) = race::dial(&AsyncNet, endpoint).await?;
    // commands are small and wait for their answer
    let _ = socket.set_nodelay(true);
    Session::over(Link::new(socket, Some(peer.ip())), endpoint).await
}

/// A stream of futures-io, with async-io's clock.
pub struct Link<S> {
    stream: S,
    peer: Option<IpAddr>,
    alarm: Timer,
    moment: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Over any stream, say one through a proxy. Without `peer`, passwords need TLS or
    /// [`Identity::allow_clear`](crate::Identity::allow_clear).
    pub fn new(stream: S, peer: Option<IpAddr>) -> Self {
        Self {
            stream,
            peer,
            alarm: Timer::never(),
            moment: None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Link<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, moment: Instant) -> Poll<()> {
        if self.moment != Some(moment) {
            self.alarm.set_at(moment);
            self.moment = Some(moment);
        }
        Pin::new(&mut self.alarm).poll(cx).map(|_| ())
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Message<'_, Link<S>> {
    /// Writes the message as it comes; returns its number of octets.
    ///
    /// # Errors
    ///
    /// See [`next`](Self::next); or `place` takes no more. What was written is not the whole message then.
    pub async fn copy_to(mut self, place: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Error> {
        let mut written = 0;
        while let Some(octets) = self.next().await? {
            place.write_all(octets).await.map_err(Error::Local)?;
            written += octets.len() as u64;
        }
        place.flush().await.map_err(Error::Local)?;
        Ok(written)
    }
}

struct AsyncNet;

impl Net for AsyncNet {
    type Stream = TcpStream;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        async_net::resolve((host, port)).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }

    async fn sleep_until(&self, moment: Instant) {
        Timer::at(moment).await;
    }
}
