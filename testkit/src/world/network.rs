//! Connections, ports and the clock.
//!
//! Owns both ends' view of a connection. A [`Socket`] behaves as a non-blocking socket does, with and
//! without a waker.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pop3_proto::time::Time;

use super::pipe::{Pipe, Route, wake};

/// The network and its clock. A clone is another handle.
#[derive(Clone, Debug, Default)]
pub struct Network(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    now: Time,
    links: BTreeMap<u64, Link>,
    next_link: u64,
    ports: BTreeMap<u16, Port>,
    plans: BTreeMap<u16, VecDeque<Route>>,
    timers: Vec<(Time, Waker)>,
    activity: u64,
}

/// A connection: both directions, seen from the side that connected.
#[derive(Debug)]
struct Link {
    pipes: [Pipe; 2],
    open: [bool; 2],
}

#[derive(Debug, Default)]
struct Port {
    backlog: VecDeque<u64>,
    waker: Option<Waker>,
}

/// One end of a connection. Closed when dropped.
#[derive(Debug)]
pub struct Socket {
    network: Network,
    link: u64,
    /// 0 for the side that connected, 1 for the side that accepted.
    end: usize,
}

/// Takes the connections to a port. Closed when dropped.
#[derive(Debug)]
pub struct Acceptor {
    network: Network,
    port: u16,
}

impl Network {
    /// The time now.
    pub fn now(&self) -> Time {
        self.inner().now
    }

    /// Takes the connections to a port from now on.
    pub fn listen(&self, port: u16) -> Acceptor {
        self.inner().ports.insert(port, Port::default());
        Acceptor {
            network: self.clone(),
            port,
        }
    }

    /// How the next connection to this port behaves, or the one after those that are planned already.
    /// Further connections are fast and faultless.
    pub fn plan(&self, port: u16, route: Route) {
        self.inner().plans.entry(port).or_default().push_back(route);
    }

    /// Connects to a port.
    pub fn connect(&self, port: u16) -> io::Result<Socket> {
        let mut inner = self.inner();
        let link = inner.next_link;
        let route = inner
            .plans
            .get_mut(&port)
            .and_then(VecDeque::pop_front)
            .unwrap_or_default();
        let Some(listener) = inner.ports.get_mut(&port) else {
            return Err(ErrorKind::ConnectionRefused.into());
        };
        listener.backlog.push_back(link);
        wake(&mut listener.waker);
        let pipes = [Pipe::new(route.there), Pipe::new(route.back)];
        inner.links.insert(
            link,
            Link {
                pipes,
                open: [true; 2],
            },
        );
        inner.next_link += 1;
        inner.activity += 1;
        Ok(Socket {
            network: self.clone(),
            link,
            end: 0,
        })
    }

    /// Ready once this moment has come.
    pub fn poll_at(&self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        let mut inner = self.inner();
        if at <= inner.now {
            return Poll::Ready(());
        }
        let known = |(set, waker): &(Time, Waker)| *set == at && waker.will_wake(cx.waker());
        if !inner.timers.iter().any(known) {
            inner.timers.push((at, cx.waker().clone()));
        }
        Poll::Pending
    }

    pub(super) fn set_time(&self, now: Time) {
        let mut inner = self.inner();
        inner.now = inner.now.max(now);
        let now = inner.now;
        for (_, waker) in inner.timers.extract_if(.., |(at, _)| *at <= now) {
            waker.wake();
        }
        // octets may have arrived anywhere
        for pipe in inner.links.values_mut().flat_map(|link| &mut link.pipes) {
            wake(&mut pipe.reader);
        }
    }

    /// Increases with every event.
    pub(super) fn activity(&self) -> u64 {
        self.inner().activity
    }

    pub(super) fn next_arrival(&self) -> Option<Time> {
        let inner = self.inner();
        let pipes = inner.links.values().flat_map(|link| &link.pipes);
        pipes.filter_map(|pipe| pipe.next_arrival(inner.now)).min()
    }

