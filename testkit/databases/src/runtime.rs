//! Both runtimes, one after the other.

use std::future::Future;

/// Where futures run.
pub enum Runtime {
    Tokio(tokio::runtime::Runtime),
    Smol,
}

impl Runtime {
    pub fn tokio() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self::Tokio(builder.worker_threads(1).enable_all().build().unwrap())
    }

    /// Runs a test on each of them.
    pub fn each(mut test: impl FnMut(&Self)) {
        for runtime in [Self::tokio(), Self::Smol] {
            let _entered = runtime.enter();
            test(&runtime);
        }
    }

    /// For what is dropped outside of a future.
    pub fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        match self {
            Self::Tokio(runtime) => Some(runtime.enter()),
            Self::Smol => None,
        }
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        match self {
            Self::Tokio(runtime) => runtime.block_on(future),
            Self::Smol => smol::block_on(future),
        }
    }
}
