//! pop3-server on smol's parts: sockets, timer, accept, blocking pool, signals.
//!
//! Knows nothing of POP3: it implements the traits of [`pop3_server::runtime`] and runs an executor of
//! its own on several threads, because `smol::spawn` uses one.

mod net;
mod signal;

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
    let executor = Arc::new(Executor::new());
    let signals = UnixSignals::new()?;
    let (running, stopped) = channel::bounded::<()>(1);
    thread::scope(|scope| {
        // This thread is one of them.
        for number in 1..options.threads.max(1) {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            let work = move || {
                // Its sender dropped is the sign to stop.
                let _ = block_on(executor.run(stopped.recv()));
            };
            thread::Builder::new()
                .name(format!("pop3-server-{number}"))
                .spawn_scoped(scope, work)?;
        }
        let driver = Smol::new(Arc::clone(&executor));
        let served =
            block_on(executor.run(server.serve(driver, sockets, signals, reload, options.grace)));
        drop(running);
        served
    })
}
