//! pop3-server on tokio: sockets, timer, accept, blocking pool, signals.
//!
//! Knows nothing of POP3: it implements the traits of [`pop3_server::runtime`] and starts a runtime of
//! several threads.

mod net;
mod signal;

use std::io;
use std::net::TcpListener;

use pop3_server::server::{Options, Reload, Reloadable, Server};
use pop3_server::service::Service;
use tokio::runtime::Builder;

pub use net::{Accepting, Tcp, Tokio, TokioTimer};
pub use signal::UnixSignals;

/// Serves on these sockets until a signal or [`Server::shutdown`] stops it. `reload` is called at
/// SIGHUP.
pub fn run<S: Service>(
    server: Server,
    sockets: Vec<(TcpListener, Reloadable<S>)>,
    reload: Reload,
    options: &Options,
) -> io::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(options.threads.max(1))
        .enable_all()
        .thread_name("pop3-server")
        .build()?;
    let served = runtime.block_on(async {
        let signals = UnixSignals::new()?;
        let driver = Tokio::new(runtime.handle().clone());
        server
            .serve(driver, sockets, signals, reload, options.grace)
            .await
    });
    // A job that still blocks is nobody's any more; do not wait for it.
    runtime.shutdown_background();
    served
}
