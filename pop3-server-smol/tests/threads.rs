//! Tasks on several threads.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_io::block_on;
use futures_lite::future::yield_now;
use pop3_server::runtime::Runtime;
use pop3_server_smol::Smol;
use smol::channel;

const PATIENCE: Duration = Duration::from_secs(30);

/// The threads that any task ran on.
type Seen = Arc<Mutex<HashSet<ThreadId>>>;

#[test]
fn tasks_of_a_busy_thread_go_on_elsewhere() {
    let executors: Arc<[_]> = [Executor::new(), Executor::new()].into();
    let seen = Seen::default();
    let (running, ended) = channel::bounded::<()>(1);
    let smol = Smol::new(Arc::clone(&executors));
    // All begin before anybody is busy, so all begin on the first thread.
    for _ in 0..4 {
        let (seen, running) = (Arc::clone(&seen), running.clone());
        smol.spawn(async move {
            let end = Instant::now() + PATIENCE;
            while seen.lock().unwrap().len() < 2 && Instant::now() < end {
                seen.lock().unwrap().insert(thread::current().id());
                let turn = Instant::now() + Duration::from_micros(500);
                while Instant::now() < turn {}
                yield_now().await;
            }
            drop(running);
        });
    }
    drop(running);
    thread::scope(|scope| {
        for executor in executors.iter() {
            let ended = ended.clone();
            scope.spawn(move || block_on(executor.run(ended.recv())));
        }
    });
    assert_eq!(seen.lock().unwrap().len(), 2);
}
