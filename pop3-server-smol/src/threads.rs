//! Which thread a task runs on.
//!
//! Owns how busy each thread is. All tasks belong to the first thread while it has time for them:
//! handing an event to another thread costs more than most events take. Once that thread is busy, new
//! tasks go to another one, and running tasks follow one by one.
//!
//! Why not simpler: one reactor serves all threads, and an event for a task of a thread that does not hold
//! the reactor goes through a futex. The table shows processor time on two cores, medians of three rounds: as
//! it is here; with one executor that all threads run; with one executor for each thread and connections in
//! turn.
//!
//! | | here | one for all | in turn |
//! |---|---|---|---|
//! | a login, ten at a time | 310 µs | 350 µs | 352 µs |
//! | login, STAT and QUIT beside 1,000 idle sessions | 257 µs | 358 µs | 413 µs |
//! | the same beside 9,900 | 257 µs | 362 µs | 601 µs |
//! | RETR of 4 KiB, one by one | 110 µs | 168 µs | 112 µs |
//! | the same beside 100 clients that stopped reading | 122 µs | 174 µs | 115 µs |

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use smol::Executor;

/// How long a thread is watched, in nanoseconds, before it counts as busy or not.
const WINDOW: u64 = 10_000_000;

/// A task whose panic ends it and nothing else: it must not end a thread of the executor.
pub(crate) struct Guarded(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Guarded {
    pub(crate) fn new(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(task))
    }
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.0.as_mut();
        catch_unwind(AssertUnwindSafe(|| task.poll(cx))).unwrap_or(Poll::Ready(()))
    }
}

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
    /// When the window began, and the thread's processor time then, in nanoseconds.
    began: AtomicU64,
    processor: AtomicU64,
    /// Whether it worked for most of the previous window. Time in which it was kept from running does not count.
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

    /// Runs a task. Without any executor it does not run.
    pub(crate) fn spawn(&self, task: Guarded) {
        let idle = self.idle(self.now());
        let place = idle.or_else(|| {
            let tasks = |place: &usize| self.0.loads[*place].tasks.load(Ordering::Relaxed);
            (0..self.0.loads.len()).min_by_key(tasks)
        });
        if let Some(place) = place {
            self.spawn_on(place, task);
        }
    }

    fn spawn_on(&self, place: usize, task: Guarded) {
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
        // Enough for 584 years.
        u64::try_from(self.0.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Load {
    fn is_busy(&self, now: u64) -> bool {
        // A thread that has not run since then was not busy either.
        let recent = now.saturating_sub(self.began.load(Ordering::Relaxed)) < 2 * WINDOW;
        recent && self.busy.load(Ordering::Relaxed)
    }

    /// Called while its thread is at work: the window may be over. `processor` returns the time that the thread has run
    /// so far.
    fn note(&self, now: u64, processor: impl FnOnce() -> u64) {
        let passed = now.saturating_sub(self.began.load(Ordering::Relaxed));
        if passed < WINDOW {
            return;
        }
        let processor = processor();
        let worked = processor.saturating_sub(self.processor.load(Ordering::Relaxed));
        self.busy.store(worked > passed / 3 * 2, Ordering::Relaxed);
        self.began.store(now, Ordering::Relaxed);
        self.processor.store(processor, Ordering::Relaxed);
    }
}

/// The processor time of this thread, in nanoseconds.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// A task of a thread.
struct Placed {
    task: Option<Guarded>,
    threads: Threads,
    place: usize,
    /// The window of its thread that it ran in last, and what it took of that.
    window: u64,
    spent: u64,
}

impl Placed {
    /// The thread to go on at, if this one is busy and another has time. One task leaves in each
    /// window, but never a task that keeps the thread busy alone.
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
        let polled = Pin::new(task).poll(cx);
        let end = this.threads.now();
        let load = &this.threads.0.loads[this.place];
        let window = load.began.load(Ordering::Relaxed);
        if this.window != window {
            (this.window, this.spent) = (window, 0);
        }
        let took = end.saturating_sub(begin);
        this.spent = this.spent.saturating_add(took);
        load.note(end, processor_time);
        polled
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let load = &self.threads.0.loads[self.place];
        load.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::task::Waker;

    use super::*;

    fn threads(count: usize) -> Threads {
        Threads::new((0..count).map(|_| Executor::new()).collect())
    }

    fn tasks(threads: &Threads) -> Vec<usize> {
        let loads = threads.0.loads.iter();
        loads
            .map(|load| load.tasks.load(Ordering::Relaxed))
            .collect()
    }

    /// Makes the thread look as if it had worked for all of the previous window, for an hour.
    fn keep_busy(threads: &Threads, place: usize) {
        let load = &threads.0.loads[place];
        let hour = 3_600_000_000_000;
        load.began.store(threads.now() + hour, Ordering::Relaxed);
        load.busy.store(true, Ordering::Relaxed);
    }

    /// A task that says where it was polled, and never ends.
    fn endless(polls: &Arc<Mutex<usize>>) -> Guarded {
        let polls = Arc::clone(polls);
        Guarded::new(poll_fn(move |_| {
            *polls.lock().unwrap() += 1;
            Poll::Pending
        }))
    }

    #[test]
    fn a_thread_is_busy_that_worked_for_most_of_a_window() {
        let load = Load::default();
        load.note(WINDOW, || WINDOW / 2);
        assert!(!load.is_busy(WINDOW));
        load.note(2 * WINDOW, || WINDOW / 2 + WINDOW / 5 * 4);
        assert!(load.is_busy(2 * WINDOW));
        // within a window the processor time is not asked for
        load.note(3 * WINDOW - 1, || unreachable!());
        assert!(load.is_busy(3 * WINDOW));
        // nothing was noted since
        assert!(!load.is_busy(4 * WINDOW));
        // it was kept from running
        load.note(5 * WINDOW, || WINDOW / 2 + WINDOW / 5 * 4);
        assert!(!load.is_busy(5 * WINDOW));
    }

    #[test]
    fn tasks_begin_on_the_first_thread_that_has_time() {
        let threads = threads(3);
        let polls = Arc::default();
        threads.spawn(endless(&polls));
        threads.spawn(endless(&polls));
        assert_eq!(tasks(&threads), [2, 0, 0]);
        keep_busy(&threads, 0);
        threads.spawn(endless(&polls));
        assert_eq!(tasks(&threads), [2, 1, 0]);
        // if all are busy, they begin at the one with the fewest
        for place in 0..3 {
            keep_busy(&threads, place);
        }
        threads.spawn(endless(&polls));
        assert_eq!(tasks(&threads), [2, 1, 1]);
        // without threads it does not run
        self::threads(0).spawn(endless(&polls));
    }

    #[test]
    fn a_task_leaves_a_busy_thread_one_for_each_window() {
        let threads = threads(2);
        let polls = Arc::default();
        for _ in 0..3 {
            threads.spawn(endless(&polls));
        }
        keep_busy(&threads, 0);
        while threads.0.executors[0].try_tick() {}
        assert_eq!(tasks(&threads), [2, 1]);
        assert_eq!(*polls.lock().unwrap(), 2, "it is polled where it went to");
        while threads.0.executors[1].try_tick() {}
        assert_eq!(*polls.lock().unwrap(), 3);
    }

    #[test]
    fn who_alone_keeps_a_thread_busy_stays() {
        let threads = threads(2);
        threads.0.loads[0].tasks.fetch_add(1, Ordering::Relaxed);
        let mut task = Placed {
            task: Some(endless(&Arc::default())),
            threads: threads.clone(),
            place: 0,
            window: 0,
            spent: WINDOW,
        };
        keep_busy(&threads, 0);
        task.window = threads.0.loads[0].began.load(Ordering::Relaxed);
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut task).poll(&mut context).is_pending());
        assert_eq!(tasks(&threads), [1, 0]);
        task.spent = 0;
        assert!(Pin::new(&mut task).poll(&mut context).is_ready());
        assert_eq!(tasks(&threads), [1, 1]);
        drop(task);
        assert_eq!(tasks(&threads), [0, 1]);
    }
}
