//! Standard output: text for people or JSON for programs, and what went wrong.

use std::io::{self, Write as _};

use serde::Serialize;

/// Where results go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// A result: the value as JSON, or the text.
    pub(crate) fn result(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        let written = if self.json {
            let mut line = serde_json::to_string_pretty(value)?;
            line.push('\n');
            line
        } else {
            text()
        };
        self.raw(written.as_bytes())
    }

    /// Octets as they are.
    pub(crate) fn raw(&self, octets: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(octets)?;
        out.flush()
    }

    /// Something that is not part of the result.
    pub(crate) fn note(&self, text: &str) {
        let _ = writeln!(io::stderr(), "pop3-client: {text}");
    }

    /// Reports why there is no result.
    pub(crate) fn failure(&self, text: &str) {
        if self.json {
            let value = serde_json::json!({ "error": text });
            let _ = writeln!(io::stdout(), "{value}");
        }
        self.note(text);
    }
}
