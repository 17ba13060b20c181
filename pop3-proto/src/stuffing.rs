//! Byte-stuffing of multi-line responses (RFC 1939 section 3), both ways.
//!
//! [`Stuffer`] turns a stored message, in pieces cut anywhere, into the body of a response: every line
//! end becomes CRLF, a dot at the start of a line is doubled, and the terminating line follows. It can
//! stop where TOP wants it to. [`Unstuffer`] is the way back.
//!
//! What is a line end differs on purpose:
//!
//! * A store may hold anything, so the stuffer takes CRLF, a bare LF *and* a bare CR as line ends and
//!   sends CRLF for each. Whatever a client thinks a line end is, it sees the same lines as the stuffer
//!   did, and a dot cannot hide behind a bare LF or CR.
//! * On the wire only CRLF ends a line. To the unstuffer a bare LF or CR is part of the message, and
//!   only CRLF, dot, CRLF ends a body: a server that does not stuff behind a bare LF must not be able to
//!   end a body early, which would turn the rest of a message into responses.
//!
//! NUL and 8-bit octets pass unchanged. Neither side ever looks at what a message means.
//!
//! # Examples
//!
//! ```
//! use bytes::BytesMut;
//! use pop3_proto::stuffing::{Stuffer, Unstuffer};
//!
//! let (mut stuffer, mut wire) = (Stuffer::whole(), BytesMut::new());
//! for piece in ["one\n", ".", "two"] {
//!     stuffer.stuff(piece.as_bytes(), &mut wire);
//! }
//! stuffer.finish(&mut wire);
//! assert_eq!(wire, "one\r\n..two\r\n.\r\n");
//!
//! let (mut unstuffer, mut rest, mut message) = (Unstuffer::new(), &wire[..], Vec::new());
//! loop {
//!     let unstuffed = unstuffer.unstuff(rest);
//!     message.extend_from_slice(unstuffed.bytes);
//!     rest = &rest[unstuffed.consumed..];
//!     if unstuffed.end {
//!         break;
//!     }
//! }
//! assert_eq!(message, b"one\r\n.two\r\n");
//! ```

use bytes::{BufMut, BytesMut};
use memchr::{memchr_iter, memchr2, memmem};

const CR: u8 = b'\r';
const LF: u8 = b'\n';
const DOT: u8 = b'.';

/// The stretch of input that is inspected at once: in the first-level cache when it is then copied, and
/// no more than this is walked line by line because of one bare line end.
const BLOCK: usize = 16 * 1024;

/// Writes a message as the body of a multi-line response.
///
/// Where the input is cut never shows in the output, which is at most
/// [`MAX_GROWTH`](Self::MAX_GROWTH) times as long as the input, before [`finish`](Self::finish).
#[derive(Clone, Debug)]
pub struct Stuffer {
    at_line_start: bool,
    /// The last octet was a CR, already sent as CRLF: an LF that follows belongs to it.
    after_cr: bool,
    extent: Extent,
    octets: u64,
}

/// How much of the message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Still in the header; this many lines of the body are wanted behind it.
    Header {
        lines: u64,
    },
    /// In the body; this many lines are left, at least one.
    Body {
        left: u64,
    },
    Enough,
}

impl Extent {
    const fn body(left: u64) -> Self {
        if left == 0 {
            Self::Enough
        } else {
            Self::Body { left }
        }
    }
}

impl Stuffer {
    /// The most octets that [`stuff`](Self::stuff) writes for one octet of input.
    pub const MAX_GROWTH: usize = 2;

    /// The most octets that [`finish`](Self::finish) writes.
    pub const MAX_FINISH: usize = 5;

    /// For a whole message (RETR).
    pub const fn whole() -> Self {
        Self::new(Extent::Whole)
    }

    /// For the header, the blank line and the first `lines` lines of the body (TOP). A message without
    /// a blank line is all header and sent whole.
    pub const fn top(lines: u64) -> Self {
        Self::new(Extent::Header { lines })
    }

    const fn new(extent: Extent) -> Self {
        Self {
            at_line_start: true,
            after_cr: false,
            extent,
            octets: 0,
        }
    }

