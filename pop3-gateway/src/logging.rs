//! The log: human or JSON, on standard error. The journal gets each line with its priority and without a time.
//!
//! Lines go through a queue to a thread of their own, so that nothing but that thread waits when standard error
//! is not read. What finds no room is counted, and the log says how much it was once it flows again.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Log, LogFormat};
use crate::setting::value::Word as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::queue::{Queue, Writer};
use crate::{Failure, systemd};

/// Lines that may wait.
const QUEUE: usize = 8 * 1024;

/// How many octets of lines are written together.
const TOGETHER: usize = 4096;

/// What writes the lines, and which ones.
type Formatted = Box<dyn Layer<Registry> + Send + Sync>;

/// The log of the process. Dropped, it waits a moment for the last lines to be written.
#[must_use]
pub struct Logging {
    queue: Arc<Queue<Vec<u8>>>,
    formatted: Handle<Formatted, Registry>,
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Logging").field(&self.queue).finish()
    }
}

impl Logging {
    /// How many lines were lost since the start: a counter, for those who watch.
    pub fn lost(&self) -> Arc<AtomicU64> {
        self.queue.all_lost()
    }

    /// Goes on with this level and format. `RUST_LOG` goes before the level, as at the start.
    pub fn change(&self, log: Log) -> Result<(), Failure> {
        let formatted = formatted(log, &self.queue)?;
        self.formatted.reload(formatted).map_err(Failure::running)
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.queue.flush();
    }
}

/// Starts the log of the process. `RUST_LOG` goes before the configured level.
pub fn start(log: Log) -> Result<Logging, Failure> {
    let queue = StandardError::open()
        .and_then(|writer| Queue::start("log", QUEUE, writer))
        .map_err(|error| Failure::running(format!("the log cannot be written: {error}")))?;
    let queue = Arc::new(queue);
    let (layer, handle) = reload::Layer::new(formatted(log, &queue)?);
    // a log that was started before, as by a test, stays
    let _ = tracing_subscriber::registry().with(layer).try_init();
    Ok(Logging {
        queue,
        formatted: handle,
    })
}

fn formatted(log: Log, queue: &Arc<Queue<Vec<u8>>>) -> Result<Formatted, Failure> {
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
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Lines(Arc::clone(queue)))
        // that goes to standard error by `eprintln!`, which panics where it cannot be written: a log
        // whose disk is full or whose reader is gone must not end sessions
        .log_internal_errors(false);
    Ok(match log.format {
        LogFormat::Human if systemd::is_journal() => lines
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .map_event_format(systemd::Prioritised)
            .and_then(filter)
            .boxed(),
        LogFormat::Json if systemd::is_journal() => lines
            .json()
            .flatten_event(true)
            .without_time()
            .map_event_format(systemd::Prioritised)
            .and_then(filter)
            .boxed(),
        LogFormat::Human => lines
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
            .and_then(filter)
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).and_then(filter).boxed(),
    })
}

/// Standard error as a file of its own: nothing else has to wait for a lock that is held while it is stuck. Lines that
/// waited together are written together.
struct StandardError {
    file: File,
    lines: Vec<u8>,
}

impl StandardError {
    fn open() -> io::Result<Self> {
        let own = io::stderr().as_fd().try_clone_to_owned()?;
        Ok(Self {
            file: own.into(),
            lines: Vec::with_capacity(TOGETHER),
        })
    }
}

impl Writer<Vec<u8>> for StandardError {
    fn write(&mut self, line: Vec<u8>) {
        if self.lines.len() + line.len() > TOGETHER {
            self.rest();
        }
        self.lines.extend_from_slice(&line);
    }

    fn rest(&mut self) {
        if !self.lines.is_empty() {
            // nothing is left to say it to
            let _ = self.file.write_all(&self.lines);
            self.lines.clear();
        }
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
