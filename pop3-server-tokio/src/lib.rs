//! pop3-server on tokio: sockets, timer, accept, blocking pool, signals.
//!
//! Knows nothing of POP3: it implements the traits of [`pop3_server::runtime`] and starts a runtime of
//! several threads.
//!
//! # Examples
//!
//! A server for a store of one's own, inside a runtime that runs already:
//!
//! ```no_run
//! use pop3_server_tokio::store::{AsyncMailbox, AsyncStore, Bytes, Entry, Index, Open, Secret, StoreError};
//!
//! struct Notice;
//! struct OneMessage;
//!
//! const TEXT: &str = "Subject: notice\r\n\r\nThe server moves on Friday.\r\n";
//!
//! impl AsyncStore for Notice {
//!     type Mailbox = OneMessage;
//!
//!     async fn open(&self, open: &Open) -> Result<OneMessage, StoreError> {
//!         let secret = Secret::from(&b"guest"[..]);
//!         if open.login.proves(&secret) { Ok(OneMessage) } else { Err(StoreError::Credentials) }
//!     }
//! }
//!
//! impl AsyncMailbox for OneMessage {
//!     type Message = Bytes;
//!
//!     async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
//!         Ok(vec![Entry { size: TEXT.len() as u64, unique_id: "notice-1".into() }])
//!     }
//!
//!     async fn message(&mut self, _: Index) -> Result<Bytes, StoreError> {
//!         Ok(Bytes::from_static(TEXT.as_bytes()))
//!     }
//!
//!     async fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
//!         Err(StoreError::Permanent("the notice stays".into()))
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let socket = tokio::net::TcpListener::bind("127.0.0.1:1100").await?;
//!     let serving = pop3_server_tokio::serve(socket, Notice)?;
//!     tokio::signal::ctrl_c().await?;
//!     serving.shut_down().await
//! }
//! ```
//!
//! [`Setup`] is for everything else: several listeners, TLS, limits, stores whose code may block, another
//! observer, a server that has its process for itself ([`run`]).

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

/// Serves a store to this machine, in the runtime that calls it. [`Setup::store`] says what that means, and
/// [`start`] is for everything else.
///
/// Fails if others than this machine reach the socket.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn serve(socket: TcpListener, store: impl AsyncStore) -> io::Result<Serving> {
    Ok(start(Setup::new().store(socket.into_std()?, store)?))
}

/// Serves in the runtime that calls it, until it is told to stop. Signals are the caller's.
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
    // The session of a job that still blocks is gone; do not wait for it.
    runtime.shutdown_background();
    served
}
