//! A runtime without threads, sockets or clock: tasks run only when they were woken, so that a lost
//! wake-up shows as a dialogue that stands still.
//!
//! The runtime of [`simulated`](crate::simulated) cannot show that: in its world others live as well, and all
//! who read are woken whenever time passes. It has latency, faults and an IMAP server instead.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pop3_proto::time::Time;
use pop3_server::listen::listen;
use pop3_server::runtime::{Accepted, Boxed, Listener, Runtime, Signal, Signals, Stream, Timer};
use pop3_server::server::Server;
use pop3_server::service::Service;
use pop3_server::settings::Settings;
use pop3_server::setup::Setup;

use crate::peer::TlsPeer;

/// One direction of a connection.
#[derive(Default)]
struct Flow {
    bytes: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connection as both ends share it: 0 flows to the server, 1 flows from it.
#[derive(Default)]
struct Wire {
    flows: [Flow; 2],
    dropped: bool,
    broken: bool,
}

/// How small and how slow everything is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes that a socket's buffer holds.
    pub buffer: usize,
    /// Bytes that one read or write moves at most.
    pub chunk: usize,
}

/// How an address answers connection attempts.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// It takes the connection, after a while.
    Answers(Duration),
    /// It refuses, after a while.
    Refuses(Duration),
    /// Nothing comes back.
    Silent,
}

#[derive(Default)]
struct World {
    now: Time,
    ready: VecDeque<usize>,
    tasks: Vec<Option<Boxed<()>>>,
    timers: BTreeMap<(Time, usize), Waker>,
    next_timer: usize,
    accepts: VecDeque<io::Result<SimStream>>,
    acceptor: Option<Waker>,
    polls: usize,
    dialled: VecDeque<SimStream>,
    names: BTreeMap<String, Vec<SocketAddr>>,
    reach: BTreeMap<SocketAddr, Reach>,
    attempts: Vec<(Time, SocketAddr)>,
    attempts_open: usize,
    most_attempts_open: usize,
    signals: VecDeque<Signal>,
    signalled: Option<Waker>,
}

/// The runtime. Clones are the same one.
#[derive(Clone)]
pub struct Sim {
    world: Arc<Mutex<World>>,
    pub shape: Shape,
}

struct TaskWaker {
    world: Arc<Mutex<World>>,
    task: usize,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut world = self.world.lock().unwrap();
        if !world.ready.contains(&self.task) {
            world.ready.push_back(self.task);
        }
    }
}

impl Sim {
    pub fn new(shape: Shape) -> Self {
        Self {
            world: Arc::default(),
            shape,
        }
    }

    /// Runs woken tasks until none is left.
    pub fn run(&self) {
        loop {
            let Some(number) = self.world.lock().unwrap().ready.pop_front() else {
                return;
            };
            let Some(mut task) = self.world.lock().unwrap().tasks[number].take() else {
                continue;
            };
            let waker = Waker::from(Arc::new(TaskWaker {
                world: Arc::clone(&self.world),
                task: number,
            }));
            self.world.lock().unwrap().polls += 1;
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
            {
                self.world.lock().unwrap().tasks[number] = Some(task);
            }
        }
    }

    /// Lets time pass, waking timers on the way.
    pub fn wait(&self, span: Duration) {
        let end = self.now() + span;
        loop {
            self.run();
            let waker = {
                let mut world = self.world.lock().unwrap();
                match world.timers.first_entry() {
                    Some(first) if first.key().0 <= end => {
                        let ((at, _), waker) = first.remove_entry();
                        world.now = world.now.max(at);
                        waker
                    }
                    Some(_) | None => {
                        world.now = end;
                        return;
                    }
                }
            };
            waker.wake();
        }
    }

    /// Drops all tasks where they stand.
    pub fn abort(&self) {
        let tasks = std::mem::take(&mut self.world.lock().unwrap().tasks);
        drop(tasks);
        self.world.lock().unwrap().ready.clear();
    }

    /// Tasks that are not done.
    pub fn tasks(&self) -> usize {
        self.world.lock().unwrap().tasks.iter().flatten().count()
    }

    pub fn polls(&self) -> usize {
        self.world.lock().unwrap().polls
    }

    /// A client's end of a new connection to the server.
    pub fn client(&self) -> End {
        let (stream, end) = self.pair();
        self.accept(Ok(stream));
        end
    }

    /// Lets a client and the server take turns until neither moves.
    pub fn settle(&self, client: &mut End) {
        self.settle_in_pieces(client, usize::MAX);
    }

    /// The same with a client that moves no more than this at once.
    pub fn settle_in_pieces(&self, client: &mut End, most: usize) {
        loop {
            self.run();
            if !client.turn(most) {
                return;
            }
        }
    }

    /// The same with TLS, whose ends talk until they have no more to say.
    pub fn settle_tls(&self, client: &mut End, tls: &mut TlsPeer) {
        loop {
            client.say(tls.wire());
            self.settle(client);
            let heard = std::mem::take(&mut client.heard);
            tls.receive(&heard);
            if heard.is_empty() {
                return;
            }
        }
    }

