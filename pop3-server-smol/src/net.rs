//! Sockets, timer and tasks of smol's parts.

use std::future::Future;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pop3_proto::time::Time;
use pop3_server::runtime::{Accepted, Boxed, Listener, Runtime, Stream, Timer};
#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::net::{SendFlags, send};
use smol::io::AsyncWrite;
use smol::{Async, Executor, unblock};

use crate::threads::{Guarded, Threads};

/// Executors of smol's and its reactor.
#[derive(Clone, Debug)]
pub struct Smol {
    /// One executor for each thread; if this is `None`, the one of `smol::spawn`.
    threads: Option<Threads>,
    start: Instant,
}

impl Smol {
    /// Uses these executors; the caller runs each on a thread of its own. The first takes all tasks, the
    /// others help once it is busy. Without any, no task runs. The clock starts now.
    pub fn new(executors: Arc<[Executor<'static>]>) -> Self {
        Self {
            threads: Some(Threads::new(executors)),
            start: Instant::now(),
        }
    }

    /// Uses the executor of `smol::spawn`. The clock starts now.
    pub fn global() -> Self {
        Self {
            threads: None,
            start: Instant::now(),
        }
    }
}

impl Runtime for Smol {
    type Stream = Tcp;
    type Listener = Accepting;
    type Timer = SmolTimer;

    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    fn timer(&self) -> SmolTimer {
        SmolTimer {
            start: self.start,
            set: None,
        }
    }

    fn listen(&self, socket: TcpListener) -> io::Result<Accepting> {
        Ok(Accepting {
            local: socket.local_addr()?,
            socket: Async::new(socket)?,
        })
    }

    fn connect(&self, address: SocketAddr) -> Boxed<io::Result<Tcp>> {
        Box::pin(async move {
            let stream = Async::<TcpStream>::connect(address).await?;
            stream.get_ref().set_nodelay(true)?;
            Ok(Tcp::new(stream))
        })
    }

    fn block<T, F>(&self, job: F) -> Boxed<io::Result<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let task = unblock(move || catch_unwind(AssertUnwindSafe(job)));
        Box::pin(async {
            task.await
                .map_err(|_| io::Error::other("a blocking job panicked"))
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = Guarded::new(task);
        match &self.threads {
            Some(threads) => threads.spawn(task),
            None => smol::spawn(task).detach(),
        }
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp {
    socket: Async<TcpStream>,
    /// The last read found nothing: the reactor says when it is worth another one.
    drained: bool,
}

impl Tcp {
    fn new(socket: Async<TcpStream>) -> Self {
        Self {
            socket,
            drained: false,
        }
    }
}

impl Stream for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.drained {
                ready!(self.socket.poll_readable(cx))?;
                self.drained = false;
            }
            match self.socket.get_ref().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                read => return Poll::Ready(read),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    #[cfg(target_os = "linux")]
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match send(&self.socket, bytes, SendFlags::MORE | SendFlags::NOSIGNAL) {
                Err(Errno::WOULDBLOCK) => ready!(self.socket.poll_writable(cx))?,
                sent => return Poll::Ready(Ok(sent?)),
            }
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.socket.get_ref().shutdown(Shutdown::Write)
    }
}

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Accepting {
    socket: Async<TcpListener>,
    local: SocketAddr,
}

impl Listener for Accepting {
    type Stream = Tcp;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<Tcp>>> {
        let (stream, peer) = loop {
            match self.socket.get_ref().accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_readable(cx))?;
                }
                accepted => break accepted?,
            }
        };
        // If the client is gone already, that shows when its socket is used.
        let _ = stream.set_nodelay(true);
        // Only if it listens at every address does the new socket have to be asked for its own.
        let local = if self.local.ip().is_unspecified() {
            stream.local_addr().unwrap_or(self.local)
        } else {
            self.local
        };
        Poll::Ready(Ok(Accepted {
            stream: Tcp::new(Async::new(stream)?),
            peer,
            local,
        }))
    }
}

/// A timer. Costs nothing until it is used.
#[derive(Debug)]
pub struct SmolTimer {
    start: Instant,
    set: Option<(Instant, smol::Timer)>,
}

impl Timer for SmolTimer {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        // A moment beyond the clock's end never comes.
        let Some(at) = self.start.checked_add(at.since_start()) else {
            return Poll::Pending;
        };
        let (set, timer) = self.set.get_or_insert_with(|| (at, smol::Timer::at(at)));
        if *set != at {
            *set = at;
            timer.set_at(at);
        }
        let fired = Pin::new(timer).poll(cx);
        if fired.is_ready() {
            self.set = None;
        }
        fired.map(|_| ())
    }
}
