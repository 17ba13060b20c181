//! A stream that blocks, as a transport: its polls are ready when they return.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::transport::Transport;

/// A stream whose reads and writes end after some time.
pub trait Patient: Read + Write {
    /// Limits every read and write from now on; they fail with `WouldBlock` or `TimedOut` then.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn set_patience(&mut self, patience: Duration) -> io::Result<()>;
}

impl Patient for TcpStream {
    fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))?;
        self.set_write_timeout(Some(patience))
    }
}

/// A stream that blocks, with the system's clock.
pub struct Link<S> {
    stream: S,
    peer: Option<IpAddr>,
    until: Option<Instant>,
}

impl<S: Patient> Link<S> {
    /// Over any stream. Without `peer`, passwords need TLS or
    /// [`Identity::allow_clear`](crate::Identity::allow_clear).
    pub const fn new(stream: S, peer: Option<IpAddr>) -> Self {
        Self {
            stream,
            peer,
            until: None,
        }
    }

    fn limited(&mut self) -> io::Result<&mut S> {
        if let Some(until) = self.until {
            // a zero would mean "for ever"
            let left = until.saturating_duration_since(Instant::now());
            self.stream
                .set_patience(left.max(Duration::from_millis(1)))?;
        }
        Ok(&mut self.stream)
    }
}

/// "Would block" means that the time is over: a blocking stream has no other reason.
fn timed<V>(outcome: io::Result<V>) -> Poll<io::Result<V>> {
    Poll::Ready(outcome.map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            return io::ErrorKind::TimedOut.into();
        }
        error
    }))
}

impl<S: Patient> Transport for Link<S> {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        timed(self.limited().and_then(|stream| stream.read(buffer)))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        timed(self.limited().and_then(|stream| stream.write(octets)))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        timed(self.limited().and_then(Write::flush))
    }

    fn poll_until(&mut self, _: &mut Context<'_>, moment: Instant) -> Poll<()> {
        self.until = Some(moment);
        if Instant::now() < moment {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

/// The result of a future over such a link. It blocks inside its polls.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
