//! Sockets that accept connections: bound before anything is announced.
//!
//! Both address families can have the same port side by side. Never falls back to another address than
//! the one that was asked for.
//!
//! Accepted sockets inherit what is set here. A peer that vanished without a word (a laptop that went to
//! another network, a router that lost its table) is noticed within [`VANISHED`], so the maildrop that it
//! holds is free long before autologout.
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
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// How long a peer may be silent before its system is asked whether it is still there.
const SILENT: Duration = Duration::from_secs(60);

/// How often it is asked, and how long each answer may take.
const PROBES: u32 = 3;
const PROBE: Duration = Duration::from_secs(20);

/// After this time an idle connection whose peer no longer answers is broken off by the operating system:
/// two minutes, by TCP keep-alive (RFC 9293 section 3.8.4). A peer that is there and silent is left
/// alone.
pub const VANISHED: Duration = SILENT.saturating_add(PROBE.saturating_mul(PROBES));

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
        prepare(&socket)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|cause| ListenError { address, cause })
}

/// Prepares a socket that listens already, because the service manager bound it before this process was there.
///
/// # Errors
///
/// If the system refuses.
pub fn adopt(socket: TcpListener) -> io::Result<TcpListener> {
    let socket = Socket::from(socket);
    prepare(&socket)?;
    Ok(socket.into())
}

/// What holds for every socket that accepts.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let keep_alive = TcpKeepalive::new().with_time(SILENT);
    // OpenBSD has one interval for the whole system.
    #[cfg(not(target_os = "openbsd"))]
    let keep_alive = keep_alive.with_interval(PROBE).with_retries(PROBES);
    socket.set_tcp_keepalive(&keep_alive)
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
