//! The octets of a message: shared, and generated where they are many.
//!
//! Owns the representation of a message in memory. A gibibyte is a block of 64 KiB and a count;
//! a clone is a reference. Never returns more than one contiguous piece at a time.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A block that is repeated is first made about this long, so that pieces are not tiny.
const BLOCK: usize = 64 * 1024;

/// The octets of a message. Cheap to clone.
#[derive(Clone)]
pub struct Content {
    runs: Arc<[Run]>,
    len: u64,
    header_len: u64,
}

#[derive(Clone)]
struct Run {
    block: Bytes,
    start: u64,
    end: u64,
}

impl Content {
    /// These octets.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self::from_runs([(bytes.into(), 1)])
    }

    /// `head`, then `block` this many times, then `tail`: large messages in little memory.
    pub fn repeated(
        head: impl Into<Bytes>,
        block: impl Into<Bytes>,
        times: u64,
        tail: impl Into<Bytes>,
    ) -> Self {
        Self::from_runs([(head.into(), 1), (block.into(), times), (tail.into(), 1)])
    }

    /// Each block this many times, one after the other.
    pub fn from_runs(blocks: impl IntoIterator<Item = (Bytes, u64)>) -> Self {
        let mut runs = Vec::new();
        let mut len = 0;
        for (block, times) in blocks {
            let factor = (BLOCK / block.len().max(1)).max(1);
            let (large, rest) = (times / factor as u64, times % factor as u64);
            if factor > 1 && large > 0 {
                push_run(
                    &mut runs,
                    &mut len,
                    Bytes::from(block.repeat(factor)),
                    large,
                );
                push_run(&mut runs, &mut len, block, rest);
            } else {
                push_run(&mut runs, &mut len, block, times);
            }
        }
        let header_len = header_len(&runs, len);
        Self {
            runs: runs.into(),
            len,
            header_len,
        }
    }

    /// How many octets.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the body begins: after the first empty line, or at the end if there is none.
    pub fn header_len(&self) -> u64 {
        self.header_len
    }

    /// A piece that begins at `offset`; empty only at or after the end.
    pub fn chunk_at(&self, offset: u64) -> &[u8] {
        let Some(run) = self.runs.iter().find(|run| offset < run.end) else {
            return &[];
        };
        let skip = offset.saturating_sub(run.start) % run.block.len() as u64;
        run.block.get(skip as usize..).unwrap_or_default()
    }

    /// All pieces in order.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let chunk = self.chunk_at(offset);
            offset += chunk.len() as u64;
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    /// The octets from `from` up to `to`, in one buffer.
    pub fn slice(&self, from: u64, to: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut offset = from;
        while offset < to.min(self.len) {
            let chunk = self.chunk_at(offset);
            let take = (chunk.len() as u64).min(to - offset) as usize;
            out.extend_from_slice(&chunk[..take]);
            offset += take as u64;
        }
        out
    }

    /// All octets in one buffer.
    pub fn to_vec(&self) -> Vec<u8> {
        self.slice(0, self.len)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} octets)", self.len)
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        let mut offset = 0;
        while self.len == other.len && offset < self.len {
            let (left, right) = (self.chunk_at(offset), other.chunk_at(offset));
            let take = left.len().min(right.len());
            if left[..take] != right[..take] {
                return false;
            }
            offset += take as u64;
        }
        self.len == other.len
    }
}

impl Eq for Content {}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl From<&'static str> for Content {
    fn from(text: &'static str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<&'static [u8]> for Content {
    fn from(bytes: &'static [u8]) -> Self {
        Self::new(bytes)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Content {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::new(bytes.as_slice())
    }
}

fn push_run(runs: &mut Vec<Run>, len: &mut u64, block: Bytes, times: u64) {
    let octets = (block.len() as u64).saturating_mul(times);
    if octets > 0 {
        let start = *len;
        *len = len.saturating_add(octets);
        runs.push(Run {
            block,
            start,
            end: *len,
        });
    }
}

/// A line end is CRLF or a bare LF. A run is searched twice at most: if two repetitions show nothing,
/// no further one does.
fn header_len(runs: &[Run], len: u64) -> u64 {
    let mut line_is_empty = true;
    for run in runs {
        let times = ((run.end - run.start) / run.block.len() as u64).min(2);
        let mut previous_cr = false;
        for (at, &byte) in run
            .block
            .iter()
            .cycle()
            .take(run.block.len() * times as usize)
            .enumerate()
        {
            match byte {
                b'\n' if line_is_empty => return run.start + at as u64 + 1,
                b'\n' => line_is_empty = true,
                b'\r' if line_is_empty && !previous_cr => {}
                _ => line_is_empty = false,
            }
            previous_cr = byte == b'\r';
        }
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_whole() {
        let content = Content::repeated("head\r\n\r\n", "0123456789\r\n", 20_000, "end");
        assert_eq!(content.len(), 8 + 240_000 + 3);
        assert_eq!(content.header_len(), 8);
        let whole = content.to_vec();
        assert_eq!(whole, content.chunks().collect::<Vec<_>>().concat());
        assert_eq!(
            whole,
            [
                b"head\r\n\r\n".to_vec(),
                b"0123456789\r\n".repeat(20_000),
                b"end".to_vec()
            ]
            .concat()
        );
        for (from, to) in [
            (0, 9),
            (7, 100),
            (65_530, 65_550),
            (240_000, 300_000),
            (9, 3),
        ] {
            let (end, start) = (whole.len().min(to), from.min(to));
            assert_eq!(content.slice(from as u64, to as u64), whole[start..end]);
        }
    }

    #[test]
    fn a_large_message_is_small_in_memory() {
        let content = Content::repeated("A: b\r\n\r\n", "x".repeat(76) + "\r\n", 1 << 24, "");
        assert_eq!(content.len(), 8 + (78 << 24));
        assert!(
            content
                .runs
                .iter()
                .map(|run| run.block.len())
                .sum::<usize>()
                < 200_000
        );
    }

    #[test]
    fn the_header_ends_after_the_first_empty_line() {
        for (text, header) in [
            ("A: b\r\n\r\nbody", 8),
            ("A: b\n\nbody\n\n", 6),
            ("\r\nbody", 2),
            ("\nbody", 1),
            ("no blank line\r\n", 15),
            ("", 0),
            ("A: b\r\n\r\rx\r\n\r\n", 13),
        ] {
            assert_eq!(Content::from(text).header_len(), header, "{text:?}");
        }
        assert_eq!(
            Content::from_runs([("a\r\n".into(), 3), ("\r\n".into(), 3)]).header_len(),
            11
        );
    }
}
