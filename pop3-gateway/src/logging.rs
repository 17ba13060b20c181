//! The log: human or JSON, on standard error.

use std::io::{self, IsTerminal as _};

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
