//! Bytes from the server that were not read yet.
//!
//! Bounded: what does not fit stays with the driver. It hands out places instead of copies; a place is
//! good until the next [`push`](Input::push).

use alloc::vec::Vec;
use core::ops::Range;

use memchr::memchr;

#[derive(Debug)]
pub(super) struct Input {
    bytes: Vec<u8>,
    capacity: usize,
    /// Where the first unread byte lies.
    start: usize,
    /// Up to where there is no LF.
    searched: usize,
}

/// A line is longer than the limit, ended or not.
pub(super) struct TooLong;

impl Input {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            bytes: Vec::new(),
            capacity,
            start: 0,
            searched: 0,
        }
    }

    pub(super) fn room(&self) -> usize {
        self.capacity - self.unread().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unread().is_empty()
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn at(&self, place: Range<usize>) -> &[u8] {
        self.bytes.get(place).unwrap_or_default()
    }

    /// Takes as much as there is room for; returns how much that was.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.bytes.drain(..self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.bytes.extend_from_slice(&bytes[..taken]);
        taken
    }

    /// Marks the first `n` unread bytes as read and says where they lie.
    pub(super) fn read(&mut self, n: usize) -> Range<usize> {
        let place = self.start..self.bytes.len().min(self.start + n);
        self.start = place.end;
        place
    }

    /// Reads a line of at most `limit` octets; its place is without the line end (CRLF or LF).
    pub(super) fn line(&mut self, limit: usize) -> Result<Option<Range<usize>>, TooLong> {
        let from = self.searched.max(self.start);
        let Some(length) = memchr(b'\n', &self.bytes[from..]) else {
            self.searched = self.bytes.len();
            let fits = self.unread().len() <= limit + 1;
            return if fits { Ok(None) } else { Err(TooLong) };
        };
        let mut line = self.read(from + length + 1 - self.start);
        line.end -= 1;
        if self.bytes[line.clone()].ends_with(b"\r") {
            line.end -= 1;
        }
        if line.len() <= limit {
            Ok(Some(line))
        } else {
            Err(TooLong)
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.start = 0;
        self.searched = 0;
    }
}
