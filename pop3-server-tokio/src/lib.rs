#![doc = include_str!("../README.md")]
//!
//! # More than one store
//!
//! [`Setup`] is for everything else: several listeners, TLS, limits, stores of blocking code, another
//! observer, a server that has the process to itself ([`run`]).

mod net;
mod signal;

use std::io;
use std::panic::resume_unwind;

use pop3_server::store::AsyncStore;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};

pub use net::{Accepting, Tcp, Tokio, TokioTimer};
pub use pop3_server::serving::Serving;
pub use pop3_server::{self, proto, rustls, store};
pub use signal::UnixSignals;

/// What is served where, on tokio.
pub type Setup = pop3_server::setup::Setup<Tokio>;

/// Serves a store to this machine, in the runtime that it is called in. [`Setup::store`] says what that
/// means, and [`start`] is for everything else.
///
/// [`TcpListener::from_std`] takes one of std's, if that does not block.
///
/// Fails if other machines can reach the socket.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// # Examples
///
/// ```
/// # use pop3_server_tokio::serve;
/// # use pop3_server_tokio::store::{AsyncMailbox, AsyncStore, Bytes, Entry, Index, Open, StoreError};
/// # use tokio::net::TcpListener;
/// # struct Empty;
/// # impl AsyncStore for Empty {
/// #     type Mailbox = Self;
/// #     async fn open(&self, _: &Open) -> Result<Self, StoreError> { Err(StoreError::Credentials) }
/// # }
/// # impl AsyncMailbox for Empty {
/// #     type Message = Bytes;
/// #     async fn list(&mut self) -> Result<Vec<Entry>, StoreError> { Ok(Vec::new()) }
/// #     async fn message(&mut self, _: Index) -> Result<Bytes, StoreError> { Err(StoreError::Missing) }
/// #     async fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> { Ok(()) }
/// # }
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let socket = TcpListener::bind("127.0.0.1:0").await?;
/// let serving = serve(socket, Empty)?;
/// serving.shut_down().await?;
///
/// // one of std's
/// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
/// socket.set_nonblocking(true)?;
/// let serving = serve(TcpListener::from_std(socket)?, Empty)?;
/// serving.shut_down().await
/// # }
/// ```
pub fn serve(socket: TcpListener, store: impl AsyncStore) -> io::Result<Serving> {
    Ok(start(Setup::new().store(socket.into_std()?, store)?))
}

/// Serves in the runtime that it is called in, until it is asked to stop. The caller handles signals.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn start(setup: Setup) -> Serving {
    setup.start(Tokio::new(Handle::current()))
}

/// Serves in a runtime of its own until a signal or
/// [`Server::shutdown`](pop3_server::server::Server::shutdown) stops it.
pub fn run(setup: Setup) -> io::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(setup.wanted_threads())
        .enable_all()
        .thread_name("pop3-server")
        .build()?;
    let served = runtime.block_on(async {
        let signals = UnixSignals::new()?;
        let driver = Tokio::new(runtime.handle().clone());
        // On a worker, so that accepting does not go through this thread, which has no part in the I/O.
        match runtime.spawn(setup.serve(driver, signals)).await {
            Ok(served) => served,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(cancelled) => Err(io::Error::other(cancelled)),
            },
        }
    });
    // A job that still blocks has lost its session; do not wait for it.
    runtime.shutdown_background();
    served
}
