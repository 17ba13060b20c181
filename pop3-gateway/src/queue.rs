//! A thread that writes, and the bounded queue in front of it.
//!
//! Putting something into a [`Queue`] never waits: a disk that is full, a terminal that was stopped, a pipe
//! that is not read hold up the writer's thread and nothing else. What finds no room is counted, and the
//! [`Writer`] hears how much it was as soon as it gets on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use std::{fmt, io, iter, thread};

/// How long the end of the process waits for what was put in.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a writer that was woken waits for more, unless somebody waits for it. Waking it costs time in the thread
/// that puts something in; with many lines a second this is paid once for several of them.
const GATHER: Duration = Duration::from_millis(20);

/// Writes what comes out of a queue. Runs on a thread of its own and may block.
pub trait Writer<T>: Send + 'static {
    /// Writes it.
    fn write(&mut self, item: T);

    /// This many found no room in the queue and are lost.
    fn lost(&mut self, count: u64);

    /// Nothing waits any more. What was only gathered so far has to be written now.
    fn rest(&mut self) {}
}

/// The way to a writer.
pub struct Queue<T> {
    jobs: SyncSender<Job<T>>,
    /// Ends the wait for more.
    hurry: SyncSender<()>,
    /// What the writer has not heard of.
    lost: AtomicU64,
    all_lost: Arc<AtomicU64>,
}

enum Job<T> {
    Write(T),
    Lost(u64),
    Flush(SyncSender<()>),
}

impl<T: Send + 'static> Queue<T> {
    /// Starts a writer's thread, with room for this many. It ends with the queue.
    pub fn start(name: &str, room: usize, writer: impl Writer<T>) -> io::Result<Self> {
        let (jobs, queued) = sync_channel(room);
        let (hurry, hurried) = sync_channel(1);
        thread::Builder::new()
            .name(name.into())
            .spawn(move || work(writer, &queued, &hurried))?;
        Ok(Self {
            jobs,
            hurry,
            lost: AtomicU64::new(0),
            all_lost: Arc::default(),
        })
    }

    /// Puts it in, or counts it as lost.
    pub fn put(&self, item: T) {
        if !self.tell_lost() || self.jobs.try_send(Job::Write(item)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.all_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How much was lost since the start: a counter, for those who watch.
    pub fn all_lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.all_lost)
    }

    /// Waits until everything that was put in is written, but not for long: a writer that is gone or stuck
    /// must not hold up the end of the process.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.tell_lost() && self.jobs.try_send(Job::Flush(done)).is_ok() {
            // full: the writer is told already
            let _ = self.hurry.try_send(());
            let _ = wait.recv_timeout(PATIENCE);
        }
    }

    /// Reports what was lost; returns whether the writer knows of all of it.
    fn tell_lost(&self) -> bool {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let told = lost == 0 || self.jobs.try_send(Job::Lost(lost)).is_ok();
        if !told {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
        told
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

fn work<T>(mut writer: impl Writer<T>, jobs: &Receiver<Job<T>>, hurried: &Receiver<()>) {
    let mut work = |jobs: &mut dyn Iterator<Item = Job<T>>| {
        for job in jobs {
            match job {
                Job::Write(item) => writer.write(item),
                Job::Lost(count) => writer.lost(count),
                Job::Flush(done) => {
                    writer.rest();
                    let _ = done.try_send(());
                }
            }
        }
        writer.rest();
    };
    while let Ok(job) = jobs.recv() {
        work(&mut iter::once(job));
        let _ = hurried.recv_timeout(GATHER);
        work(&mut jobs.try_iter());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Reports what it writes, and goes on when it may.
    struct Slow {
        said: Sender<String>,
        go_on: Receiver<()>,
    }

    impl Writer<u64> for Slow {
        fn write(&mut self, item: u64) {
            self.said.send(format!("{item}")).unwrap();
            let _ = self.go_on.recv();
        }

        fn lost(&mut self, count: u64) {
            self.said.send(format!("{count} lost")).unwrap();
        }
    }

    /// Gathers what it writes, and reports it when it rests.
    struct Gathers(String, Sender<String>);

    impl Writer<char> for Gathers {
        fn write(&mut self, item: char) {
            self.0.push(item);
        }

        fn lost(&mut self, _: u64) {}

        fn rest(&mut self) {
            let _ = self.1.send(std::mem::take(&mut self.0));
        }
    }

    #[test]
    fn what_was_gathered_is_written_when_nothing_waits() {
        let (said, heard) = channel();
        let queue = Queue::start("test", 10, Gathers(String::new(), said)).unwrap();
        queue.put('a');
        assert_eq!(heard.recv().unwrap(), "a");
        "bcd".chars().for_each(|item| queue.put(item));
        queue.flush();
        assert_eq!(heard.try_iter().collect::<String>(), "bcd");
    }

    /// W025: nothing waits for a writer that is stuck, and what was lost is counted and reported.
    #[test]
    fn w025_a_stuck_writer_holds_nobody_up_and_hears_what_was_lost() {
        let (said, heard) = channel();
        let (go_on, wait) = channel();
        let queue = Queue::start("test", 10, Slow { said, go_on: wait }).unwrap();
        queue.put(0);
        assert_eq!(heard.recv().unwrap(), "0");
        // it is stuck with the first one; ten have room
        (1..=1000).for_each(|n| queue.put(n));
        queue.flush();
        for n in 0..10 {
            go_on.send(()).unwrap();
            assert_eq!(heard.recv().unwrap(), format!("{}", n + 1));
        }
        queue.put(1001);
        assert_eq!(heard.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
        (0..5).for_each(|_| go_on.send(()).unwrap());
        assert_eq!(heard.recv().unwrap(), "990 lost");
        assert_eq!(heard.recv().unwrap(), "1001");
        assert_eq!(queue.all_lost().load(Ordering::Relaxed), 990);
    }
}
