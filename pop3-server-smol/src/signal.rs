//! Signals of the process.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_signal::Signal as Number;
use pop3_server::runtime::{Signal, Signals};
use smol::stream::Stream;

/// SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct UnixSignals(async_signal::Signals);

impl UnixSignals {
    /// Takes the signals over from now on.
    pub fn new() -> io::Result<Self> {
        async_signal::Signals::new([Number::Term, Number::Int, Number::Hup]).map(Self)
    }
}

impl Signals for UnixSignals {
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        match Pin::new(&mut self.0).poll_next(cx) {
            Poll::Ready(Some(Ok(Number::Hup))) => Poll::Ready(Signal::Reload),
            Poll::Ready(Some(Ok(_))) => Poll::Ready(Signal::Stop),
            Poll::Ready(Some(Err(error))) => {
                tracing::error!(%error, "signals cannot be received any more");
                Poll::Pending
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
