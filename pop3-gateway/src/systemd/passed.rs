//! Sockets that the service manager bound before this process was there.
//!
//! They outlive it, so that a restart refuses no connection: a client that connects meanwhile waits. A socket belongs to the listener
//! that has its address in the configuration, since the rules of a listener depend on where it is. If it has the
//! name of a listener (`FileDescriptorName=`), it has to be that one's.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use pop3_server::listen::adopt;

use crate::Failure;

/// Sockets that no listener has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Passed(Vec<(String, SocketAddr, TcpListener)>);

impl Passed {
    /// Takes the sockets of this process, once. Changes the environment, so no other thread may run yet.
    pub(crate) fn of_process() -> Result<Self, Failure> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut fds = ListenFd::from_env();
        let mut passed = Vec::new();
        for number in 0..fds.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let socket = fds.take_tcp_listener(number).and_then(|socket| {
                let socket = socket.ok_or(std::io::ErrorKind::NotFound)?;
                Ok((socket.local_addr()?, adopt(socket)?))
            });
            let (address, socket) = socket.map_err(|error| {
                Failure::configuration(format!(
                    "the service manager passed {name:?}, which is not a TCP socket that listens: {error}"
                ))
            })?;
            passed.push((name, address, socket));
        }
        Ok(Self(passed))
    }

    /// The socket at this address, unless it has the name of a listener that is not this one.
    pub(crate) fn take(
        &mut self,
        address: SocketAddr,
        own: &str,
        is_listener: impl Fn(&str) -> bool,
    ) -> Option<TcpListener> {
        let fits = |(name, at, _): &(String, SocketAddr, TcpListener)| {
            *at == address && (name == own || !is_listener(name))
        };
        let place = self.0.iter().position(fits)?;
        Some(self.0.swap_remove(place).2)
    }

    /// A socket that is left would be one where clients wait for ever.
    pub(crate) fn all_taken(self) -> Result<(), Failure> {
        match self.0.first() {
            None => Ok(()),
            Some((name, address, _)) => Err(Failure::configuration(format!(
                "the service manager passed the socket {name:?} at {address}, and no listener of that name, or with \
                 that address, wants it; write the address into listen, or take the socket out of the unit"
            ))),
        }
    }
}
