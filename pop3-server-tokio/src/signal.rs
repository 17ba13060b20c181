//! Signals of the process.

use std::io;
use std::task::{Context, Poll};

use pop3_server::runtime::{Signal, Signals};
use tokio::signal::unix::{self, SignalKind};

/// SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct UnixSignals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
}

impl UnixSignals {
    /// Takes the signals over from now on. Needs a tokio runtime around it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hang_up: unix::signal(SignalKind::hangup())?,
        })
    }
}

impl Signals for UnixSignals {
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        // All are polled, so that each can wake the task.
        let stop = [&mut self.terminate, &mut self.interrupt]
            .map(|signal| matches!(signal.poll_recv(cx), Poll::Ready(Some(()))));
        if stop.contains(&true) {
            return Poll::Ready(Signal::Stop);
        }
        match self.hang_up.poll_recv(cx) {
            Poll::Ready(Some(())) => Poll::Ready(Signal::Reload),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
