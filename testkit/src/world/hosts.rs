//! The usual actors of a world: an IMAP server, and a client that sends what it is asked to.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pop3_proto::time::Time;

use super::network::{Acceptor, Socket};
use super::{Actor, World};
use crate::imap_server::{Server, ServerSession};
use crate::transcript::Dialogue;

/// An IMAP server on a port of the network, in the clear.
#[derive(Debug)]
pub struct ImapHost {
    acceptor: Acceptor,
    server: Server,
    connections: Vec<(Socket, ServerSession)>,
}

impl ImapHost {
    /// Takes the connections to this port.
    pub fn new(world: &World, port: u16, server: Server) -> Self {
        Self {
            acceptor: world.network().listen(port),
            server,
            connections: Vec::new(),
        }
    }
}

impl Actor for ImapHost {
    fn step(&mut self, _: Time) -> bool {
        let before = self.connections.len();
        while let Some(socket) = self.acceptor.accept() {
            self.connections.push((socket, self.server.connect()));
        }
        let mut moved = self.connections.len() > before;
        self.connections.retain_mut(|(socket, session)| {
            let (more, open) = converse(socket, session);
            moved |= more || !open;
            open
        });
        moved
    }
}

/// Whether anything moved, and whether the connection goes on.
fn converse(socket: &Socket, session: &mut ServerSession) -> (bool, bool) {
    let mut moved = false;
    while !session.transmit().is_empty() {
        match socket.write(session.transmit()) {
            Ok(n) => session.transmitted(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return (true, false),
        }
        moved = true;
    }
    if session.is_closed() {
        return (moved, false);
    }
    let mut buf = [0; 4096];
    while session.wants_input() {
        match socket.read(&mut buf) {
            Ok(0) => {
                session.handle_eof();
                moved = true;
            }
            Ok(n) => {
                session.handle_input(&buf[..n]);
                moved = true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return (true, false),
        }
    }
    (moved, true)
}

/// A client that sends what it is asked to and remembers what it receives. A clone is another handle.
#[derive(Clone, Debug)]
pub struct Client(Arc<Mutex<Talk>>);

#[derive(Debug)]
struct Talk {
    socket: Option<Socket>,
    unsent: Vec<u8>,
    received: Vec<u8>,
    deaf: bool,
    hanging_up: bool,
    ending: Option<ErrorKind>,
    ended: bool,
}

impl Client {
    /// Connects to a port and joins the world.
    pub fn connect(world: &mut World, port: u16) -> std::io::Result<Self> {
        let client = Self(Arc::new(Mutex::new(Talk {
            socket: Some(world.network().connect(port)?),
            unsent: Vec::new(),
            received: Vec::new(),
            deaf: false,
            hanging_up: false,
            ending: None,
            ended: false,
        })));
        world.add(client.clone());
        Ok(client)
    }

    /// Sends this, as far as the other end takes it.
    pub fn send(&self, octets: &[u8]) {
        self.talk().unsent.extend_from_slice(octets);
    }

    /// What was received since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.talk().received)
    }

    /// How much was received and not yet taken.
    pub fn heard(&self) -> usize {
        self.talk().received.len()
    }

    /// Stops listening, or listens again.
    pub fn set_deaf(&self, deaf: bool) {
        self.talk().deaf = deaf;
    }

    /// Closes the sending half once everything is sent.
    pub fn hang_up(&self) {
        self.talk().hanging_up = true;
    }

    /// Disappears from one moment to the next: what was not read is lost.
    pub fn vanish(&self) {
        self.talk().socket = None;
    }

    /// Breaks the connection off.
    pub fn reset(&self) {
        if let Some(socket) = self.talk().socket.take() {
            socket.reset();
        }
    }

    /// Whether the other end has closed the connection, or it broke.
    pub fn has_ended(&self) -> bool {
        self.talk().ended
    }

    /// What broke the connection, if it did not end in order.
    pub fn error(&self) -> Option<ErrorKind> {
        self.talk().ending
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Actor for Client {
    fn step(&mut self, _: Time) -> bool {
        self.talk().step()
    }
}

impl Talk {
    fn step(&mut self) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let mut moved = false;
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(n) => {
                    self.unsent.drain(..n);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // what was sent in vain shows when the end arrives
                Err(_) => self.unsent.clear(),
            }
        }
        if self.hanging_up && self.unsent.is_empty() {
            socket.shut_down();
            self.hanging_up = false;
            moved = true;
        }
        let mut buf = [0; 16 * 1024];
        while !self.deaf && !self.ended {
            match socket.read(&mut buf) {
                Ok(0) => self.ended = true,
                Ok(n) => self.received.extend_from_slice(&buf[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.ending = Some(error.kind());
                    self.ended = true;
                }
            }
            moved = true;
        }
        moved
    }
}

/// A client in its world as one side of a [`Transcript`](crate::transcript::Transcript).
pub struct OnWire<'a> {
    world: &'a mut World,
    client: Client,
}

impl<'a> OnWire<'a> {
    /// This client. What arrives first is read at once.
    pub fn new(world: &'a mut World, client: Client) -> Self {
        world.settle();
        Self { world, client }
    }
}

impl Dialogue for OnWire<'_> {
    fn send(&mut self, octets: &[u8]) {
        self.client.send(octets);
        self.world.settle();
    }

    fn advance(&mut self, span: Duration) {
        self.world.advance(span);
    }

    fn take_output(&mut self) -> Vec<u8> {
        self.client.take()
    }

    fn is_closed(&self) -> bool {
        self.client.has_ended()
    }

    fn hang_up(&mut self) {
        self.client.hang_up();
        self.world.settle();
    }
}
