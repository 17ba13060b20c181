//! Waits for a driver that is asynchronous, in a thread that may block. Only this file names a runtime.

use std::io;

/// What the driver runs on.
pub(super) struct Waits {
    #[cfg(not(feature = "smol"))]
    runtime: tokio::runtime::Runtime,
}

impl Waits {
    #[cfg(not(feature = "smol"))]
    pub(super) fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self { runtime })
    }

    #[cfg(feature = "smol")]
    #[expect(clippy::unnecessary_wraps, reason = "tokio's can fail")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(feature = "smol"))]
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    #[cfg(feature = "smol")]
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        futures_lite::future::block_on(work)
    }
}
