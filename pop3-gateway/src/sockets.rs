//! The sockets that the configuration names: those that are there already, or bound.
//!
//! They come first of all that is opened, since a port below 1024 may need a right that the process gives up after it.
//! What is there already was passed by the service manager, or the server accepts on it since an earlier
//! configuration. Closes none.

use std::net::{SocketAddr, TcpListener};

use pop3_server::listen::{ListenError, listen};

use crate::Failure;
use crate::config::Config;

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Own {
    /// The address of the configuration; its port may be 0.
    pub(crate) configured: SocketAddr,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The name that the service manager passed it with, if it did.
    pub(crate) passed: Option<String>,
    /// The socket, until the server accepts on it.
    pub(crate) socket: Option<TcpListener>,
}

impl Own {
    fn bind(configured: SocketAddr) -> Result<Self, ListenError> {
        let socket = listen(configured)?;
        let local = socket.local_addr().map_err(|cause| ListenError {
            address: configured,
            cause,
        });
        Ok(Self {
            configured,
            address: local?,
            passed: None,
            socket: Some(socket),
        })
    }

    /// The same for the next configuration: the server has the socket.
    pub(crate) fn kept(&self) -> Self {
        Self {
            configured: self.configured,
            address: self.address,
            passed: self.passed.clone(),
            socket: None,
        }
    }
}

/// All of them, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<Vec<Own>>,
    #[cfg(feature = "http")]
    pub(crate) http: Vec<Vec<Own>>,
    /// Where the server listens and the configuration no longer wants it.
    pub(crate) gone: Vec<SocketAddr>,
}

impl Sockets {
    /// Listens at every address, on the sockets that are there where there are some.
    pub(crate) fn open(config: &Config, mut there: Vec<Own>) -> Result<Self, Failure> {
        let before: Vec<_> = there.iter().map(|own| own.address).collect();
        let is_listener = |name: &str| config.listeners.iter().any(|own| own.name == name);
        let mut open = |name: &str, addresses: &[SocketAddr]| {
            let at = |&address: &SocketAddr| {
                // one that has the name of another listener is that one's
                let fits = |own: &Own| {
                    let passed = own.passed.as_deref();
                    own.configured == address
                        && passed.is_none_or(|passed| passed == name || !is_listener(passed))
                };
                match there.iter().position(fits) {
                    Some(place) => Ok(there.remove(place)),
                    None => Own::bind(address).map_err(|error| failed(&error, &before)),
                }
            };
            addresses.iter().map(at).collect()
        };
        let listeners = config.listeners.iter();
        let listeners = listeners.map(|own| open(&own.name, &own.addresses));
        let mut sockets = Self {
            listeners: listeners.collect::<Result<_, Failure>>()?,
            #[cfg(feature = "http")]
            http: {
                let http = config.http.iter().map(|own| open("http", &own.addresses));
                http.collect::<Result<_, Failure>>()?
            },
            gone: Vec::new(),
        };
        // clients would wait for ever at one that the service manager keeps
        if let Some((name, own)) = there
            .iter()
            .find_map(|own| Some((own.passed.as_ref()?, own)))
        {
            let address = own.address;
            return Err(Failure::configuration(format!(
                "the service manager passed the socket {name:?} at {address}, and no listener of that name, or with \
                 that address, wants it; write the address into listen, or take the socket out of the unit"
            )));
        }
        sockets.gone = there.into_iter().map(|own| own.address).collect();
        Ok(sockets)
    }
}

/// Why nothing listens at an address, where this process itself may be what is in the way.
fn failed(error: &ListenError, before: &[SocketAddr]) -> Failure {
    let new = error.address;
    let overlaps = |old: &&SocketAddr| {
        old.port() == new.port()
            && old.is_ipv4() == new.is_ipv4()
            && (old.ip().is_unspecified() || new.ip().is_unspecified())
    };
    let in_use = error.cause.kind() == std::io::ErrorKind::AddrInUse;
    match before.iter().find(overlaps).filter(|_| in_use) {
        Some(old) => Failure::running(format!(
            "cannot listen on {new}: this process listens on {old}, which has addresses in common with it; that \
             needs a restart"
        )),
        None => Failure::running(error),
    }
}
