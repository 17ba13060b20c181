//! Text that came from the upstream, made fit for a log: printable, bounded, without secrets.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use memchr::memmem;
use pop3_proto::secret::Secret;

/// The most characters of an upstream's text that are passed on.
const BOUND: usize = 200;

/// Secrets that may turn up in what the upstream says, and what is put in their place.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    secrets: Vec<(Secret, &'static str)>,
}

impl Mask {
    pub(crate) fn add(&mut self, secret: Secret, name: &'static str) {
        if !secret.is_empty() {
            self.secrets.push((secret, name));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.secrets = Vec::new();
    }

    /// The beginning of a text as a log may hold it.
    pub(crate) fn clean(&self, text: &[u8]) -> String {
        if self.secrets.is_empty() {
            return printable(text);
        }
        let mut masked = text.to_vec();
        for (secret, name) in &self.secrets {
            let secret = secret.expose();
            let mut from = 0;
            while let Some(found) = memmem::find(&masked[from..], secret) {
                let at = from + found;
                masked.splice(at..at + secret.len(), name.bytes());
                from = at + name.len();
            }
        }
        printable(&masked)
    }
}

/// The beginning of a text, with what does not print escaped.
pub(crate) fn printable(text: &[u8]) -> String {
    let mut clean = String::new();
    let shown = &text[..text.len().min(4 * BOUND)];
    for c in String::from_utf8_lossy(shown.trim_ascii())
        .chars()
        .take(BOUND)
    {
        if c.is_control() {
            // writing to a string does not fail
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    if clean.chars().count() >= BOUND {
        clean.push('…');
    }
    clean
}
