//! Mails to test with: a corpus of difficult ones, and a few pleasant ones for the demonstration.
//!
//! Owns the texts. They are the same on each call; each difficulty has a mail of its own, named after it.

mod corpus;
mod sample;

use crate::content::Content;

pub use corpus::corpus;
pub use sample::sample;

/// A mail and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// What is special about it, in words joined by hyphens.
    pub name: &'static str,
    /// The octets as they are in the store.
    pub content: Content,
}

impl Mail {
    fn new(name: &'static str, content: impl Into<Content>) -> Self {
        Self {
            name,
            content: content.into(),
        }
    }

    /// Whether it has a NUL, which many stores do not take.
    pub fn has_nul(&self) -> bool {
        self.content.chunks().any(|chunk| chunk.contains(&0))
    }

    /// Whether a line ends with a bare LF or has a bare CR in it, which many stores repair.
    pub fn has_bare_line_end(&self) -> bool {
        let mut previous = b'\n';
        let mut bare = false;
        for &byte in self.content.chunks().flatten() {
            bare |= (byte == b'\n') != (previous == b'\r') && (byte == b'\n' || previous == b'\r');
            previous = byte;
        }
        bare || previous == b'\r'
    }

    /// Whether it is so large that a quick test leaves it out.
    pub fn is_large(&self) -> bool {
        self.content.len() > 4 * 1024 * 1024
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_corpus_is_large_deterministic_and_named() {
        let mails = corpus();
        assert!(mails.len() >= 45, "{} mails", mails.len());
        assert_eq!(mails, corpus());
        let names: BTreeSet<_> = mails.iter().map(|mail| mail.name).collect();
        assert_eq!(names.len(), mails.len());
        let plain = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        assert!(names.iter().all(|name| plain(name)), "{names:?}");
    }

    #[test]
    fn what_stores_do_not_take_is_reported() {
        let named = |wanted: fn(&Mail) -> bool| -> Vec<&str> {
            let found = corpus().into_iter().filter(wanted);
            found.map(|mail| mail.name).collect()
        };
        assert_eq!(
            named(Mail::has_nul),
            ["nul-in-body", "nul-in-header", "all-octets"]
        );
        assert_eq!(
            named(Mail::has_bare_line_end),
            [
                "bare-lf",
                "bare-lf-dots",
                "bare-cr",
                "mixed-line-ends",
                "ends-with-cr",
                "all-octets"
            ]
        );
        assert_eq!(named(Mail::is_large), ["attachment-25-mib"]);
    }

    #[test]
    fn the_samples_are_proper_mails() {
        let samples = sample();
        assert!((6..=8).contains(&samples.len()));
        for mail in samples {
            assert!(
                !mail.has_nul() && !mail.has_bare_line_end(),
                "{}",
                mail.name
            );
            let header = String::from_utf8(mail.content.slice(0, mail.content.header_len()))
                .unwrap_or_default();
            for field in ["From: ", "To: ", "Date: ", "Subject: ", "Message-ID: <"] {
                let count = header
                    .split("\r\n")
                    .filter(|line| line.starts_with(field))
                    .count();
                assert_eq!(count, 1, "{field} in {}", mail.name);
            }
        }
    }
}
