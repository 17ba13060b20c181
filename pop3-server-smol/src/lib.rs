#![doc = include_str!("../README.md")]
//!
//! # More than one store
//!
//! [`Setup`] is for everything else: several listeners, TLS, limits, stores of blocking code, another
//! observer, a server that has the process to itself ([`run`]).

mod net;
mod signal;
mod threads;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use pop3_server::store::AsyncStore;
use smol::{Async, Executor, block_on, channel};

pub use net::{Accepting, Smol, SmolTimer, Tcp};
pub use pop3_server::serving::Serving;
pub use pop3_server::{self, proto, rustls, store};
pub use signal::UnixSignals;

/// What is served where, on smol.
pub type Setup = pop3_server::setup::Setup<Smol>;

/// Serves a store to this machine, on the threads of `smol::spawn`. [`Setup::store`] says what that means, and
/// [`start`] is for everything else.
///
/// The socket is one of `smol::net` or an [`Async`]; [`Async::new`] takes one of std's.
///
/// Fails if other machines can reach the socket.
///
/// # Examples
///
/// ```
/// # use pop3_server_smol::serve;
/// # use pop3_server_smol::store::{AsyncMailbox, AsyncStore, Bytes, Entry, Index, Open, StoreError};
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
/// # smol::block_on(async {
/// let socket = smol::net::TcpListener::bind("127.0.0.1:0").await?;
/// let serving = serve(socket, Empty)?;
/// serving.shut_down().await?;
///
/// // one of std's
/// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let serving = serve(smol::Async::new(socket)?, Empty)?;
/// serving.shut_down().await
/// # }).unwrap();
/// ```
pub fn serve(
    socket: impl Into<Arc<Async<TcpListener>>>,
    store: impl AsyncStore,
) -> io::Result<Serving> {
    let socket = match Arc::try_unwrap(socket.into()) {
        Ok(socket) => socket.into_inner()?,
        // Others have it too.
        Err(socket) => socket.get_ref().try_clone()?,
    };
    Ok(start(Setup::new().store(socket, store)?))
}

/// Serves on the threads of `smol::spawn` until it is asked to stop. The caller handles signals.
pub fn start(setup: Setup) -> Serving {
    setup.start(Smol::global())
}

/// Serves on threads of its own until a signal or
/// [`Server::shutdown`](pop3_server::server::Server::shutdown) stops it.
pub fn run(setup: Setup) -> io::Result<()> {
    let threads = setup.wanted_threads();
    let executors: Arc<[_]> = (0..threads).map(|_| Executor::new()).collect();
    let signals = UnixSignals::new()?;
    let (running, stopped) = channel::bounded::<()>(1);
    thread::scope(|scope| {
        // This thread is one of them.
        for number in 1..threads {
            let (executors, stopped) = (Arc::clone(&executors), stopped.clone());
            let work = move || {
                // The thread stops when the sender is dropped.
                let _ = block_on(executors[number].run(stopped.recv()));
            };
            thread::Builder::new()
                .name(format!("pop3-server-{number}"))
                .spawn_scoped(scope, work)?;
        }
        let driver = Smol::new(Arc::clone(&executors));
        // As a task: a future that this thread ran directly would be polled whenever the thread wakes.
        let served = setup.serve(driver, signals);
        let served = block_on(executors[0].run(executors[0].spawn(served)));
        drop(running);
        served
    })
}
