//! A server that runs in a task beside its caller.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::runtime::Runtime;
use crate::shutdown::Shutdown;

/// A running server. As a future it yields when the server has ended. Dropping it lets the server run on.
#[must_use = "it says when the server has ended, and why"]
pub struct Serving {
    shutdown: Shutdown,
    end: Arc<Mutex<End>>,
}

#[derive(Default)]
struct End {
    result: Option<io::Result<()>>,
    waiting: Option<Waker>,
}

/// Reports the end of the task, in any case.
struct Teller(Arc<Mutex<End>>);

impl Teller {
    fn tell(&self, result: io::Result<()>) {
        let mut end = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = end.waiting.take();
        end.result.get_or_insert(result);
        drop(end);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(Err(io::Error::other("the server was cut off")));
    }
}

impl Serving {
    pub(crate) fn start<R: Runtime>(
        runtime: &R,
        shutdown: Shutdown,
        serve: impl Future<Output = io::Result<()>> + Send + 'static,
    ) -> Self {
        let end = Arc::default();
        let teller = Teller(Arc::clone(&end));
        runtime.spawn(async move { teller.tell(serve.await) });
        Self { shutdown, end }
    }

    /// The way to stop it from elsewhere.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Accepts no more connections, lets every session finish what it does, and yields when all are gone or the grace
    /// is over.
    pub async fn shut_down(self) -> io::Result<()> {
        self.shutdown.advance();
        self.await
    }
}

impl Future for Serving {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        match end.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                end.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}