    pub fn accept_fails(&self, error: io::Error) {
        self.accept(Err(error));
    }

    fn accept(&self, accept: io::Result<SimStream>) {
        let mut world = self.world.lock().unwrap();
        world.accepts.push_back(accept);
        let waker = world.acceptor.take();
        drop(world);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The far end of the connection that is dialled next.
    pub fn upstream(&self) -> End {
        let (stream, end) = self.pair();
        self.world.lock().unwrap().dialled.push_back(stream);
        end
    }

    /// A name and its addresses, as the name service orders them.
    pub fn name(&self, name: &str, addresses: &[SocketAddr]) {
        let mut world = self.world.lock().unwrap();
        world.names.insert(name.into(), addresses.to_vec());
    }

    /// How an address answers from now on.
    pub fn reach(&self, address: SocketAddr, reach: Reach) {
        self.world.lock().unwrap().reach.insert(address, reach);
    }

    /// The addresses that were tried, and when, since the last call.
    pub fn attempts(&self) -> Vec<(Time, SocketAddr)> {
        std::mem::take(&mut self.world.lock().unwrap().attempts)
    }

    /// How many attempts are under way, and how many were at most.
    pub fn attempts_open(&self) -> (usize, usize) {
        let world = self.world.lock().unwrap();
        (world.attempts_open, world.most_attempts_open)
    }

    pub fn signal(&self, signal: Signal) {
        let mut world = self.world.lock().unwrap();
        world.signals.push_back(signal);
        let waker = world.signalled.take();
        drop(world);
        waker.into_iter().for_each(Waker::wake);
    }

    pub fn signals(&self) -> SimSignals {
        SimSignals(self.clone())
    }

    fn pair(&self) -> (SimStream, End) {
        let wire = Arc::new(Mutex::new(Wire::default()));
        let stream = SimStream {
            wire: Arc::clone(&wire),
            shape: self.shape,
        };
        (
            stream,
            End {
                wire,
                shape: self.shape,
                heard: Vec::new(),
                unsaid: VecDeque::new(),
            },
        )
    }
}

impl Runtime for Sim {
    type Stream = SimStream;
    type Listener = SimListener;
    type Timer = SimTimer;

    fn now(&self) -> Time {
        self.world.lock().unwrap().now
    }

    fn timer(&self) -> SimTimer {
        let mut world = self.world.lock().unwrap();
        world.next_timer += 1;
        SimTimer {
            sim: self.clone(),
            id: world.next_timer,
            set: None,
        }
    }

    fn listen(&self, _: TcpListener) -> io::Result<SimListener> {
        Ok(SimListener(self.clone()))
    }

    fn resolve(&self, host: &str, port: u16) -> Boxed<io::Result<Vec<SocketAddr>>> {
        let known = self.world.lock().unwrap().names.get(host).cloned();
        let found = match known {
            Some(addresses) => Ok(addresses),
            None => (host, port).to_socket_addrs().map(Iterator::collect),
        };
        Box::pin(async { found })
    }

    fn connect(&self, address: SocketAddr) -> Boxed<io::Result<SimStream>> {
        let mut world = self.world.lock().unwrap();
        let now = world.now;
        world.attempts.push((now, address));
        let reach = world.reach.get(&address).copied();
        if let Some(reach) = reach {
            world.attempts_open += 1;
            world.most_attempts_open = world.most_attempts_open.max(world.attempts_open);
            drop(world);
            let wait = match reach {
                Reach::Answers(wait) | Reach::Refuses(wait) => Some(now + wait),
                Reach::Silent => None,
            };
            return Box::pin(Attempt {
                sim: self.clone(),
                timer: self.timer(),
                wait,
                answers: matches!(reach, Reach::Answers(_)),
            });
        }
        drop(world);
        let stream = self.world.lock().unwrap().dialled.pop_front();
        Box::pin(async { stream.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()) })
    }

    fn block<T, F>(&self, job: F) -> Boxed<io::Result<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        Box::pin(async { Ok(job()) })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut world = self.world.lock().unwrap();
        let number = world.tasks.len();
        world.tasks.push(Some(Box::pin(task)));
        world.ready.push_back(number);
    }
}

/// A connection that is being made.
struct Attempt {
    sim: Sim,
    timer: SimTimer,
    wait: Option<Time>,
    answers: bool,
}

impl Future for Attempt {
    type Output = io::Result<SimStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(at) = self.wait else {
            return Poll::Pending;
        };
        if self.timer.poll_at(cx, at).is_pending() {
            return Poll::Pending;
        }
        let stream = if self.answers {
            self.sim.world.lock().unwrap().dialled.pop_front()
        } else {
            None
        };
        Poll::Ready(stream.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.sim.world.lock().unwrap().attempts_open -= 1;
    }
}

/// The server's end.
pub struct SimStream {
    wire: Arc<Mutex<Wire>>,
    shape: Shape,
}