    /// Appends the next piece of the message to `out`. Says whether there is enough, so that no more of
    /// the message is needed; what comes all the same is ignored. Never true for a whole message.
    pub fn stuff(&mut self, input: &[u8], out: &mut BytesMut) -> bool {
        out.reserve(input.len());
        for block in input.chunks(BLOCK) {
            self.stuff_block(block, out);
        }
        self.extent == Extent::Enough
    }

    /// Ends the body: the CRLF that the last line may lack, and the terminating line.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if !self.at_line_start {
            self.end_line(out);
        }
        out.put_slice(b".\r\n");
        self.extent = Extent::Enough;
    }

    /// The octets sent so far as RFC 1939 section 11 counts them: with CRLF line ends, without
    /// stuffing and terminating line.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    fn stuff_block(&mut self, block: &[u8], out: &mut BytesMut) {
        if self.extent == Extent::Enough {
            return;
        }
        let mut text = block;
        if self.after_cr {
            text = text.strip_prefix(&[LF]).unwrap_or(text);
            self.after_cr = false;
        }
        let Some(head) = text.strip_suffix(&[CR]) else {
            self.stuff_text(text, out);
            return;
        };
        self.stuff_text(head, out);
        if self.extent != Extent::Enough {
            self.end_line(out);
            self.after_cr = true;
        }
    }

    /// `text` begins with no LF of a CRLF, and a CR at its end is a bare one.
    fn stuff_text(&mut self, text: &[u8], out: &mut BytesMut) {
        match self.extent {
            Extent::Whole if is_clean(text) => self.copy_clean(text, out),
            Extent::Body { left } if is_clean(text) => {
                let lines = memchr_iter(LF, text).count() as u64;
                if lines < left {
                    self.copy_clean(text, out);
                    self.extent = Extent::body(left - lines);
                    return;
                }
                // `left` is at most `lines`, a count of octets in a block
                let last = memchr_iter(LF, text).nth(left as usize - 1);
                self.copy_clean(last.map_or(text, |at| &text[..=at]), out);
                self.extent = Extent::Enough;
            }
            Extent::Whole | Extent::Header { .. } | Extent::Body { .. } => self.walk(text, out),
            Extent::Enough => {}
        }
    }

    /// Copies text whose line ends are all CRLF.
    fn copy_clean(&mut self, text: &[u8], out: &mut BytesMut) {
        let Some(last) = text.last() else { return };
        if self.at_line_start && text.first() == Some(&DOT) {
            out.put_u8(DOT);
        }
        let mut copied = 0;
        for at in memmem::find_iter(text, b"\n.") {
            out.put_slice(&text[copied..=at]);
            out.put_u8(DOT);
            copied = at + 1;
        }
        out.put_slice(&text[copied..]);
        self.octets += text.len() as u64;
        self.at_line_start = *last == LF;
    }

    /// Copies text line by line, whatever its line ends.
    fn walk(&mut self, text: &[u8], out: &mut BytesMut) {
        let mut rest = text;
        while self.extent != Extent::Enough {
            let Some(at) = memchr2(CR, LF, rest) else {
                self.copy_within_line(rest, out);
                return;
            };
            self.copy_within_line(&rest[..at], out);
            self.end_line(out);
            let end = if rest[at..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
            rest = &rest[at + end..];
        }
    }

    fn copy_within_line(&mut self, part: &[u8], out: &mut BytesMut) {
        let Some(first) = part.first() else { return };
        if self.at_line_start && *first == DOT {
            out.put_u8(DOT);
        }
        out.put_slice(part);
        self.octets += part.len() as u64;
        self.at_line_start = false;
    }

    fn end_line(&mut self, out: &mut BytesMut) {
        out.put_slice(b"\r\n");
        self.octets += 2;
        let blank = self.at_line_start;
        self.at_line_start = true;
        self.extent = match self.extent {
            Extent::Header { lines } if blank => Extent::body(lines),
            Extent::Body { left } => Extent::body(left - 1),
            Extent::Whole | Extent::Header { .. } | Extent::Enough => self.extent,
        };
    }
}

