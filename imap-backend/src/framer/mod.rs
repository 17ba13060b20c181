//! Cuts the upstream's bytes into logical lines and literals.
//!
//! Owns the one receive buffer of a connection and the places in it. A logical line runs up to its final
//! line end, with short literals left inside it and long ones replaced by `NIL`; the caller decides what
//! each literal is, because only the grammar knows. A literal that is the body is never collected: it is
//! lent out piece by piece from where it was received. Its last [`HOLD`] octets are only lent once the
//! line after them is here: a literal that is shorter than it was announced would take that line, and what
//! follows, for a part of the message. Anything that reads like the end of a command waits for more.
//!
//! It never looks into a line beyond "may a literal stand here": status, continuation and tagged lines
//! end in free text, in which `{5}` means nothing.

#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;

use memchr::{memchr, memrchr};

/// The longest logical line, and the most that is buffered.
pub(crate) const LIMIT: usize = 64 * 1024;
/// The longest literal that stays inside its line.
pub(crate) const COLLECT: u64 = 8 * 1024;
/// How many octets at the end of a lent literal wait for the line after it.
pub(crate) const HOLD: u64 = 32 * 1024;
/// How many octets are searched for the end of a command where a literal should go on.
const CLOSING: usize = 1024;
/// The room while nothing is expected, and all the same something may come: the least that the allocator gives.
const TINY: usize = 24;
/// The room while nothing is expected but a line.
const SMALL: usize = 512;
/// The room for a literal of at most [`SHORT`] octets: a larger one costs more to clear than to fill.
const MEDIUM: usize = 16 * 1024;
/// The longest literal that is short.
pub(crate) const SHORT: u64 = 12 * 1024;

/// How much is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: sessions are in this state for most of their time.
    Nothing,
    /// A line.
    Line,
    /// A literal that is short, or may be.
    Short,
    /// More than that.
    Much,
}

/// What comes next from the upstream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A complete logical line without its line end.
    Line {
        /// The line.
        bytes: &'a [u8],
        /// Whether it goes on after a literal that was lent or discarded.
        tail: bool,
    },
    /// The line so far announces a literal. Answered by one of [`Framer::collect`],
    /// [`Framer::skip`], [`Framer::lend`], [`Framer::discard`]; until then nothing else comes.
    Literal {
        /// The line so far, with the announcement.
        head: &'a [u8],
        /// The literal's length.
        size: u64,
        /// As in `Line`.
        tail: bool,
    },
}

/// A line longer than [`LIMIT`]; its beginning is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong<'a>(pub(crate) &'a [u8]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A logical line begins at `start`.
    Line,
    /// The literal announced at `open` begins at `body`.
    Held { open: usize, body: usize, size: u64 },
    /// A literal inside the line at `start` is being dropped; it would have stood at `at`.
    Skip { at: usize, left: u64 },
    /// The literal goes on at `start` and is lent out up to `to`; `whole` once the line after it was seen.
    Lend { left: u64, to: usize, whole: bool },
    /// The literal begins at `start` and is thrown away.
    Discard { left: u64 },
}

#[derive(Debug)]
pub(crate) struct Framer {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to where the current line was searched; beyond `end` while a literal is being collected.
    scanned: usize,
    tail: bool,
    state: State,
}

