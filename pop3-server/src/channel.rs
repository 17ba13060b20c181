//! A client's connection as a handler reads and writes it: in the clear or through TLS.
//!
//! A [`Channel`] is `AsyncRead` and `AsyncWrite` of `futures-io`, so that what speaks a protocol over those (HTTP,
//! for instance) needs no more. It moves octets and knows none of their meaning; the TLS is the pump of `pipe.rs`.
//! POP3 does not come this way: its octets go from the socket to the machine without a copy between.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::pipe::{Pipe, Tls, TlsEnd, TlsEvent, copy};
use crate::runtime::Stream;
use crate::tls::ServerTls;

/// What is read from the socket at once where TLS is between.
const READ: usize = 4 * 1024;

/// A client's connection, in the clear or through TLS. Dropping it closes the socket.
///
/// What was written is on its way once it was flushed. Closing says good-bye to TLS and ends the sending direction.
/// A client that ends its direction without a good-bye to TLS is an error of kind `UnexpectedEof`: what came may be
/// cut short.
pub struct Channel<T> {
    stream: T,
    /// What came before the stream was this channel's; in the clear.
    early: Box<[u8]>,
    pipe: Pipe,
    /// No more plaintext comes through TLS.
    end: Option<TlsEnd>,
    shut: bool,
}

impl<T: Stream> Channel<T> {
    pub(crate) fn new(stream: T, early: Box<[u8]>) -> Self {
        Self {
            stream,
            early,
            pipe: Pipe::Plain,
            end: None,
            shut: false,
        }
    }

    /// Shakes hands. Afterwards everything goes through TLS.
    pub(crate) async fn start_tls(&mut self, tls: &ServerTls) -> io::Result<()> {
        self.pipe = Pipe::server(tls).map_err(|end| failure(&end))?;
        if let Some(tls) = self.pipe.tls() {
            tls.received(&std::mem::take(&mut self.early));
        }
        poll_fn(|cx| self.poll_handshake(cx)).await
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(tls) = self.pipe.tls() {
            let sent = poll_sent(tls, &mut self.stream, cx)?;
            match tls.poll_event() {
                Some(TlsEvent::Ready(_)) => break,
                Some(TlsEvent::End(end)) => {
                    self.end = Some(end);
                }
                None => {}
            }
            match &self.end {
                // The client hears what was wrong.
                Some(end) => return sent.map(|()| Err(failure(end))),
                None => ready!(poll_received(tls, &mut self.stream, cx))?,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Stream> AsyncRead for Channel<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Some(tls) = this.pipe.tls() else {
            if this.early.is_empty() {
                return this.stream.poll_read(cx, buf);
            }
            let n = copy(&this.early, buf);
            this.early = this.early[n..].into();
            return Poll::Ready(Ok(n));
        };
        loop {
            // What TLS has to say by itself does not wait for the next write, which would report a failure.
            let _ = poll_sent(tls, &mut this.stream, cx);
            let n = tls.read(buf);
            if n > 0 {
                return Poll::Ready(Ok(n));
            }
            if let Some(TlsEvent::End(end)) = tls.poll_event() {
                this.end = Some(end);
            }
            match &this.end {
                Some(TlsEnd::Closed) => return Poll::Ready(Ok(0)),
                Some(end) => return Poll::Ready(Err(failure(end))),
                None => ready!(poll_received(tls, &mut this.stream, cx))?,
            }
        }
    }
}

impl<T: Stream> AsyncWrite for Channel<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if octets.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Some(tls) = this.pipe.tls() else {
            return this.stream.poll_write(cx, octets);
        };
        ready!(poll_sent(tls, &mut this.stream, cx))?;
        let n = tls.write(octets);
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // It sets out now; a failure shows at the next call.
        let _ = poll_sent(tls, &mut this.stream, cx);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.pipe.tls() {
            Some(tls) => poll_sent(tls, &mut this.stream, cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(tls) = this.pipe.tls() {
            tls.close();
            ready!(poll_sent(tls, &mut this.stream, cx))?;
        }
        if !std::mem::replace(&mut this.shut, true) {
            this.stream.shut_down()?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// Sends all ciphertext that waits.
fn poll_sent<T: Stream>(
    tls: &mut Tls,
    stream: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !tls.send_buf().is_empty() {
        match ready!(stream.poll_write(cx, tls.send_buf()))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            n => tls.sent(n),
        }
    }
    Poll::Ready(Ok(()))
}

/// Takes what ciphertext there is. To be called when no plaintext waits and nothing happened.
fn poll_received<T: Stream>(
    tls: &mut Tls,
    stream: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut octets = [0; READ];
    match ready!(stream.poll_read(cx, &mut octets))? {
        0 => tls.received_end(),
        n => tls.received(&octets[..n]),
    }
    Poll::Ready(Ok(()))
}

fn failure(end: &TlsEnd) -> io::Error {
    match end {
        TlsEnd::Closed | TlsEnd::Cut => io::ErrorKind::UnexpectedEof.into(),
        TlsEnd::Failed { detail, .. } => io::Error::new(io::ErrorKind::InvalidData, detail.clone()),
    }
}
