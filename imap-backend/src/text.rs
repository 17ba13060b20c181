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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v33_secrets_are_masked_until_they_are_forgotten() {
        let mut mask = Mask::default();
        mask.add(Secret::from(&b"tanstaaf"[..]), "<password>");
        assert_eq!(mask.clean(b"no tanstaaf here"), "no <password> here");
        mask.clear();
        assert!(mask.secrets.is_empty());
        assert_eq!(mask.clean(b"no tanstaaf here"), "no tanstaaf here");
    }

    #[test]
    fn as_many_characters_are_shown_however_long_they_are() {
        for c in ["x", "\u{e9}", "\u{20ac}", "\u{1f600}"] {
            let shown = printable(c.repeat(500).as_bytes());
            assert_eq!(shown, c.repeat(BOUND) + "…");
        }
    }
}
