//! The small IMAP server on a real socket: for the demonstration, the drivers' tests and scripts.
//!
//! Owns threads, one for each connection. Decides nothing: the session does.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::{Server, ServerSession};

/// An IMAP server that listens. Stops when dropped.
#[derive(Debug)]
pub struct TcpHost {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: bool,
    streams: BTreeMap<u32, TcpStream>,
}

impl TcpHost {
    /// Listens on an address; port 0 takes any that is free.
    pub fn start(address: impl ToSocketAddrs, server: Server) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let host = Self {
            address: listener.local_addr()?,
            shared: Arc::default(),
        };
        let shared = Arc::clone(&host.shared);
        thread::spawn(move || accept(&listener, &server, &shared));
        Ok(host)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all existing connections, as a crash would.
    pub fn cut_connections(&self) {
        for stream in lock(&self.shared).streams.values() {
            // it may be closed already
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for TcpHost {
    fn drop(&mut self) {
        lock(&self.shared).stopping = true;
        self.cut_connections();
        // wakes the thread that accepts; if that fails, it is gone already
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, server: &Server, shared: &Arc<Mutex<Shared>>) {
    for stream in listener.incoming() {
        let mut all = lock(shared);
        if all.stopping {
            return;
        }
        let session = server.connect();
        let (Ok(stream), number) = (stream, session.number()) else {
            continue;
        };
        if let Ok(handle) = stream.try_clone() {
            all.streams.insert(number, handle);
            drop(all);
            let shared = Arc::clone(shared);
            thread::spawn(move || {
                // an error ends the connection as an end does
                let _ = converse(stream, session);
                lock(&shared).streams.remove(&number);
            });
        }
    }
}

fn converse(mut stream: TcpStream, mut session: ServerSession) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 16 * 1024];
    loop {
        while !session.transmit().is_empty() {
            let n = stream.write(session.transmit())?;
            session.transmitted(n);
        }
        if session.is_closed() {
            return stream.shutdown(Shutdown::Both);
        }
        match stream.read(&mut buffer)? {
            0 => session.handle_eof(),
            n => session.handle_input(&buffer[..n]),
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::{BufRead, BufReader};

    use super::*;
    use crate::{Options, Store};

    #[test]
    fn clients_are_served_until_the_host_goes() {
        let store = Store::new();
        store.add_user("tim", "tanstaaf");
        let server = Server::new(store, Options::default());
        let host = TcpHost::start("127.0.0.1:0", server.clone()).unwrap();
        let mut stream = TcpStream::connect(host.address()).unwrap();
        stream
            .write_all(b"a LOGIN tim tanstaaf\r\nb LOGOUT\r\n")
            .unwrap();
        let lines: Vec<String> = BufReader::new(&stream)
            .lines()
            .map(Result::unwrap)
            .collect();
        assert_eq!(lines.last().unwrap(), "b OK done");

        let stream = TcpStream::connect(host.address()).unwrap();
        let mut lines = BufReader::new(&stream).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("* OK"));
        host.cut_connections();
        assert!(lines.next().is_none_or(|line| line.is_err()));
        assert_eq!(server.connections(), 2);
        drop(host);
    }
}
