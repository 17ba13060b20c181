//! Byte-stuffing of multi-line responses (RFC 1939 section 3), both ways.
//!
//! [`Stuffer`] turns a stored message, in pieces cut anywhere, into the body of a response: a bare LF
//! becomes CRLF, a dot at the start of a line is doubled, and the terminating line follows. Everything else
//! passes unchanged. It can stop where TOP wants it to. [`Unstuffer`] is the way back.
//!
//! What is a line end differs on purpose:
//!
//! * A store may hold anything, so the stuffer takes CRLF and a bare LF as line ends, and sends CRLF for
//!   each. A bare CR is an octet of the message like any other, as it is to other servers: it starts no
//!   line, the size counts it as one, and signatures over the message stay true.
//! * A client can rely on this: CRLF, dot, CRLF comes at the end and nowhere else, and no LF comes without
//!   its CR. So it does not matter whether a client ends lines at CRLF or at LF alone: no dot hides after
//!   either. A client that ends lines at a bare CR does not read as RFC 1939 section 3 says: it can see a
//!   dot alone on a line within a message that has CR, dot, CR, and no server can prevent that and pass
//!   the message on unchanged.
//! * On the wire only CRLF ends a line. To the unstuffer a bare LF or CR is part of the message, and
//!   only CRLF, dot, CRLF ends a body: a server that does not stuff after a bare LF must not be able to
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
use memchr::{memchr, memchr_iter, memmem};

const CR: u8 = b'\r';
const LF: u8 = b'\n';
const DOT: u8 = b'.';

/// How much input is inspected at once: it is still in the first-level cache when it is copied, and one
/// bare line end makes no more than this go line by line.
const BLOCK: usize = 16 * 1024;

/// Writes a message as the body of a multi-line response.
///
/// The output does not depend on where the input is cut. Before [`finish`](Self::finish) it is
/// at most [`MAX_GROWTH`](Self::MAX_GROWTH) times as long as the input.
#[derive(Clone, Debug)]
pub struct Stuffer {
    before: Before,
    extent: Extent,
    octets: u64,
}

/// What comes directly before the next octet of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// A line end, or nothing.
    LineEnd,
    /// A CR that begins its line: with an LF after it the line is blank.
    CrAtStart,
    /// A CR within its line.
    Cr,
    /// Anything else.
    Text,
}

/// How much of the message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Still in the header; this many lines of the body are wanted after it.
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
            before: Before::LineEnd,
            extent,
            octets: 0,
        }
    }

    /// Appends the next piece of the message to `out`. Returns whether that is enough; further pieces
    /// are then ignored. Never true for a whole message.
    pub fn stuff(&mut self, input: &[u8], out: &mut BytesMut) -> bool {
        out.reserve(input.len());
        for block in input.chunks(BLOCK) {
            self.stuff_block(block, out);
        }
        self.extent == Extent::Enough
    }

    /// Ends the body: the CRLF that the last line may lack, and the terminating line.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if self.before != Before::LineEnd {
            out.put_slice(b"\r\n");
            self.octets += 2;
            self.before = Before::LineEnd;
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
        let mut text = block;
        if let (Before::CrAtStart | Before::Cr, Some(rest)) =
            (self.before, text.strip_prefix(&[LF]))
            && self.extent != Extent::Enough
        {
            self.end_line(out);
            text = rest;
        }
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

    /// Copies text in which a CR stands before each LF.
    fn copy_clean(&mut self, text: &[u8], out: &mut BytesMut) {
        if self.before == Before::LineEnd && text.first() == Some(&DOT) {
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
        self.before = self.before.after(text);
    }

    /// Copies text line by line, whatever its line ends.
    fn walk(&mut self, text: &[u8], out: &mut BytesMut) {
        let mut rest = text;
        while self.extent != Extent::Enough {
            let Some(at) = memchr(LF, rest) else {
                self.copy_within_line(rest, out);
                return;
            };
            self.copy_within_line(&rest[..at], out);
            self.end_line(out);
            rest = &rest[at + 1..];
        }
    }

    fn copy_within_line(&mut self, part: &[u8], out: &mut BytesMut) {
        if self.before == Before::LineEnd && part.first() == Some(&DOT) {
            out.put_u8(DOT);
        }
        out.put_slice(part);
        self.octets += part.len() as u64;
        self.before = self.before.after(part);
    }

    /// Takes an LF: it ends the line, together with a CR before it.
    fn end_line(&mut self, out: &mut BytesMut) {
        let has_cr = matches!(self.before, Before::CrAtStart | Before::Cr);
        let end: &[u8] = if has_cr { b"\n" } else { b"\r\n" };
        out.put_slice(end);
        self.octets += end.len() as u64;
        let blank = matches!(self.before, Before::LineEnd | Before::CrAtStart);
        self.before = Before::LineEnd;
        self.extent = match self.extent {
            Extent::Header { lines } if blank => Extent::body(lines),
            Extent::Body { left } => Extent::body(left - 1),
            Extent::Whole | Extent::Header { .. } | Extent::Enough => self.extent,
        };
    }
}

impl Before {
    /// What lies before the octet that follows this text.
    fn after(self, text: &[u8]) -> Self {
        match text {
            [] => self,
            [.., LF] => Self::LineEnd,
            [CR] if self == Self::LineEnd => Self::CrAtStart,
            [.., LF, CR] => Self::CrAtStart,
            [.., CR] => Self::Cr,
            [..] => Self::Text,
        }
    }
}

/// Whether a CR stands before every LF. Without an early exit, so that it compiles to vector instructions.
fn is_clean(text: &[u8]) -> bool {
    let Some(rest) = text.get(1..) else {
        return true;
    };
    let strays = text.iter().zip(rest).fold(0, |strays, (a, b)| {
        strays | u8::from(*b == LF) & u8::from(*a != CR)
    });
    text.first() != Some(&LF) && strays == 0
}

/// Reads the body of a multi-line response back.
///
/// The terminating line is CRLF, dot, CRLF and nothing else (the first CRLF may be the line end of the
/// status line). A body with other line ends never ends, and the caller's deadline has to end the
/// connection.
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
    /// How many octets of the input were taken.
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

    /// Reads on. Call again with the rest of the input until all of it is consumed or the body has
    /// ended. Every call before that consumes something or yields something, and none after the end
    /// does.
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

    /// Takes plain text: up to the next dot at the start of a line. `input` is not empty and does not
    /// begin with such a dot.
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
        /// The fast way is taken exactly where it is possible.
        #[test]
        fn clean_is_what_has_no_bare_lf(
            text in proptest::collection::vec(proptest::sample::select(&b"\r\na.\0"[..]), 0..8),
            crlf in any::<bool>(),
        ) {
            let text = alloc::string::String::from_utf8_lossy(&text);
            let text = if crlf { text.replace('\n', "\r\n") } else { text.into_owned() };
            let strays = text.replace("\r\n", "").contains('\n');
            prop_assert_eq!(is_clean(text.as_bytes()), !strays);
        }
    }
}
