//! The log: human or JSON, on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use pop3_server::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts the log of the process. `RUST_LOG` goes before the configured level.
pub fn start(log: Log) -> Result<(), ParseError> {
    let directives = std::env::var("RUST_LOG")
        .ok()
        .filter(|directives| !directives.is_empty());
    let filter = match directives {
        Some(directives) => EnvFilter::try_new(directives)?,
        None => EnvFilter::new(log.level.as_str()),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // that goes to standard error by `eprintln!`, which panics where it cannot be written: a log
        // whose disk is full or whose reader is gone must not end sessions
        .log_internal_errors(false);
    // a log that was started before, as by a test, stays
    let _ = match log.format {
        LogFormat::Human => builder
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
            .finish()
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    Ok(())
}

/// What is warned of in the meantime, a text for each: for commands that have no log.
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
