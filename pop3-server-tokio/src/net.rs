//! Sockets, timer and tasks of tokio.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pop3_proto::time::Time;
use pop3_server::runtime::{Accepted, Boxed, Listener, Runtime, Stream, Timer};
#[cfg(target_os = "linux")]
use rustix::net::{SendFlags, send};
use rustix::net::{Shutdown, shutdown};
#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep_until};

/// A tokio runtime.
#[derive(Clone, Debug)]
pub struct Tokio(Arc<Shared>);

/// One pointer, because each connection has it.
#[derive(Debug)]
struct Shared {
    handle: Handle,
    start: Instant,
}

impl Tokio {
    /// Uses the runtime of this handle. The clock starts now.
    pub fn new(handle: Handle) -> Self {
        Self(Arc::new(Shared {
            handle,
            start: Instant::now(),
        }))
    }
}

impl Runtime for Tokio {
    type Stream = Tcp;
    type Listener = Accepting;
    type Timer = TokioTimer;

    fn now(&self) -> Time {
        Time::from_start(self.0.start.elapsed())
    }

    fn timer(&self) -> TokioTimer {
        TokioTimer {
            start: self.0.start,
            sleep: None,
        }
    }

    fn listen(&self, socket: std::net::TcpListener) -> io::Result<Accepting> {
        let _entered = self.0.handle.enter();
        socket.set_nonblocking(true)?;
        Ok(Accepting {
            local: socket.local_addr()?,
            socket: TcpListener::from_std(socket)?,
        })
    }

    fn connect(&self, address: SocketAddr) -> Boxed<io::Result<Tcp>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Tcp(stream))
        })
    }

    fn block<T, F>(&self, job: F) -> Boxed<io::Result<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let task = self.0.handle.spawn_blocking(job);
        Box::pin(async {
            task.await
                .map_err(|_| io::Error::other("a blocking job panicked"))
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.handle.spawn(task);
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp(TcpStream);

impl Stream for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    #[cfg(target_os = "linux")]
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            let send = || Ok(send(&self.0, bytes, flags)?);
            match self.0.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        Ok(shutdown(&self.0, Shutdown::Write)?)
    }
}

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Accepting {
    socket: TcpListener,
    local: SocketAddr,
}

impl Listener for Accepting {
    type Stream = Tcp;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<Tcp>>> {
        let (stream, peer) = ready!(self.socket.poll_accept(cx))?;
        // If the client is gone already, that shows when its socket is used.
        let _ = stream.set_nodelay(true);
        // Only if it listens at every address does the new socket have to be asked for its own.
        let local = if self.local.ip().is_unspecified() {
            stream.local_addr().unwrap_or(self.local)
        } else {
            self.local
        };
        Poll::Ready(Ok(Accepted {
            stream: Tcp(stream),
            peer,
            local,
        }))
    }
}

/// A timer. Costs nothing until it is used.
#[derive(Debug)]
pub struct TokioTimer {
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer for TokioTimer {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        // A moment beyond the clock's end never comes.
        let Some(at) = self.start.checked_add(at.since_start()) else {
            return Poll::Pending;
        };
        let at = tokio::time::Instant::from_std(at);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}
