//! A bounded line buffer that remembers how far it has searched.
//!
//! It owns the client's bytes between the socket and the command parser. It never interprets a line
//! and never holds more than its capacity: a line beyond its limit is reported once and then thrown
//! away up to its end, so that the dialogue recovers at the next line. Any line may be a password,
//! so all of them are wiped.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::secret;

/// Lines end with LF; a CR before it belongs to the line end (RFC 1939 section 3, bare LF tolerated).
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Zeroizing<Vec<u8>>,
    /// Where the first unread byte lies.
    start: usize,
    /// Up to where (absolute) no LF was found.
    searched: usize,
    /// How many octets were thrown away of a line that was too long and has not ended yet.
    discarding: Option<usize>,
}

/// What [`LineBuffer::next_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A complete line, without its line end.
    Complete(Zeroizing<Vec<u8>>),
    /// A line longer than the limit. Reported as soon as that is known; its rest is thrown away.
    TooLong,
}

impl LineBuffer {
    /// How many octets it takes before `capacity` is reached.
    pub(crate) fn room(&self, capacity: usize) -> usize {
        capacity.saturating_sub(self.len())
    }

    /// Octets not read yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing waits in it. The start of a line that is being thrown away counts as nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The octets not read yet.
    pub(crate) fn peek(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// How many octets of an endless line were thrown away so far.
    pub(crate) fn discarded(&self) -> usize {
        self.discarding.unwrap_or(0)
    }

    /// Whether a whole line waits.
    pub(crate) fn has_line(&self) -> bool {
        self.discarding.is_none() && line_feed(&self.bytes[self.searched..]).is_some()
    }

    /// Appends octets, in the place of those that were read. The caller asked for [`room`](Self::room)
    /// before.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if let Some(thrown) = self.discarding {
            match line_feed(bytes) {
                None => {
                    self.discarding = Some(thrown.saturating_add(bytes.len()));
                    return;
                }
                Some(end) => {
                    self.discarding = None;
                    bytes = &bytes[end + 1..];
                }
            }
        }
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        secret::append(&mut self.bytes, bytes);
    }

    /// Takes the next line of at most `limit` octets (without line end).
    pub(crate) fn next_line(&mut self, limit: usize) -> Option<Line> {
        if self.discarding.is_some() {
            return None;
        }
        let found = line_feed(&self.bytes[self.searched..]).map(|at| self.searched + at);
        let Some(end) = found else {
            self.searched = self.bytes.len();
            if self.len() > limit + 1 {
                self.discarding = Some(self.len());
                self.clear();
                return Some(Line::TooLong);
            }
            return None;
        };
        let line = &self.bytes[self.start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if line.len() > limit {
            Line::TooLong
        } else {
            Line::Complete(Zeroizing::new(line.to_vec()))
        };
        self.start = end + 1;
        self.searched = self.start;
        if self.start == self.bytes.len() {
            self.clear();
        }
        Some(line)
    }

    /// Forgets everything, and gives the memory back.
    pub(crate) fn clear(&mut self) {
        self.bytes = Zeroizing::default();
        self.start = 0;
        self.searched = 0;
    }
}

/// Octet by octet: a search by wide registers can leave a password on the stack, where nothing wipes it.
fn line_feed(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&octet| octet == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(input: &[u8], limit: usize, cuts: &[usize]) -> Vec<Line> {
        let mut buffer = LineBuffer::default();
        let mut found = Vec::new();
        let mut rest = input;
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let n = cuts
                .next()
                .map_or(rest.len(), |n| (*n).clamp(1, rest.len()));
            buffer.push(&rest[..n]);
            rest = &rest[n..];
            while let Some(line) = buffer.next_line(limit) {
                found.push(line);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn x001_chunking_is_invisible(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a')], 0..200),
            cuts in proptest::collection::vec(1usize..9, 1..9),
        ) {
            prop_assert_eq!(lines(&input, 5, &cuts), lines(&input, 5, &[1]));
        }
    }

    #[test]
    fn p002_both_line_ends_and_a_cr_alone() {
        let complete = |line: &[u8]| Line::Complete(line.to_vec().into());
        let expected = [
            complete(b"a"),
            complete(b"b"),
            complete(b"c\rd"),
            complete(b""),
        ];
        assert_eq!(lines(b"a\r\nb\nc\rd\n\r\nrest", 9, &[1]), expected);
    }

    #[test]
    fn x001_too_long_is_said_once_and_the_next_line_is_whole() {
        let expected = [Line::TooLong, Line::Complete(b"ok".to_vec().into())];
        assert_eq!(lines(b"0123456789012345678\r\nok\r\n", 5, &[3]), expected);
    }
}
