//! The runtime of the simulated world: its sockets, its clock, its tasks.
//!
//! Owns nothing but handles. A listening socket of the system represents its port number and is used
//! for nothing else. Counts the operations on sockets, so that a test can step in before any of them.

use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use pop3_proto::time::Time;
use pop3_server::runtime::{Accepted, Boxed, Listener, Runtime, Stream, Timer};
use testkit::world::{Acceptor, Network, Socket, Tasks};

/// More operations than this mean that two ends keep each other busy for ever. A few dozen mails of
/// 40 KiB, octet by octet, take a tenth of it.
const ENDLESS: u64 = 20_000_000;

/// No buffer of a connection is larger.
const BOUND: usize = 256 * 1024;

/// A runtime in a world.
#[derive(Clone)]
pub struct Simulated {
    network: Network,
    tasks: Tasks,
    meter: Meter,
}

/// Counts what is done with sockets, and steps in. A clone is another handle.
#[derive(Clone, Default)]
pub struct Meter(Arc<Mutex<Metered>>);

#[derive(Default)]
struct Metered {
    operations: u64,
    interrupt: Option<(u64, Box<dyn FnOnce() + Send>)>,
    frozen: bool,
    unreachable: bool,
    /// How many connections there are.
    open: usize,
    /// With so many of them no other one is made.
    most: Option<usize>,
}

impl Simulated {
    pub fn new(network: &Network, tasks: &Tasks, meter: &Meter) -> Self {
        Self {
            network: network.clone(),
            tasks: tasks.clone(),
            meter: meter.clone(),
        }
    }
}

impl Meter {
    /// How many operations there have been.
    pub fn operations(&self) -> u64 {
        self.metered().operations
    }

    /// Does something before the operation of this number, counted from 0.
    pub fn interrupt(&self, at: u64, act: impl FnOnce() + Send + 'static) {
        self.metered().interrupt = Some((at, Box::new(act)));
    }

    /// From now on no operation is ever done, and nothing shows it.
    pub fn freeze(&self) {
        self.metered().frozen = true;
    }

    /// From now on, or no longer, attempts to connect last for ever.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.metered().unreachable = unreachable;
    }

    /// From now on the process has files for so many connections, accepted ones too.
    pub fn set_files(&self, most: usize) {
        self.metered().most = Some(most);
    }

    /// Counts an operation; says whether it may be done.
    fn tick(&self) -> bool {
        let mut metered = self.metered();
        let number = metered.operations;
        metered.operations += 1;
        assert!(number < ENDLESS, "there is no end to it");
        let due = metered.interrupt.take_if(|(at, _)| *at == number);
        drop(metered);
        if let Some((_, act)) = due {
            act();
        }
        !self.metered().frozen
    }

    fn metered(&self) -> MutexGuard<'_, Metered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that stands for a port, and its number. Calls with different places make different ones.
pub fn port(place: usize) -> io::Result<(TcpListener, u16)> {
    static SOCKETS: LazyLock<Mutex<Vec<TcpListener>>> = LazyLock::new(Mutex::default);
    let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    while sockets.len() <= place {
        sockets.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    }
    let socket = sockets[place].try_clone()?;
    let number = socket.local_addr()?.port();
    Ok((socket, number))
}

fn localhost(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Runtime for Simulated {
    type Stream = Wire;
    type Listener = Door;
    type Timer = Alarm;

    fn now(&self) -> Time {
        self.network.now()
    }

    fn timer(&self) -> Alarm {
        Alarm(self.network.clone())
    }

    fn listen(&self, socket: TcpListener) -> io::Result<Door> {
        let port = socket.local_addr()?.port();
        Ok(Door {
            acceptor: self.network.listen(port),
            port,
            meter: self.meter.clone(),
        })
    }

    fn connect(&self, address: SocketAddr) -> Boxed<io::Result<Wire>> {
        let (network, meter) = (self.network.clone(), self.meter.clone());
        Box::pin(async move {
            if meter.metered().unreachable {
                pending::<()>().await;
            }
            let Metered { open, most, .. } = *meter.metered();
            if most.is_some_and(|most| open >= most) {
                // EMFILE
                return Err(io::Error::from_raw_os_error(24));
            }
            Ok(Wire::new(network.connect(address.port())?, meter))
        })
    }

    /// Every name is this machine. It needs a file, as the system's name service does.
    fn resolve(&self, _: &str, port: u16) -> Boxed<io::Result<Vec<SocketAddr>>> {
        let Metered { open, most, .. } = *self.meter.metered();
        Box::pin(async move {
            match most.is_some_and(|most| open >= most) {
                true => Err(io::Error::from_raw_os_error(24)),
                false => Ok(vec![localhost(port)]),
            }
        })
    }

    fn block<T, F>(&self, job: F) -> Boxed<io::Result<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        Box::pin(async move {
            catch_unwind(AssertUnwindSafe(job)).map_err(|_| io::Error::other("the job panicked"))
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }
}

/// A connection.
pub struct Wire {
    socket: Socket,
    meter: Meter,
}

impl Wire {
    fn new(socket: Socket, meter: Meter) -> Self {
        meter.metered().open += 1;
        Self { socket, meter }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.meter.metered().open -= 1;
    }
}

impl Stream for Wire {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buf.is_empty(), "a read into nothing looks like the end");
        assert!(buf.len() <= BOUND, "room for {} octets", buf.len());
        if !self.meter.tick() {
            return Poll::Pending;
        }
        self.socket.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        assert!(!bytes.is_empty(), "nothing to write");
        assert!(bytes.len() <= BOUND, "{} octets wait", bytes.len());
        if !self.meter.tick() {
            return Poll::Pending;
        }
        self.socket.poll_write(cx, bytes)
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.socket.shut_down();
        Ok(())
    }
}

/// A port that accepts.
pub struct Door {
    acceptor: Acceptor,
    port: u16,
    meter: Meter,
}

impl Listener for Door {
    type Stream = Wire;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<Wire>>> {
        self.acceptor.poll_accept(cx).map(|socket| {
            Ok(Accepted {
                stream: Wire::new(socket, self.meter.clone()),
                peer: localhost(1),
                local: localhost(self.port),
            })
        })
    }
}

/// A timer.
pub struct Alarm(Network);

impl Timer for Alarm {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        self.0.poll_at(cx, at)
    }
}