/// Whether every CR is followed by an LF and every LF follows a CR. Without an early exit, so that it
/// compiles to vector instructions.
fn is_clean(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first(), text.last()) else {
        return true;
    };
    let strays = text.iter().zip(&text[1..]).fold(0, |strays, (a, b)| {
        strays | u8::from((*a == CR) != (*b == LF))
    });
    *first != LF && *last != CR && strays == 0
}

/// Reads the body of a multi-line response back.
///
/// The terminating line is CRLF, dot, CRLF and nothing else (the first CRLF may be the line end of the
/// status line). A body that ends its lines otherwise never ends, and it is for the caller's deadline to
/// end the connection.
#[derive(Clone, Debug, Default)]
pub struct Unstuffer {
    place: Place,
}

/// What lies directly before the next octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A CRLF, or nothing.
    #[default]
    LineStart,
    /// A dot at the start of a line, not handed out: stuffing, or the terminating line.
    Dot,
    /// That dot and a CR, not handed out.
    DotCr,
    /// A CR, handed out.
    Cr,
    /// Anything else.
    Within,
    /// The terminating line.
    End,
}

/// What [`Unstuffer::unstuff`] made of the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Unstuffed<'a> {
    /// The octets of the input that are dealt with.
    pub consumed: usize,
    /// The octets of the message that came out of them; may be empty.
    pub bytes: &'a [u8],
    /// The terminating line is read: what follows in the input belongs to the next response.
    pub end: bool,
}

impl Unstuffer {
    /// At the start of a body, right after the status line.
    pub const fn new() -> Self {
        Self {
            place: Place::LineStart,
        }
    }

    /// Reads on. Call again with what is left of the input, until all is consumed or the body ended;
    /// every call before that consumes something or yields something. After the end it does neither.
    pub fn unstuff<'a>(&mut self, input: &'a [u8]) -> Unstuffed<'a> {
        let mut consumed = 0;
        loop {
            let Some(next) = input.get(consumed) else {
                return Unstuffed {
                    consumed,
                    bytes: &[],
                    end: self.place == Place::End,
                };
            };
            match (self.place, *next) {
                (Place::End, _) => {
                    return Unstuffed {
                        consumed,
                        bytes: &[],
                        end: true,
                    };
                }
                (Place::LineStart, DOT) => self.place = Place::Dot,
                (Place::Dot, CR) => self.place = Place::DotCr,
                (Place::DotCr, LF) => self.place = Place::End,
                (Place::DotCr, _) => {
                    self.place = Place::Cr;
                    return Unstuffed {
                        consumed,
                        bytes: b"\r",
                        end: false,
                    };
                }
                (Place::LineStart | Place::Dot | Place::Cr | Place::Within, _) => {
                    let bytes = self.take_text(&input[consumed..]);
                    return Unstuffed {
                        consumed: consumed + bytes.len(),
                        bytes,
                        end: false,
                    };
                }
            }
            consumed += 1;
        }
    }

    /// Takes what is plainly text: up to the next dot at the start of a line. `input` is not empty and
    /// does not begin with such a dot.
    fn take_text<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let text = if self.place == Place::Cr && input.starts_with(b"\n.") {
            &input[..1]
        } else {
            memmem::find(input, b"\r\n.").map_or(input, |at| &input[..at + 2])
        };
        self.place = match text {
            [LF] if self.place == Place::Cr => Place::LineStart,
            [.., CR, LF] => Place::LineStart,
            [.., CR] => Place::Cr,
            _ => Place::Within,
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The fast way is taken where it can be, and nowhere else.
        #[test]
        fn clean_is_what_has_crlf_alone(
            text in proptest::collection::vec(proptest::sample::select(&b"\r\na.\0"[..]), 0..8),
            crlf in any::<bool>(),
        ) {
            let text = alloc::string::String::from_utf8_lossy(&text);
            let text = if crlf { text.replace(['\r', '\n'], "\r\n") } else { text.into_owned() };
            let strays = text.replace("\r\n", "").contains(['\r', '\n']);
            prop_assert_eq!(is_clean(text.as_bytes()), !strays);
        }
    }
}
