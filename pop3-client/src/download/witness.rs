//! What distinguishes a message from another one with the same unique-id: its length and digests of its octets.
//!
//! It is computed while a message comes, and keeps no more of it than the beginning of its header.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// More of a header than this does not count.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// What a message was when it was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Witness {
    octets: u64,
    whole: String,
    head: String,
}

/// A message that is coming.
#[derive(Default)]
pub(super) struct Reading {
    octets: u64,
    lines: u64,
    /// Lines that begin with a dot.
    dots: u64,
    inside_line: bool,
    whole: Sha256,
    head: Vec<u8>,
}

impl Reading {
    pub(super) fn take(&mut self, octets: &[u8]) {
        self.whole.update(octets);
        self.octets += octets.len() as u64;
        let room = MAX_HEAD.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(&octets[..octets.len().min(room)]);
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            self.dots += u64::from(!self.inside_line && line.starts_with(b"."));
            self.inside_line = !line.ends_with(b"\n");
            self.lines += u64::from(!self.inside_line);
        }
    }

    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether this can be the number of octets that the server meant to send. Servers count line ends as
    /// one octet or as two, and some count the stuffing and the end of the response. Any other number means
    /// that the message was cut off, or that it contains something else.
    pub(super) const fn is_what_was_announced(&self, octets: u64) -> bool {
        // a CRLF that was missing at the end, and the line with the dot
        const END: u64 = 5;
        self.octets + self.dots + END >= octets && self.octets <= octets + self.lines + END
    }

    pub(super) fn finish(self) -> Witness {
        Witness {
            octets: self.octets,
            whole: digest(self.whole),
            head: head(&self.head),
        }
    }
}

impl Witness {
    /// Whether a header, as TOP gives it, is that of this message.
    pub(super) fn has_head(&self, top: &[u8]) -> bool {
        self.head == head(&top[..top.len().min(MAX_HEAD)])
    }

    /// The digest of all octets.
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }
}

/// The digest of the lines before the first blank one.
fn head(octets: &[u8]) -> String {
    let mut end = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        end += line.len();
    }
    digest(Sha256::new().chain_update(&octets[..end]))
}

fn digest(of: Sha256) -> String {
    let digest = of.finalize();
    digest[..16]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8], piece: usize) -> Reading {
        let mut reading = Reading::default();
        octets.chunks(piece).for_each(|some| reading.take(some));
        reading
    }

    #[test]
    fn where_a_message_is_cut_on_its_way_changes_nothing() {
        let octets = b"A: b\r\n.C: d\r\n\r\n.x\r\n.\r\ny";
        let whole = read(octets, 100);
        assert_eq!((whole.lines, whole.dots), (5, 3));
        let whole = whole.finish();
        assert!(whole.has_head(b"A: b\r\n.C: d\r\n") && whole.has_head(b"A: b\r\n.C: d\r\n\r\n"));
        assert!(!whole.has_head(b"A: b\r\n\r\n"));
        for piece in 1..octets.len() {
            let reading = read(octets, piece);
            assert_eq!((reading.lines, reading.dots), (5, 3));
            assert_eq!(reading.finish(), whole);
        }
    }

    #[test]
    fn w004_lengths_that_servers_tell_are_taken_and_others_are_not() {
        // 3 lines of 10 octets, one of them with a dot in front
        let reading = read(b".2345678\r\n12345678\r\n12345678\r\n", 7);
        for right in [30, 27, 31, 33, 34, 36] {
            assert!(reading.is_what_was_announced(right), "{right}");
        }
        for wrong in [0, 10, 20, 37, 60, u64::MAX / 2] {
            assert!(!reading.is_what_was_announced(wrong), "{wrong}");
        }
    }
}
