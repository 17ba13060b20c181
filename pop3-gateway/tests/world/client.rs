//! A POP3 client that sends what it is asked to, in the clear or in TLS, and remembers what it hears.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pop3_proto::time::Time;
use testkit::judge::{Heard, Tolerance, judge};
use testkit::model::Maildrop;
use testkit::world::{Actor, Socket};

use crate::tls::TlsEnd;

/// The client. A clone is another handle.
#[derive(Clone)]
pub(crate) struct Client(Arc<Mutex<Talk>>);

struct Talk {
    socket: Option<Socket>,
    tls: Option<TlsEnd>,
    unsent: VecDeque<u8>,
    heard: Vec<u8>,
    deaf: bool,
    hanging_up: bool,
    ended: bool,
    error: Option<ErrorKind>,
}

impl Client {
    pub(crate) fn new(socket: Socket, implicit_tls: bool) -> Self {
        Self(Arc::new(Mutex::new(Talk {
            socket: Some(socket),
            tls: implicit_tls.then(TlsEnd::client),
            unsent: VecDeque::new(),
            heard: Vec::new(),
            deaf: false,
            hanging_up: false,
            ended: false,
            error: None,
        })))
    }

    /// Says this, as far as the other end listens.
    pub(crate) fn say(&self, octets: impl AsRef<[u8]>) {
        self.talk().say(octets.as_ref());
    }

    /// Begins TLS after what was said.
    pub(crate) fn start_tls(&self) {
        self.talk().tls = Some(TlsEnd::client());
    }

    /// Everything that was heard so far and not taken.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.talk().heard.clone()
    }

    /// What was heard since the last time.
    pub(crate) fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.talk().heard)).into_owned()
    }

    /// Stops listening, or listens again.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.talk().deaf = deaf;
    }

    /// Closes the sending half once everything is said.
    pub(crate) fn hang_up(&self) {
        self.talk().hanging_up = true;
    }

    /// Says good-bye in TLS.
    pub(crate) fn close_tls(&self) {
        if let Some(tls) = &mut self.talk().tls {
            tls.close();
        }
    }

    /// Is gone, from one moment to the next.
    pub(crate) fn vanish(&self) {
        self.talk().socket = None;
    }

    /// Breaks the connection off.
    pub(crate) fn reset(&self) {
        if let Some(socket) = self.talk().socket.take() {
            socket.reset();
        }
    }

    /// Whether the other end has closed the connection, or it broke.
    pub(crate) fn has_ended(&self) -> bool {
        self.talk().ended
    }

    /// What broke the connection, if it did not end in order.
    pub(crate) fn error(&self) -> Option<ErrorKind> {
        self.talk().error
    }

    /// What was wrong with the other end's TLS.
    pub(crate) fn tls_error(&self) -> Option<String> {
        self.talk().tls.as_ref().and_then(|tls| tls.error.clone())
    }

    /// Whether the other end said good-bye in TLS.
    pub(crate) fn heard_tls_close(&self) -> bool {
        self.talk().tls.as_ref().is_some_and(|tls| tls.closed)
    }

    /// What was heard, as answers to these commands from a maildrop like this; or what is wrong with it.
    pub(crate) fn judged<C: AsRef<[u8]>>(
        &self,
        commands: &[C],
        model: Maildrop,
        tolerance: Tolerance,
    ) -> Result<Heard, String> {
        judge(&self.heard(), self.has_ended(), commands, model, tolerance)
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
    fn say(&mut self, octets: &[u8]) {
        match &mut self.tls {
            Some(tls) => tls.send(octets),
            None => self.unsent.extend(octets),
        }
    }

    fn step(&mut self) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let mut moved = false;
        loop {
            let out = match &self.tls {
                Some(tls) if self.unsent.is_empty() => tls.wire.as_slice(),
                Some(_) | None => self.unsent.as_slices().0,
            };
            if out.is_empty() {
                break;
            }
            let n = match socket.write(out) {
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // what was said in vain shows when the end is heard
                Err(_) => out.len(),
            };
            match &mut self.tls {
                Some(tls) if self.unsent.is_empty() => drop(tls.wire.drain(..n)),
                Some(_) | None => drop(self.unsent.drain(..n)),
            }
            moved = true;
        }
        let unsent =
            !self.unsent.is_empty() || self.tls.as_ref().is_some_and(|tls| !tls.wire.is_empty());
        if self.hanging_up && !unsent {
            socket.shut_down();
            self.hanging_up = false;
            moved = true;
        }
        let mut buf = [0; 16 * 1024];
        while !self.deaf && !self.ended {
            match (socket.read(&mut buf), &mut self.tls) {
                (Ok(0), _) => self.ended = true,
                (Ok(n), None) => self.heard.extend_from_slice(&buf[..n]),
                (Ok(n), Some(tls)) => {
                    tls.receive(&buf[..n]);
                    self.heard.append(&mut tls.plaintext);
                }
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => break,
                (Err(error), _) => {
                    self.error = Some(error.kind());
                    self.ended = true;
                }
            }
            moved = true;
        }
        moved
    }
}
