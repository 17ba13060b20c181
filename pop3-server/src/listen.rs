//! Sockets that accept connections: bound before anything is announced.
//!
//! Both address families can have the same port side by side. Never falls back to another address than
//! the one that was asked for.
//!
//! # Examples
//!
//! ```
//! use pop3_server::listen::listen;
//!
//! let socket = listen("127.0.0.1:0".parse()?)?;
//! assert_ne!(socket.local_addr()?.port(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}{}", hint(cause))]
pub struct ListenError {
    /// Which address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// Listens on an address. Port `0` takes a free one.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let open = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // On Windows this would let two servers share a port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|cause| ListenError { address, cause })
}

fn hint(cause: &io::Error) -> &'static str {
    if cause.kind() == io::ErrorKind::PermissionDenied {
        "; ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)"
    } else if cause.kind() == io::ErrorKind::AddrInUse {
        "; another program listens there already"
    } else if cause.kind() == io::ErrorKind::AddrNotAvailable {
        "; this machine does not have the address"
    } else {
        ""
    }
}