    pub(super) fn next_timer(&self) -> Option<Time> {
        self.inner().timers.iter().map(|(at, _)| *at).min()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Acceptor {
    /// The next connection, if there is one.
    pub fn accept(&self) -> Option<Socket> {
        let mut inner = self.network.inner();
        let link = inner.ports.get_mut(&self.port)?.backlog.pop_front()?;
        inner.activity += 1;
        Some(Socket {
            network: self.network.clone(),
            link,
            end: 1,
        })
    }

    /// The next connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Socket> {
        if let Some(socket) = self.accept() {
            return Poll::Ready(socket);
        }
        if let Some(port) = self.network.inner().ports.get_mut(&self.port) {
            port.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        let mut inner = self.network.inner();
        let waiting = inner.ports.remove(&self.port).unwrap_or_default().backlog;
        for link in waiting {
            inner.close(link, 1, true);
        }
    }
}

impl Socket {
    /// Reads what has arrived; `Ok(0)` is the end of the stream, [`ErrorKind::WouldBlock`] that nothing
    /// is there now.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.network.inner().transfer(self.link, |now, link| {
            let pipe = &mut link.pipes[1 - self.end];
            let result = pipe.read(now, buf);
            if !pipe.is_to_be_reset() {
                return result;
            }
            link.reset();
            match result {
                Ok(n) if n > 0 => Ok(n),
                Ok(_) | Err(_) => Err(ErrorKind::ConnectionReset.into()),
            }
        })
    }

    /// Writes some octets; [`ErrorKind::WouldBlock`] if there is no room now.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.network.inner().transfer(self.link, |now, link| {
            link.pipes[self.end].write(now, bytes)
        })
    }

    /// As [`read`](Self::read), with the task woken when it is worth trying again.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.pending(self.read(buf), |link| {
            link.pipes[1 - self.end].reader = Some(cx.waker().clone())
        })
    }

    /// As [`write`](Self::write), with the task woken when it is worth trying again.
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pending(self.write(bytes), |link| {
            link.pipes[self.end].writer = Some(cx.waker().clone())
        })
    }

    /// Writes no more: the other end sees the end of the stream after what was written.
    pub fn shut_down(&self) {
        let mut inner = self.network.inner();
        let now = inner.now;
        inner.activity += 1;
        if let Some(link) = inner.links.get_mut(&self.link) {
            link.pipes[self.end].end(now);
        }
    }

    /// Breaks the connection off: the other end sees a reset.
    pub fn reset(&self) {
        let mut inner = self.network.inner();
        inner.activity += 1;
        if let Some(link) = inner.links.get_mut(&self.link) {
            link.reset();
        }
    }

    fn pending(
        &self,
        result: io::Result<usize>,
        wait: impl FnOnce(&mut Link),
    ) -> Poll<io::Result<usize>> {
        match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(link) = self.network.inner().links.get_mut(&self.link) {
                    wait(link);
                }
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.inner().close(self.link, self.end, false);
    }
}

impl Inner {
    fn transfer(
        &mut self,
        link: u64,
        transfer: impl FnOnce(Time, &mut Link) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let Some(link) = self.links.get_mut(&link) else {
            return Err(ErrorKind::NotConnected.into());
        };
        let before = link.is_reset();
        let result = transfer(self.now, link);
        if result.as_ref().is_ok_and(|&n| n > 0) || before != link.is_reset() {
            self.activity += 1;
        }
        result
    }

    /// A close with octets unread is a reset, as TCP does it.
    fn close(&mut self, link: u64, end: usize, reset: bool) {
        let now = self.now;
        self.activity += 1;
        let Some(open) = self.links.get_mut(&link) else {
            return;
        };
        open.open[end] = false;
        if reset || open.pipes[1 - end].has_unread(now) {
            open.reset();
        } else {
            open.pipes[end].end(now);
            open.pipes[1 - end].abandon();
        }
        if open.open == [false; 2] {
            self.links.remove(&link);
        }
    }
}

impl Link {
    fn is_reset(&self) -> bool {
        self.pipes.iter().all(Pipe::is_reset)
    }

    fn reset(&mut self) {
        for pipe in &mut self.pipes {
            pipe.reset();
        }
    }
}