impl Framer {
    pub(crate) const fn new() -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            tail: false,
            state: State::Line,
        }
    }

    /// Room for bytes from the socket; empty while they should stay there.
    pub(crate) fn room(&mut self, expected: Expected) -> &mut [u8] {
        if self.is_held() {
            return &mut [];
        }
        let pending = self.end - self.start;
        if pending == 0 {
            self.rebase();
            let target = match expected {
                Expected::Nothing => TINY,
                Expected::Line => SMALL,
                Expected::Short => MEDIUM.max(self.buf.len()),
                Expected::Much => LIMIT,
            };
            if self.buf.len() != target {
                self.buf = vec![0; target];
            }
        } else if self.buf.len() - self.end < self.buf.len() / 2 {
            if pending <= self.buf.len() / 4 {
                self.rebase();
                if expected == Expected::Much {
                    self.buf.resize(LIMIT, 0);
                }
            } else if self.end == self.buf.len() && !self.can_lend() {
                self.rebase();
                if self.end == self.buf.len() {
                    let more = if self.end < SMALL { SMALL } else { LIMIT };
                    self.buf.resize(more, 0);
                }
            }
        }
        &mut self.buf[self.end..]
    }

    /// `n` bytes were written to the front of [`room`](Self::room).
    pub(crate) fn filled(&mut self, n: usize) {
        self.end = self.buf.len().min(self.end.saturating_add(n));
        if let State::Lend { left, whole, .. } = self.state {
            self.lend_on(left, whole);
        }
    }

    /// How many bytes are not cut yet.
    pub(crate) fn pending(&self) -> usize {
        self.end - self.start
    }

    /// The next frame, or `None` until more bytes come or the literal is decided about.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, TooLong<'_>> {
        match self.state {
            State::Held { .. } => return Ok(None),
            State::Lend { left, .. } | State::Discard { left } if left == 0 => self.end_literal(),
            State::Lend { .. } => return Ok(None),
            State::Discard { left } => {
                let n = self.take(left);
                self.start += n;
                self.state = State::Discard {
                    left: left - n as u64,
                };
                if left > n as u64 {
                    return Ok(None);
                }
                self.end_literal();
            }
            State::Skip { at, left } => {
                let n = (self.end - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                self.buf.copy_within(at + n..self.end, at);
                self.end -= n;
                self.state = State::Skip {
                    at,
                    left: left - n as u64,
                };
                if left > n as u64 {
                    return Ok(None);
                }
                self.scanned = at;
                self.state = State::Line;
            }
            State::Line => {}
        }
        self.line()
    }

    /// Leaves the announced literal inside its line.
    pub(crate) fn collect(&mut self) {
        if let State::Held { body, size, .. } = self.state {
            let fits = size <= COLLECT && body - self.start + (size as usize) < LIMIT;
            if fits {
                self.scanned = body + size as usize;
                self.state = State::Line;
            } else {
                self.skip();
            }
        }
    }

    /// Puts `NIL` in the place of the announced literal.
    pub(crate) fn skip(&mut self) {
        if let State::Held { open, body, size } = self.state {
            // an announcement has at least the four octets of `{0}` and a line feed
            self.buf[open..open + 3].copy_from_slice(b"NIL");
            let at = open + 3;
            self.buf.copy_within(body..self.end, at);
            self.end -= body - at;
            self.state = State::Skip { at, left: size };
        }
    }

    /// Lets go of the line so far and lends the announced literal out.
    pub(crate) fn lend(&mut self) {
        if let State::Held { body, size, .. } = self.state {
            self.start = body;
            self.lend_on(size, size == 0);
        }
    }

    /// Lets go of the line so far and throws the announced literal away, or what is left of the one
    /// that is lent.
    pub(crate) fn discard(&mut self) {
        match self.state {
            State::Held { body, size, .. } => {
                self.start = body;
                self.state = State::Discard { left: size };
            }
            State::Lend { left, .. } => self.state = State::Discard { left },
            State::Line | State::Skip { .. } | State::Discard { .. } => {}
        }
    }

    /// Whether a literal waits for a decision.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }

    /// Whether the held literal has come to its end, and a line end after it.
    pub(crate) fn held_is_complete(&self) -> bool {
        let State::Held { body, size, .. } = self.state else {
            return false;
        };
        let here = &self.buf[body..self.end];
        let behind = usize::try_from(size).ok().and_then(|size| here.get(size..));
        behind.is_some_and(|behind| memchr(b'\n', behind).is_some())
    }

    /// How much of the literal that is lent or thrown away is still to come or to be taken.
    pub(crate) fn literal_left(&self) -> u64 {
        match self.state {
            State::Lend { left, .. } | State::Discard { left } | State::Skip { left, .. } => left,
            State::Line | State::Held { .. } => 0,
        }
    }

    /// Whether lent octets wait to be taken.
    #[inline]
    pub(crate) fn can_lend(&self) -> bool {
        matches!(self.state, State::Lend { to, .. } if to > self.start)
    }

    /// Lends as much of the literal as is here and may be lent; this much of it is left. Done when octets come,
    /// not at each question.
    fn lend_on(&mut self, left: u64, whole: bool) {
        let free = if whole {
            self.take(left)
        } else {
            let free = self.take(left.saturating_sub(HOLD));
            let here = &self.buf[self.start..self.end];
            // nearly always what is here ends within a line
            if free > 0 && here.ends_with(b"\n") {
                free.min(here.len() - closing(here))
            } else {
                free
            }
        };
        let to = self.start + free;
        self.state = State::Lend { left, to, whole };
    }

    /// The line after the literal that is lent, once it is complete; returned only once. If it is not the
    /// end of a FETCH, the literal was not as long as announced.
    #[inline]
    pub(crate) fn behind(&mut self) -> Option<&[u8]> {
        let State::Lend {
            left, whole: false, ..
        } = self.state
        else {
            return None;
        };
        if left >= (self.end - self.start) as u64 {
            return None;
        }
        let rest = &self.buf[self.start + left as usize..self.end];
        let end = match memchr(b'\n', rest) {
            Some(end) => end,
            None if left <= HOLD && self.end - self.start >= LIMIT => rest.len(),
            None => return None,
        };
        self.lend_on(left, true);
        let at = self.start + left as usize;
        Some(self.buf[at..at + end].trim_ascii_end())
    }

    /// The last line of what is held back, if it is complete.
    #[inline]
    pub(crate) fn held_line(&self) -> Option<&[u8]> {
        let State::Lend { whole: false, .. } = self.state else {
            return None;
        };
        let held = &self.buf[self.start..self.end];
        let line = held.strip_suffix(b"\n")?;
        let line = memrchr(b'\n', line).map(|at| &line[at + 1..]);
        Some(line?.trim_ascii_end())
    }

    /// Takes at most `max` octets of the literal that is lent.
    pub(crate) fn lent(&mut self, max: usize) -> &[u8] {
        let State::Lend { left, to, whole } = self.state else {
            return &[];
        };
        let at = self.start;
        let n = (to - at).min(max);
        self.start += n;
        self.scanned = self.start;
        self.state = State::Lend {
            left: left - n as u64,
            to,
            whole,
        };
        &self.buf[at..at + n]
    }

    fn take(&self, left: u64) -> usize {
        (self.end - self.start).min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn end_literal(&mut self) {
        self.scanned = self.start;
        self.tail = true;
        self.state = State::Line;
    }

    fn line(&mut self) -> Result<Option<Frame<'_>>, TooLong<'_>> {
        let found = (self.scanned <= self.end)
            .then(|| memchr(b'\n', &self.buf[self.scanned..self.end]))
            .flatten();
        let Some(offset) = found else {
            self.scanned = self.scanned.max(self.end);
            if self.end - self.start >= LIMIT {
                return Err(TooLong(&self.buf[self.start..self.end]));
            }
            return Ok(None);
        };
        let next = self.scanned + offset + 1;
        let mut stop = next - 1;
        if stop > self.start && self.buf[stop - 1] == b'\r' {
            stop -= 1;
        }
        let line = self.start..stop;
        let tail = self.tail;
        if let Some((open, size)) = announced(&self.buf[line.clone()], tail) {
            self.state = State::Held {
                open: self.start + open,
                body: next,
                size,
            };
            return Ok(Some(Frame::Literal {
                head: &self.buf[line],
                size,
                tail,
            }));
        }
        self.start = next;
        self.scanned = next;
        self.tail = false;
        Ok(Some(Frame::Line {
            bytes: &self.buf[line],
            tail,
        }))
    }

    /// Moves pending bytes to the front of the buffer.
    fn rebase(&mut self) {
        let by = self.start;
        if by == 0 {
            return;
        }
        self.buf.copy_within(by..self.end, 0);
        self.start = 0;
        self.end -= by;
        self.scanned = self.scanned.saturating_sub(by);
        self.state = match self.state {
            State::Held { open, body, size } => State::Held {
                open: open - by,
                body: body - by,
                size,
            },
            State::Skip { at, left } => State::Skip { at: at - by, left },
            State::Lend { left, to, whole } => State::Lend {
                left,
                to: to - by,
                whole,
            },
            state @ (State::Line | State::Discard { .. }) => state,
        };
    }
}

