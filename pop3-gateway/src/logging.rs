//! The log: human or JSON, on standard error. The journal gets each line with its priority and without a time.
//!
//! Lines go through a queue to a thread of their own, so that nothing but that thread waits when standard error
//! is not read. What finds no room is counted, and the log says how much it was once it flows again.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Log, LogFormat};
use crate::setting::value::Word as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::queue::{Queue, Writer};
use crate::{Failure, systemd};

/// Lines that may wait.
const QUEUE: usize = 8 * 1024;

/// The log of the process. Dropped, it waits a moment for the last lines to be written.
#[derive(Debug)]
#[must_use]
pub struct Logging(Arc<Queue<Vec<u8>>>);

impl Logging {
    /// How many lines were lost since the start: a counter, for those who watch.
    pub fn lost(&self) -> Arc<AtomicU64> {
        self.0.all_lost()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts the log of the process. `RUST_LOG` goes before the configured level.
pub fn start(log: Log) -> Result<Logging, Failure> {
    let directives = std::env::var("RUST_LOG")
        .ok()
        .filter(|directives| !directives.is_empty());
    let filter = match directives {
        Some(directives) => EnvFilter::try_new(directives).map_err(|error| {
            Failure::configuration(format!(
                "RUST_LOG: {error}; write for example RUST_LOG=debug"
            ))
        })?,
        None => EnvFilter::new(log.level.word()),
    };
    let queue = StandardError::open()
        .and_then(|writer| Queue::start("log", QUEUE, writer))
        .map_err(|error| Failure::running(format!("the log cannot be written: {error}")))?;
    let logging = Logging(Arc::new(queue));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines(Arc::clone(&logging.0)))
        // that goes to standard error by `eprintln!`, which panics where it cannot be written: a log
        // whose disk is full or whose reader is gone must not end sessions
        .log_internal_errors(false);
    // a log that was started before, as by a test, stays
    let _ = match log.format {
        LogFormat::Human if systemd::is_journal() => builder
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .map_event_format(systemd::Prioritised)
            .finish()
            .try_init(),
        LogFormat::Json if systemd::is_journal() => builder
            .json()
            .flatten_event(true)
            .without_time()
            .map_event_format(systemd::Prioritised)
            .finish()
            .try_init(),
        LogFormat::Human => builder
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
            .finish()
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    Ok(logging)
}

/// Standard error as a file of its own: nothing else has to wait for a lock that is held while it is stuck.
struct StandardError(File);

impl StandardError {
    fn open() -> io::Result<Self> {
        let own = io::stderr().as_fd().try_clone_to_owned()?;
        Ok(Self(own.into()))
    }
}

impl Writer<Vec<u8>> for StandardError {
    fn write(&mut self, line: Vec<u8>) {
        // nothing is left to say it to
        let _ = self.0.write_all(&line);
    }

    fn lost(&mut self, lines: u64) {
        tracing::warn!(
            lines,
            "lines of the log came while standard error was not read, and are lost"
        );
    }
}

/// Puts each line into the queue.
struct Lines(Arc<Queue<Vec<u8>>>);

/// Takes one line: a subscriber writes each event in one piece.
struct Line<'a>(&'a Queue<Vec<u8>>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects the warnings that `act` logs, each as a text: for commands that have no log.
pub fn warnings<T>(act: impl FnOnce() -> T) -> (T, Vec<String>) {
    let heard = Heard::default();
    let writer = heard.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .without_time()
        .log_internal_errors(false)
        .finish();
    let done = tracing::subscriber::with_default(subscriber, act);
    let octets = std::mem::take(&mut *heard.0.lock().unwrap_or_else(PoisonError::into_inner));
    let text = String::from_utf8_lossy(&octets);
    let lines = text.lines().map(|line| line.trim().to_owned());
    (done, lines.collect())
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
