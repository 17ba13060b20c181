//! Plays the driver of one connection, with the client and the upstream at hand and a clock that the
//! test turns.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::Outcome;
use pop3_proto::time::Time;
use pop3_server::connection::{Action, Connection, Side};
use pop3_server::server::Server;
use pop3_server::service::{Peer, Service};
use pop3_server::settings::Settings;

/// One end of a socket, as the test sees it.
#[derive(Debug, Default)]
pub struct Socket {
    /// What the test sent and the connection has not read yet.
    pub inbound: VecDeque<u8>,
    /// What the connection wrote.
    pub outbound: Vec<u8>,
    /// The test sends no more.
    pub eof: bool,
    eof_told: bool,
    /// The connection sends no more.
    pub shut_down: bool,
    /// The connection closed it.
    pub closed: bool,
    /// The test does not read: nothing more is taken than this.
    pub window: Option<usize>,
}

/// A connection and both sockets.
pub struct Rig<S: Service> {
    pub connection: Connection<S>,
    pub client: Socket,
    pub upstream: Option<Socket>,
    pub wants_connect: bool,
    pub now: Time,
    /// How many bytes the next reads and writes move; the last one repeats. Empty: all there is.
    pub chunks: VecDeque<usize>,
}

impl<S: Service> Rig<S> {
    pub fn new(settings: &Arc<Settings<S>>, server: &Server) -> Self {
        Self::at(settings, server, crate::peer()).unwrap()
    }

    pub fn at(settings: &Arc<Settings<S>>, server: &Server, peer: Peer) -> Option<Self> {
        let now = Time::from_start(Duration::from_secs(1000));
        let place = server
            .crowd()
            .admit(&settings.limits, peer.address.ip(), now)
            .ok()?;
        let connection = Connection::new(Arc::clone(settings), server, peer, place, now);
        let mut rig = Self {
            connection,
            client: Socket::default(),
            upstream: None,
            wants_connect: false,
            now,
            chunks: VecDeque::new(),
        };
        rig.run();
        Some(rig)
    }

    /// Sends bytes as the client and lets everything settle.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.client.inbound.extend(bytes.as_ref());
        self.run();
        self
    }

    /// What the client received since the last call.
    pub fn heard(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.client.outbound)).into_owned()
    }

    /// Sends a command and returns the answer.
    pub fn ask(&mut self, line: &str) -> String {
        self.heard();
        self.say(format!("{line}\r\n")).heard()
    }

    pub fn log_in(&mut self) -> String {
        self.ask("USER joe");
        self.ask(&format!("PASS {}", crate::PASSWORD))
    }

    /// The upstream's socket is there.
    pub fn connected(&mut self) {
        assert!(self.wants_connect, "nothing asked to connect");
        self.wants_connect = false;
        self.upstream = Some(Socket::default());
        self.connection.handle_outcome(self.now, Outcome::Connected);
        self.run();
    }

    pub fn end_of_stream(&mut self) {
        self.client.eof = true;
        self.run();
    }

    pub fn reset(&mut self) {
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        self.connection.handle_error(Side::Client, self.now, &error);
        self.run();
    }

    /// Lets the time pass, stopping at each deadline on the way.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, reason)) = self.connection.poll_timeout() {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            let next = self.connection.poll_timeout();
            assert!(
                next.is_none_or(|(next, _)| next > self.now),
                "the deadline '{reason}' stays: {next:?} at {:?}",
                self.now
            );
            self.run();
        }
        self.now = end;
    }

    /// Does what a driver does until nothing moves.
    pub fn run(&mut self) {
        while self.actions() | self.reads() | self.writes() | self.calls() {}
    }

    fn calls(&mut self) -> bool {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        self.connection.poll_calls(&mut cx, self.now)
    }

    fn actions(&mut self) -> bool {
        let mut moved = false;
        while let Some(action) = self.connection.poll_action() {
            moved = true;
            match action {
                Action::Connect(_) => {
                    self.upstream = None;
                    self.wants_connect = true;
                }
                Action::Disconnect | Action::Release => {
                    self.wants_connect = false;
                    if let Some(upstream) = &mut self.upstream {
                        upstream.closed = true;
                    }
                }
                Action::Run(_) | Action::Resume(_) | Action::Park(_) => {
                    panic!("no backend here has jobs, or parks")
                }
                Action::ShutDownClient => self.client.shut_down = true,
                Action::CloseClient => self.client.closed = true,
            }
        }
        moved
    }

    fn chunk(&mut self) -> usize {
        let chunk = self.chunks.front().copied().unwrap_or(usize::MAX).max(1);
        if self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        chunk
    }

    fn reads(&mut self) -> bool {
        let most = self.chunk();
        let mut moved = false;
        for side in [Side::Client, Side::Upstream] {
            let socket = open(side, &mut self.client, self.upstream.as_mut());
            let Some(socket) = socket else { continue };
            // More than the largest TLS record, so that several come at once.
            let mut scratch = [0; 60_000];
            let buf = self.connection.recv_buf(side, &mut scratch);
            if buf.is_empty() {
                continue;
            }
            let n = buf.len().min(socket.inbound.len()).min(most);
            for (place, byte) in buf.iter_mut().zip(socket.inbound.drain(..n)) {
                *place = byte;
            }
            if n > 0 {
                self.connection.received(side, self.now, n, &scratch);
                moved = true;
            } else if socket.eof && !socket.eof_told {
                socket.eof_told = true;
                self.connection.handle_eof(side, self.now);
                moved = true;
            }
        }
        moved
    }

    fn writes(&mut self) -> bool {
        let most = self.chunk();
        let mut moved = false;
        for side in [Side::Client, Side::Upstream] {
            let socket = open(side, &mut self.client, self.upstream.as_mut());
            let Some(socket) = socket else { continue };
            let bytes = self.connection.send_buf(side);
            let room = socket.window.map_or(usize::MAX, |window| {
                window.saturating_sub(socket.outbound.len())
            });
            let n = bytes.len().min(most).min(room);
            if n > 0 {
                socket.outbound.extend_from_slice(&bytes[..n]);
                self.connection.sent(side, self.now, n);
                moved = true;
            }
        }
        moved
    }
}

/// The socket of this side, if it is open.
fn open<'s>(
    side: Side,
    client: &'s mut Socket,
    upstream: Option<&'s mut Socket>,
) -> Option<&'s mut Socket> {
    let socket = match side {
        Side::Client => Some(client),
        Side::Upstream => upstream,
    };
    socket.filter(|socket| !socket.closed)
}
