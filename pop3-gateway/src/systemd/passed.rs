//! Sockets that the service manager bound before this process was there.
//!
//! They outlive it, so that a restart refuses no connection: a client that connects meanwhile waits. A socket belongs to the listener
//! that has its address in the configuration, since the rules of a listener depend on where it is. If it has the
//! name of a listener (`FileDescriptorName=`), it has to be that one's.

use listenfd::ListenFd;
use pop3_server::listen::adopt;

use crate::Failure;
use crate::sockets::Own;

/// Takes the sockets of this process, once. Changes the environment, so no other thread may run yet.
pub(crate) fn passed() -> Result<Vec<Own>, Failure> {
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
        passed.push(Own {
            configured: address,
            address,
            passed: Some(name),
            socket: Some(socket),
        });
    }
    Ok(passed)
}
