//! What a runtime gives: a stream of octets and a clock. Knows neither TLS nor POP3.

use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Instant;

/// A connection, in clear, on some runtime.
///
/// This crate has three: `blocking::Link`, `tokio::Link` and `futures::Link`.
/// With another one [`Session`](crate::Session) runs on another runtime, or
/// through a proxy.
pub trait Transport {
    /// Reads some octets; 0 is the end. `TimedOut` means that nothing came yet, and is asked again.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some octets. `TimedOut` means that there was no room yet, and is asked again.
    fn poll_write(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends what is held back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether this moment has come; if not, the task is woken at it. A transport that blocks takes note of
    /// it, and its reads and writes end with `TimedOut` then.
    fn poll_until(&mut self, cx: &mut Context<'_>, moment: Instant) -> Poll<()>;

    /// The server's address, if it is known. A password may go in clear over loopback.
    fn peer(&self) -> Option<IpAddr> {
        None
    }
}
