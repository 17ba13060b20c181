//! The sockets that the configuration names: taken from the service manager, or bound.
//!
//! They come first of all that is opened, since a port below 1024 may need a right that the process gives up after it.

use std::net::{SocketAddr, TcpListener};

use pop3_server::listen::listen;

use crate::Failure;
use crate::config::Config;
use crate::systemd::Passed;

/// Sockets of one table of the configuration, each with the address that it has there; its port may be 0.
pub(crate) type Own = Vec<(SocketAddr, TcpListener)>;

/// All of them, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<Own>,
    #[cfg(feature = "http")]
    pub(crate) http: Vec<Own>,
}

impl Sockets {
    /// Listens at every address, on the sockets that were passed where there are some.
    pub(crate) fn open(config: &Config, mut passed: Passed) -> Result<Self, Failure> {
        let mut open = |name: &str, addresses: &[SocketAddr]| {
            let is_listener = |name: &str| config.listeners.iter().any(|own| own.name == name);
            let at = |&address: &SocketAddr| {
                let socket = match passed.take(address, name, is_listener) {
                    Some(socket) => socket,
                    None => listen(address).map_err(Failure::running)?,
                };
                Ok((address, socket))
            };
            addresses.iter().map(at).collect()
        };
        let listeners = config.listeners.iter();
        let listeners = listeners.map(|own| open(&own.name, &own.addresses));
        let sockets = Self {
            listeners: listeners.collect::<Result<_, Failure>>()?,
            #[cfg(feature = "http")]
            http: {
                let http = config.http.iter().map(|own| open("http", &own.addresses));
                http.collect::<Result<_, Failure>>()?
            },
        };
        passed.all_taken()?;
        Ok(sockets)
    }
}
