//! The dialogue, written down: time, direction, text. Secrets never get here, see [`Trace`].

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pop3_proto::trace::{Direction, Trace};

/// Where the dialogue goes; clones write to the same place. Without a place it costs nothing.
#[derive(Clone, Default)]
pub struct Transcript(Option<Arc<Mutex<dyn Write + Send>>>);

impl Transcript {
    /// One line per line of the dialogue, each flushed.
    pub fn to(place: impl Write + Send + 'static) -> Self {
        Self(Some(Arc::new(Mutex::new(place))))
    }

    /// Whether the dialogue is written down.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn trace(&self, trace: &Trace) {
        let who = match trace.direction {
            Direction::Received => "S",
            Direction::Sent => "C",
        };
        self.line(who, &trace.text);
    }

    /// Something that is not part of the dialogue: a connection, TLS.
    pub(crate) fn note(&self, text: &str) {
        self.line("*", text);
    }

    /// Anything else: `who` says it.
    pub fn line(&self, who: &str, text: &str) {
        let Some(place) = &self.0 else { return };
        // a log that cannot be written must not end the session
        if let Ok(mut place) = place.lock() {
            let now = humantime::format_rfc3339_millis(SystemTime::now());
            let _ = writeln!(place, "{now} {who}: {text}");
            let _ = place.flush();
        }
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transcript({})", if self.is_on() { "on" } else { "off" })
    }
}
