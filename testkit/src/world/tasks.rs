//! Futures in the world, polled only when they were woken: a lost wake-up shows as a task that hangs.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use pop3_proto::time::Time;

use super::Actor;

/// Futures that run in a [`World`](super::World). A clone is another handle.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Mutex<Vec<Task>>>);

struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    woken: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Tasks {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task; a running task may do so too.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        self.tasks().push(Task {
            future: Box::pin(future),
            woken,
        });
    }

    /// How many tasks are not done.
    pub fn running(&self) -> usize {
        self.tasks().len()
    }

    /// Drops all tasks, wherever they are.
    pub fn cancel(&self) {
        let tasks = std::mem::take(&mut *self.tasks());
        drop(tasks);
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Actor for Tasks {
    fn step(&mut self, _: Time) -> bool {
        // the tasks are outside of the lock while they run, because they may spawn others
        let mut tasks = std::mem::take(&mut *self.tasks());
        let mut moved = false;
        tasks.retain_mut(|task| {
            if !task.woken.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            moved = true;
            let waker = Waker::from(Arc::clone(&task.woken));
            task.future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        });
        let mut all = self.tasks();
        tasks.append(&mut all);
        *all = tasks;
        moved
    }
}
