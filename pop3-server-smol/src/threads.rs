//! Which thread a task runs on.
//!
//! Owns how busy each thread is. All tasks are the first thread's while it has time for them: handing an
//! event to another thread costs more than most of them take. Once it has not, new tasks go to another
//! thread, and of those under way one after the other follows.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use async_executor::Executor;

/// How long a thread is watched, in nanoseconds, before it counts as busy or not.
const WINDOW: u64 = 5_000_000;

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Executors, one for each thread. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Threads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    executors: Arc<[Executor<'static>]>,
    loads: Box<[Load]>,
    start: Instant,
}

/// What a thread has to do. Only the thread itself changes its times.
#[derive(Debug, Default)]
struct Load {
    /// How many tasks it has.
    tasks: AtomicUsize,
    /// When the window began, and what its tasks took of it, in nanoseconds.
    began: AtomicU64,
    spent: AtomicU64,
    /// Whether its tasks took most of the window before.
    busy: AtomicBool,
}

impl Threads {
    pub(crate) fn new(executors: Arc<[Executor<'static>]>) -> Self {
        Self(Arc::new(Shared {
            loads: executors.iter().map(|_| Load::default()).collect(),
            executors,
            start: Instant::now(),
        }))
    }

    /// Runs a task, which must not panic. Without any executor it does not run.
    pub(crate) fn spawn(&self, task: Boxed) {
        let idle = self.idle(self.now());
        let place = idle.or_else(|| {
            let tasks = |place: &usize| self.0.loads[*place].tasks.load(Ordering::Relaxed);
            (0..self.0.loads.len()).min_by_key(tasks)
        });
        if let Some(place) = place {
            self.spawn_on(place, task);
        }
    }

    fn spawn_on(&self, place: usize, task: Boxed) {
        self.0.loads[place].tasks.fetch_add(1, Ordering::Relaxed);
        let task = Placed {
            task: Some(task),
            threads: self.clone(),
            place,
            window: 0,
            spent: 0,
        };
        self.0.executors[place].spawn(task).detach();
    }

    /// The first thread that has time.
    fn idle(&self, now: u64) -> Option<usize> {
        self.0.loads.iter().position(|load| !load.is_busy(now))
    }

    fn now(&self) -> u64 {
        // In 584 years it is too much.
        u64::try_from(self.0.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Load {
    fn is_busy(&self, now: u64) -> bool {
        // What has not run since was not busy either.
        let recent = now.saturating_sub(self.began.load(Ordering::Relaxed)) < 2 * WINDOW;
        recent && self.busy.load(Ordering::Relaxed)
    }

    /// A task ran so long, until now.
    fn note(&self, now: u64, took: u64) {
        let spent = self.spent.load(Ordering::Relaxed).saturating_add(took);
        let passed = now.saturating_sub(self.began.load(Ordering::Relaxed));
        if passed < WINDOW {
            self.spent.store(spent, Ordering::Relaxed);
        } else {
            let most = spent > passed / 3 * 2;
            self.busy.store(most, Ordering::Relaxed);
            self.began.store(now, Ordering::Relaxed);
            self.spent.store(0, Ordering::Relaxed);
        }
    }
}

/// A task of a thread.
struct Placed {
    task: Option<Boxed>,
    threads: Threads,
    place: usize,
    /// The window of its thread that it ran in last, and what it took of that.
    window: u64,
    spent: u64,
}

impl Placed {
    /// Where to go on, if there is time and this thread has none. One leaves for each window, and not
    /// who is alone in keeping the thread busy.
    fn elsewhere(&self, now: u64) -> Option<usize> {
        let load = &self.threads.0.loads[self.place];
        if !load.is_busy(now) || self.spent > WINDOW / 2 {
            return None;
        }
        let idle = self.threads.idle(now)?;
        load.busy.store(false, Ordering::Relaxed);
        Some(idle)
    }
}

impl Future for Placed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let begin = this.threads.now();
        if let Some(place) = this.elsewhere(begin)
            && let Some(task) = this.task.take()
        {
            this.threads.spawn_on(place, task);
        }
        let Some(task) = &mut this.task else {
            return Poll::Ready(());
        };
        let polled = task.as_mut().poll(cx);
        let end = this.threads.now();
        let load = &this.threads.0.loads[this.place];
        let window = load.began.load(Ordering::Relaxed);
        if this.window != window {
            (this.window, this.spent) = (window, 0);
        }
        let took = end.saturating_sub(begin);
        this.spent = this.spent.saturating_add(took);
        load.note(end, took);
        polled
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let load = &self.threads.0.loads[self.place];
        load.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}
