//! Time limits, by the timer of the runtime that a call runs in: tokio's within tokio, otherwise smol's, as sqlx
//! itself chooses. Only this file names a runtime.

use std::time::Duration;

use futures_lite::future;

#[cfg(not(any(feature = "tokio", feature = "smol")))]
compile_error!("database-link needs a runtime: switch on the feature tokio, smol or both");

/// Runs something for this long at most; `None` if it did not end by then.
pub async fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    let late = async {
        sleep(limit).await;
        None
    };
    future::or(async { Some(work.await) }, late).await
}

/// Waits this long.
pub async fn sleep(time: Duration) {
    #[cfg(feature = "tokio")]
    if cfg!(not(feature = "smol")) || tokio::runtime::Handle::try_current().is_ok() {
        return tokio::time::sleep(time).await;
    }
    #[cfg(feature = "smol")]
    async_io::Timer::after(time).await;
}
