//! Opening a connection to an upstream: name to addresses, then one address after the other.
//!
//! Never caches an answer of the name service, and never believes it: the certificate must prove the
//! name that was configured.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use pop3_proto::backend::Endpoint;

use crate::runtime::{Runtime, within};

/// How long one address may take while there are others.
const PER_ADDRESS: Duration = Duration::from_secs(10);

/// How long the name service may take.
const LOOK_UP: Duration = Duration::from_secs(15);

/// Connects to the first address of the endpoint that answers.
pub(crate) async fn dial<R: Runtime>(runtime: R, endpoint: Endpoint) -> io::Result<R::Stream> {
    let mut addresses = look_up(&runtime, &endpoint).await?;
    let Some(last) = addresses.pop() else {
        return Err(io::Error::new(
            ErrorKind::NotFound,
            "the name has no address",
        ));
    };
    for address in addresses {
        let attempt = runtime.connect(address);
        if let Some(Ok(stream)) = within(&runtime, PER_ADDRESS, attempt).await {
            return Ok(stream);
        }
    }
    // Nobody waits for its turn behind the last one: how long it may take is for the backend to say.
    let attempt = runtime.connect(last).await;
    attempt.map_err(|error| about(last, &error))
}

async fn look_up<R: Runtime>(runtime: &R, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, endpoint.port)]);
    }
    let (host, port) = (endpoint.host.clone(), endpoint.port);
    let job = runtime.block(move || (host.as_str(), port).to_socket_addrs().map(Vec::from_iter));
    match within(runtime, LOOK_UP, job).await {
        Some(Ok(Ok(addresses))) => Ok(addresses),
        Some(Ok(Err(error)) | Err(error)) => Err(about(&endpoint.host, &error)),
        None => Err(about(&endpoint.host, &io::Error::from(ErrorKind::TimedOut))),
    }
}

fn about(what: impl fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
