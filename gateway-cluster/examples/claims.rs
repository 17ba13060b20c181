//! How long it takes to hold a maildrop, and how many a second there are.
//!
//! ```sh
//! cargo run --release -p gateway-cluster --example claims -- redis://127.0.0.1:6379 64 5
//! ```
//!
//! The address of an engine, how many sessions claim at the same time, for how many seconds.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use gateway_cluster::{Cluster, ClusterKey, ClusterUrl, OnFailure, Options, Outcome};
use pop3_proto::secret::Secret;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let url: ClusterUrl = words.next().as_deref().unwrap_or("memory:").parse()?;
    let sessions: usize = words.next().map_or(Ok(64), |word| word.parse())?;
    let seconds: u64 = words.next().map_or(Ok(5), |word| word.parse())?;
    let key = ClusterKey::new(&Secret::from(&b"a secret for measuring"[..]))?;
    let mut options = Options::new("claims");
    options.on_failure = OnFailure::Closed;
    options.cluster = "claims".into();
    url.probe(&key, &options)?;
    let cluster = Cluster::start(&url, &key, options)?;
    // an engine that knows nothing yet grants nothing for some seconds
    while block_on(cluster.take("first").next_outcome()) != Outcome::Held {
        thread::sleep(Duration::from_millis(100));
    }
    let before = cluster.figures();
    let end = Instant::now() + Duration::from_secs(seconds);
    let claim = |session: usize| {
        let (cluster, mut times) = (cluster.clone(), Vec::new());
        move || {
            while Instant::now() < end {
                let begun = Instant::now();
                let mut hold = cluster.take(&format!("session-{session}"));
                let outcome = block_on(hold.next_outcome());
                times.push(begun.elapsed());
                assert_eq!(outcome, Outcome::Held);
                block_on(hold.release());
            }
            times
        }
    };
    let threads: Vec<_> = (0..sessions)
        .map(|session| thread::spawn(claim(session)))
        .collect();
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().map_err(|_| "a claim was refused")?);
    }
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    let figures = cluster.figures();
    println!(
        "{} claims a second; half of them within {:?}, 99 of 100 within {:?}; {} questions a batch",
        times.len() as u64 / seconds.max(1),
        at(50),
        at(99),
        (figures.questions - before.questions) / (figures.batches - before.batches).max(1),
    );
    block_on(cluster.leave());
    Ok(())
}
