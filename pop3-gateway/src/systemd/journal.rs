//! Lines for the journal: each begins with its priority, as sd-daemon(3) says, and the journal adds the time.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Whether standard error is the stream to the journal that the service manager has opened.
pub(crate) fn is_journal() -> bool {
    let file = || -> io::Result<File> { Ok(io::stderr().as_fd().try_clone_to_owned()?.into()) };
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    file()
        .and_then(|file| file.metadata())
        .is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}

/// The lines of a complaint, each as an error.
pub(crate) fn prioritised(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("<3>{line}")).collect();
    lines.join("\n")
}

/// Puts the priority before each event.
pub(crate) struct Prioritised<F>(pub(crate) F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// The number that syslog(3) has for it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
