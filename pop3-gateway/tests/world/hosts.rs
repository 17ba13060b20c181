//! The IMAP server of `testkit` on a port, in the clear, with STARTTLS, or in TLS from the start.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use pop3_proto::time::Time;
use testkit::imap_server::{Server, ServerSession};
use testkit::world::{Acceptor, Actor, Socket, World};

use crate::tls::TlsEnd;

/// The server on its port. A clone is another handle.
#[derive(Clone)]
pub(crate) struct ImapHost(Arc<Mutex<Host>>);

struct Host {
    acceptor: Acceptor,
    server: Server,
    implicit_tls: bool,
    lines: Vec<Line>,
    octets: u64,
}

struct Line {
    socket: Socket,
    session: ServerSession,
    tls: Option<TlsEnd>,
    secured: bool,
}

impl ImapHost {
    pub(crate) fn new(world: &World, port: u16, server: Server, implicit_tls: bool) -> Self {
        Self(Arc::new(Mutex::new(Host {
            acceptor: world.network().listen(port),
            server,
            implicit_tls,
            lines: Vec::new(),
            octets: 0,
        })))
    }

    /// How many octets of responses have left the server, without TLS.
    pub(crate) fn octets(&self) -> u64 {
        self.with(|host| host.octets)
    }

    /// How many connections stand.
    pub(crate) fn open(&self) -> usize {
        self.with(|host| host.lines.len())
    }

    /// Breaks all connections off, in order or not.
    pub(crate) fn hang_up(&self, reset: bool) {
        self.with(|host| {
            for line in host.lines.drain(..) {
                if reset {
                    line.socket.reset();
                }
            }
        });
    }

    fn with<R>(&self, look: impl FnOnce(&mut Host) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Actor for ImapHost {
    fn step(&mut self, _: Time) -> bool {
        self.with(Host::step)
    }
}

impl Host {
    fn step(&mut self) -> bool {
        let mut moved = false;
        while let Some(socket) = self.acceptor.accept() {
            let (session, tls) = if self.implicit_tls {
                (self.server.connect_tls(), Some(TlsEnd::server()))
            } else {
                (self.server.connect(), None)
            };
            let secured = self.implicit_tls;
            self.lines.push(Line {
                socket,
                session,
                tls,
                secured,
            });
            moved = true;
        }
        let octets = &mut self.octets;
        self.lines.retain_mut(|line| {
            let (more, open) = line.converse(octets);
            moved |= more || !open;
            open
        });
        moved
    }
}

impl Line {
    /// Whether anything moved, and whether the connection goes on.
    fn converse(&mut self, octets: &mut u64) -> (bool, bool) {
        let mut moved = false;
        self.session.look();
        loop {
            if self.session.wants_tls() && self.tls.is_none() {
                self.tls = Some(TlsEnd::server());
            }
            match self.write(octets) {
                Ok(more) => moved |= more,
                Err(()) => return (true, false),
            }
            if self.session.is_closed() && self.wire().is_empty() {
                return (moved, false);
            }
            match self.read() {
                Ok(true) => moved = true,
                Ok(false) => return (moved, true),
                Err(()) => return (true, false),
            }
        }
    }

    fn wire(&self) -> &[u8] {
        self.tls.as_ref().map_or(&[], |tls| &tls.wire)
    }

    fn write(&mut self, octets: &mut u64) -> Result<bool, ()> {
        let mut moved = false;
        loop {
            let written = match &mut self.tls {
                None => self.socket.write(self.session.transmit()),
                Some(tls) => {
                    if tls.wire.is_empty() && tls.is_ready() && !self.session.transmit().is_empty()
                    {
                        let n = self.session.transmit().len().min(16 * 1024);
                        tls.send(&self.session.transmit()[..n]);
                        self.session.transmitted(n);
                        *octets += n as u64;
                    }
                    self.socket.write(&tls.wire)
                }
            };
            match (written, &mut self.tls) {
                (Ok(0), _) => return Ok(moved),
                (Ok(n), None) => {
                    self.session.transmitted(n);
                    *octets += n as u64;
                }
                (Ok(n), Some(tls)) => drop(tls.wire.drain(..n)),
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => return Ok(moved),
                (Err(_), _) => return Err(()),
            }
            moved = true;
        }
    }

    fn read(&mut self) -> Result<bool, ()> {
        if self.tls.is_none() && !self.session.wants_input() {
            return Ok(false);
        }
        let mut buf = [0; 4096];
        match (self.socket.read(&mut buf), &mut self.tls) {
            (Ok(0), _) => {
                self.session.handle_eof();
                // there is nothing more to be read, ever
                Err(())
            }
            (Ok(n), None) => {
                self.session.handle_input(&buf[..n]);
                Ok(true)
            }
            (Ok(n), Some(tls)) => {
                tls.receive(&buf[..n]);
                if tls.is_ready() && !self.secured {
                    self.secured = true;
                    self.session.handle_tls_ready();
                }
                self.session
                    .handle_input(&std::mem::take(&mut tls.plaintext));
                if tls.closed || tls.error.is_some() {
                    self.session.handle_eof();
                }
                Ok(true)
            }
            (Err(error), _) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            (Err(_), _) => Err(()),
        }
    }
}