impl Stream for SimStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buf.is_empty());
        let mut wire = self.wire.lock().unwrap();
        if wire.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let flow = &mut wire.flows[0];
        let n = flow.bytes.len().min(buf.len()).min(self.shape.chunk);
        if n == 0 && !flow.ended {
            flow.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (place, byte) in buf.iter_mut().zip(flow.bytes.drain(..n)) {
            *place = byte;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        assert!(!bytes.is_empty());
        let mut wire = self.wire.lock().unwrap();
        if wire.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let flow = &mut wire.flows[1];
        assert!(!flow.ended, "written after shutting down");
        let n = bytes
            .len()
            .min(self.shape.buffer - flow.bytes.len())
            .min(self.shape.chunk);
        if n == 0 {
            flow.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        flow.bytes.extend(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.wire.lock().unwrap().flows[1].ended = true;
        Ok(())
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let mut wire = self.wire.lock().unwrap();
        wire.flows[1].ended = true;
        wire.dropped = true;
    }
}

/// The test's end.
pub struct End {
    wire: Arc<Mutex<Wire>>,
    shape: Shape,
    pub heard: Vec<u8>,
    unsaid: VecDeque<u8>,
}

impl End {
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.unsaid.extend(bytes.as_ref());
    }

    /// Writes what there is room for and reads up to `most`; returns whether something moved.
    pub fn turn(&mut self, most: usize) -> bool {
        let mut wire = self.wire.lock().unwrap();
        let [to, from] = &mut wire.flows;
        let room = self.shape.buffer.saturating_sub(to.bytes.len());
        let said = self.unsaid.len().min(room).min(most);
        to.bytes.extend(self.unsaid.drain(..said));
        let heard = from.bytes.len().min(most);
        self.heard.extend(from.bytes.drain(..heard));
        // A waker is called once, and only for a real event.
        let reader = if said > 0 { to.reader.take() } else { None };
        let writer = if heard > 0 { from.writer.take() } else { None };
        drop(wire);
        reader.into_iter().for_each(Waker::wake);
        writer.into_iter().for_each(Waker::wake);
        said + heard > 0
    }

    pub fn end(&mut self) {
        let mut wire = self.wire.lock().unwrap();
        wire.flows[0].ended = true;
        let reader = wire.flows[0].reader.take();
        drop(wire);
        reader.into_iter().for_each(Waker::wake);
    }

    pub fn reset(&mut self) {
        let mut wire = self.wire.lock().unwrap();
        wire.broken = true;
        let wakers = [wire.flows[0].reader.take(), wire.flows[1].writer.take()];
        drop(wire);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// The server sends no more.
    pub fn ended(&self) -> bool {
        let wire = self.wire.lock().unwrap();
        wire.flows[1].ended && wire.flows[1].bytes.is_empty()
    }

    /// The server closed its socket.
    pub fn dropped(&self) -> bool {
        self.wire.lock().unwrap().dropped
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

pub struct SimListener(Sim);

impl Listener for SimListener {
    type Stream = SimStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<SimStream>>> {
        let mut world = self.0.world.lock().unwrap();
        match world.accepts.pop_front() {
            Some(Ok(stream)) => {
                let crate::Peer {
                    address: peer,
                    local,
                    ..
                } = crate::peer();
                Poll::Ready(Ok(Accepted {
                    stream,
                    peer,
                    local,
                }))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => {
                world.acceptor = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

pub struct SimTimer {
    sim: Sim,
    id: usize,
    set: Option<Time>,
}

impl Timer for SimTimer {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        let mut world = self.sim.world.lock().unwrap();
        if let Some(set) = self.set.take() {
            world.timers.remove(&(set, self.id));
        }
        if at <= world.now {
            return Poll::Ready(());
        }
        self.set = Some(at);
        world.timers.insert((at, self.id), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        if let Some(set) = self.set.take() {
            self.sim
                .world
                .lock()
                .unwrap()
                .timers
                .remove(&(set, self.id));
        }
    }
}

pub struct SimSignals(Sim);

impl Signals for SimSignals {
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut world = self.0.world.lock().unwrap();
        match world.signals.pop_front() {
            Some(signal) => Poll::Ready(signal),
            None => {
                world.signalled = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The result of a serving task.
pub type Outcome = Arc<Mutex<Option<io::Result<()>>>>;

/// Runs a future as a task and keeps what it yields.
pub fn keep(sim: &Sim, task: impl Future<Output = io::Result<()>> + Send + 'static) -> Outcome {
    let outcome = Outcome::default();
    let kept = Arc::clone(&outcome);
    let task: Pin<Box<dyn Future<Output = io::Result<()>> + Send>> = Box::pin(task);
    sim.spawn(async move {
        let yielded = task.await;
        *kept.lock().unwrap() = Some(yielded);
    });
    outcome
}

/// Serves POP3 with these settings on a listener of this world, which then stands still.
pub fn serve<S: Service>(sim: &Sim, server: &Server, settings: Settings<S>) -> Outcome {
    let socket = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let setup = Setup::new().server(server.clone()).pop3(socket, settings);
    let outcome = keep(sim, setup.serve(sim.clone(), sim.signals()));
    sim.run();
    outcome
}
