//! What the loop needs of an async runtime: sockets, a clock with a timer, a place for blocking work,
//! and tasks.
//!
//! A driver crate implements these traits and nothing else; all decisions are made on this side. Every
//! `poll_*` that returns [`Poll::Pending`] has arranged for the task to be woken.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::time::Time;

/// A future on the heap, as the traits here return them.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A TCP connection. Closed when dropped.
pub trait Stream: Send + Unpin + 'static {
    /// Reads into the front of `buf`, which is not empty; `0` is the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of `bytes`, which are not empty.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// The same for octets after which there will be no others: they may wait for the end of the stream, and go out
    /// with it in one packet.
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write(cx, bytes)
    }

    /// Ends the sending direction: the peer sees the end of the stream after what was written.
    fn shut_down(&mut self) -> io::Result<()>;
}

/// A socket that accepts connections.
pub trait Listener: Send + Unpin + 'static {
    /// What it accepts.
    type Stream: Stream;

    /// The next connection, with the addresses of the other end and of this one.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<Self::Stream>>>;
}

/// A connection as it was accepted.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The connection.
    pub stream: T,
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
}

/// One timer that can be set again and again.
pub trait Timer: Send + Unpin + 'static {
    /// Ready once `at` has come. A later call may name another moment, which then counts.
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()>;
}

/// What a signal asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain if there is a delay for it, finish and go; each further one: the next step at once.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals that the process receives.
pub trait Signals: Send + Unpin + 'static {
    /// The next signal.
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Signal>;
}

/// No signals: for servers inside other programs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSignals;

impl Signals for NoSignals {
    fn poll_signal(&mut self, _: &mut Context<'_>) -> Poll<Signal> {
        Poll::Pending
    }
}

/// An async runtime. Clones are the same runtime.
pub trait Runtime: Clone + Send + Sync + Unpin + 'static {
    /// Its connections.
    type Stream: Stream;
    /// Its accepting sockets.
    type Listener: Listener<Stream = Self::Stream>;
    /// Its timers.
    type Timer: Timer;

    /// The time now, on one clock for the whole process that never goes back.
    fn now(&self) -> Time;

    /// A new timer.
    fn timer(&self) -> Self::Timer;

    /// Accepts on a socket that listens already.
    fn listen(&self, socket: TcpListener) -> io::Result<Self::Listener>;

    /// Asks the name service for the addresses of a host, in the order that the system prefers. May take
    /// any time.
    fn resolve(&self, host: &str, port: u16) -> Boxed<io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        let found = self.block(move || (host.as_str(), port).to_socket_addrs().map(Vec::from_iter));
        Box::pin(async { found.await.and_then(|found| found) })
    }

    /// Opens a TCP connection. May take any time. Dropping the future closes what is open of it.
    fn connect(&self, address: SocketAddr) -> Boxed<io::Result<Self::Stream>>;

    /// Runs something that blocks where it does not hold up others. An error says that it panicked.
    fn block<T, F>(&self, job: F) -> Boxed<io::Result<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;

    /// Runs a task beside the others until it is done.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// What `task` yields, unless `span` passes first.
pub(crate) async fn within<R: Runtime, T>(
    runtime: &R,
    span: Duration,
    mut task: Boxed<T>,
) -> Option<T> {
    let at = runtime.now() + span;
    let mut timer = runtime.timer();
    std::future::poll_fn(|cx| match task.as_mut().poll(cx) {
        Poll::Ready(yielded) => Poll::Ready(Some(yielded)),
        Poll::Pending => timer.poll_at(cx, at).map(|()| None),
    })
    .await
}
