//! A connection and a clock as hyper wants them, made of a listener's.
//!
//! Owns no decision: octets and moments go through. The crates that do this for a runtime bring that runtime along.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use pop3_proto::time::Time;
use pop3_server::runtime::{Runtime, Timer as _};

/// What is read at once: more than most requests have.
const READ: usize = 4 * 1024;

/// What is read and written through `futures-io`.
pub(super) struct Carrier<T>(pub(super) T);

impl<T: AsyncRead + Unpin> Read for Carrier<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut octets = [0; READ];
        let most = buf.remaining().min(READ);
        let Some(room) = octets.get_mut(..most) else {
            return Poll::Ready(Ok(()));
        };
        let n = ready!(Pin::new(&mut self.0).poll_read(cx, room))?;
        buf.put_slice(room.get(..n).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Write for Carrier<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

/// The clock of a runtime.
#[derive(Clone)]
pub(super) struct Clock<R>(pub(super) R);

/// Waits until a moment.
pub(super) struct Nap<R: Runtime> {
    timer: Mutex<R::Timer>,
    at: Time,
}

impl<R: Runtime> Clock<R> {
    /// Waits for so long.
    pub(super) fn nap(&self, span: Duration) -> Nap<R> {
        Nap {
            timer: Mutex::new(self.0.timer()),
            at: self.0.now() + span,
        }
    }
}

impl<R: Runtime> Timer for Clock<R> {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.nap(span))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

impl<R: Runtime> Future for Nap<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let timer = this.timer.get_mut().unwrap_or_else(PoisonError::into_inner);
        timer.poll_at(cx, this.at)
    }
}

impl<R: Runtime> Sleep for Nap<R> {}
