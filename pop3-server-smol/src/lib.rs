//! pop3-server on smol's parts: sockets, timer, accept, blocking pool, signals.
//!
//! Knows nothing of POP3: it implements the traits of [`pop3_server::runtime`] and runs an executor of
//! its own for each thread. One executor for all would wake another thread at each event, to find that
//! there is nothing left to do; so connections stay with one thread as long as it has time for them.
//!
//! # Examples
//!
//! A server for a store of one's own, whose code may block:
//!
//! ```no_run
//! use std::io::{Cursor, Read};
//! use std::sync::Arc;
//!
//! use arc_swap::ArcSwap;
//! use pop3_proto::backend::blocking::{Blocking, Mailbox, Store};
//! use pop3_proto::backend::store::{Entry, StoreError};
//! use pop3_proto::backend::{Index, Login, Open};
//! use pop3_proto::secret::Secret;
//! use pop3_server::listen::listen;
//! use pop3_server::server::{Options, Server};
//! use pop3_server::service::{Denied, Peer, Routed, Service};
//! use pop3_server::settings::Settings;
//!
//! struct Notice;
//! struct OneMessage;
//!
//! impl Store for Notice {
//!     type Mailbox = OneMessage;
//!
//!     fn open(&self, open: &Open) -> Result<OneMessage, StoreError> {
//!         let secret = Secret::from(&b"guest"[..]);
//!         if open.login.proves(&secret) { Ok(OneMessage) } else { Err(StoreError::Credentials) }
//!     }
//! }
//!
//! const TEXT: &str = "Subject: notice\r\n\r\nThe server moves on Friday.\r\n";
//!
//! impl Mailbox for OneMessage {
//!     fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
//!         Ok(vec![Entry { size: TEXT.len() as u64, unique_id: "notice-1".into() }])
//!     }
//!
//!     fn message(&mut self, _: Index) -> Result<Box<dyn Read + Send>, StoreError> {
//!         Ok(Box::new(Cursor::new(TEXT)))
//!     }
//!
//!     fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
//!         Err(StoreError::Permanent("the notice stays".into()))
//!     }
//! }
//!
//! struct Notices(Arc<Notice>);
//!
//! impl Service for Notices {
//!     type Backend = Blocking<Notice>;
//!
//!     fn route(&self, login: &Login, _: &Peer) -> Result<Routed<Self::Backend>, Denied> {
//!         Ok(Routed {
//!             backend: Blocking::new(Arc::clone(&self.0)),
//!             maildrop: login.user().unwrap_or_default().into(),
//!             upstream: "notice".into(),
//!             tls: None,
//!         })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new(Arc::new(Notices(Arc::new(Notice))));
//! let sockets = vec![(listen("127.0.0.1:1100".parse()?)?, Arc::new(ArcSwap::from_pointee(settings)))];
//! pop3_server_smol::run(Server::new(), sockets, Arc::new(|| {}), &Options::default())?;
//! # Ok(())
//! # }
//! ```

mod net;
mod signal;
mod threads;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use async_executor::Executor;
use async_io::block_on;
use pop3_server::server::{Options, Reload, Reloadable, Server};
use pop3_server::service::Service;
use smol::channel;

pub use net::{Accepting, Smol, SmolTimer, Tcp};
pub use signal::UnixSignals;

/// Serves on these sockets until a signal or [`Server::shutdown`] stops it. `reload` is called at
/// SIGHUP.
pub fn run<S: Service>(
    server: Server,
    sockets: Vec<(TcpListener, Reloadable<S>)>,
    reload: Reload,
    options: &Options,
) -> io::Result<()> {
    let threads = options.threads.max(1);
    let executors: Arc<[_]> = (0..threads).map(|_| Executor::new()).collect();
    let signals = UnixSignals::new()?;
    let (running, stopped) = channel::bounded::<()>(1);
    thread::scope(|scope| {
        // This thread is one of them.
        for number in 1..threads {
            let (executors, stopped) = (Arc::clone(&executors), stopped.clone());
            let work = move || {
                // Its sender dropped is the sign to stop.
                let _ = block_on(executors[number].run(stopped.recv()));
            };
            thread::Builder::new()
                .name(format!("pop3-server-{number}"))
                .spawn_scoped(scope, work)?;
        }
        let driver = Smol::new(Arc::clone(&executors));
        // As a task: what this thread runs by itself is asked again whenever the thread wakes.
        let served = server.serve(driver, sockets, signals, reload, options.grace);
        let served = block_on(executors[0].run(executors[0].spawn(served)));
        drop(running);
        served
    })
}