/// How many of the last octets read like the end of a command. If a literal is far shorter than
/// announced, they would be lent out as part of it. If they really are part of it, the octets after
/// them show that.
fn closing(here: &[u8]) -> usize {
    let near = &here[here.len().saturating_sub(CLOSING)..];
    let Some(text) = near.strip_suffix(b"\n") else {
        return 0;
    };
    let line_of = |text: &[u8]| memrchr(b'\n', text).map_or(0, |at| at + 1);
    let closes = |line: &[u8]| {
        let line = line.trim_ascii_end();
        line.ends_with(b")") && matches!(line.first(), Some(b')' | b' '))
    };
    let last = line_of(text);
    if closes(&text[last..]) {
        return near.len() - last;
    }
    let tagged = text[last..].strip_prefix(b"A");
    let before = &text[..last.saturating_sub(1)];
    if tagged.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        && closes(&before[line_of(before)..])
    {
        return near.len() - line_of(before);
    }
    0
}

/// The place and length of a literal that is announced at the end of a line, if the line may hold one.
fn announced(line: &[u8], tail: bool) -> Option<(usize, u64)> {
    let rest = line.strip_suffix(b"}")?;
    let rest = rest.strip_suffix(b"+").unwrap_or(rest);
    let digits = rest.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (rest, number) = rest.split_at(rest.len() - digits);
    let rest = rest.strip_suffix(b"{")?;
    let open = rest.strip_suffix(b"~").unwrap_or(rest);
    let before = open.last().copied()?;
    if !matches!(before, b' ' | b'(' | b']' | b'>') || !(tail || is_data(line)) {
        return None;
    }
    if number.is_empty() {
        return None;
    }
    // only digits: a number that does not parse is too large
    let size = core::str::from_utf8(number)
        .ok()?
        .parse()
        .unwrap_or(u64::MAX);
    Some((open.len(), size))
}

/// Whether a line is untagged data rather than a status, a continuation request or a tagged line.
fn is_data(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"*") else {
        return false;
    };
    let word = rest
        .split(|&b| b == b' ')
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    ![&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
        .iter()
        .any(|status| word.eq_ignore_ascii_case(status))
}
