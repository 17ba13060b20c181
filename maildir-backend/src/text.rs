//! Texts: which encoding a file is in, and a mail around it.
//!
//! Owns the guess at the encoding, the way to UTF-8, and the header of a wrapped text, which is the one that
//! POP3SF writes. All of it in little memory, whatever the size of the file. Never looks at names.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use pop3_proto::date;

use crate::stamp::Stamp;

/// How much is read at once.
const PIECE: usize = 8 * 1024;

/// Octets that become one line of base64.
const LINE: usize = 57;

/// The encoding of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// UTF-8; other octets are read as Windows-1252, one by one.
    Utf8,
    /// The same, with a mark in front.
    MarkedUtf8,
    Utf16Le,
    Utf16Be,
}

/// The encoding that the first octets of a file show, by a mark or by the zeros of UTF-16, if they do.
pub(crate) fn look(head: &[u8]) -> Option<Charset> {
    match head {
        [0xef, 0xbb, 0xbf, ..] => return Some(Charset::MarkedUtf8),
        [0xff, 0xfe, ..] => return Some(Charset::Utf16Le),
        [0xfe, 0xff, ..] => return Some(Charset::Utf16Be),
        _ => {}
    }
    // a file that begins with octets of a text or a header is one, whatever zeros come later: UTF-16 has a zero or
    // control octets among its first letters
    let before = head.iter().position(|octet| *octet == 0)?;
    let readable = |octet: &u8| matches!(octet, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    if before > 1 && head[..before].iter().all(readable) {
        return None;
    }
    let encodings = [Charset::Utf16Le, Charset::Utf16Be];
    encodings
        .into_iter()
        .find(|charset| is_utf16(head, *charset))
}

/// Whether these are characters of UTF-16 without a mark: no other mail or text has a zero.
fn is_utf16(head: &[u8], charset: Charset) -> bool {
    let (pairs, odd) = head.as_chunks::<2>();
    if !odd.is_empty() {
        return false;
    }
    let unit = |pair: &[u8; 2]| match charset {
        Charset::Utf16Le => u16::from_le_bytes(*pair),
        Charset::Utf16Be | Charset::Utf8 | Charset::MarkedUtf8 => u16::from_be_bytes(*pair),
    };
    // the second half of the last character may come later
    let cut = pairs
        .last()
        .is_some_and(|pair| (0xd800..0xdc00).contains(&unit(pair)));
    let pairs = &pairs[..pairs.len() - usize::from(cut)];
    let blank = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    let text = |c: char| blank(c) || !c.is_control();
    if !char::decode_utf16(pairs.iter().map(unit)).all(|c| c.is_ok_and(text)) {
        return false;
    }
    // Latin letters have a zero each. Others have one in each blank, and a high octet that is a control character
    let zeros = pairs.iter().filter(|pair| unit(pair) < 0x100).count();
    let controls = head
        .iter()
        .any(|octet| *octet != 0 && octet.is_ascii_control() && !blank(char::from(*octet)));
    zeros * 2 >= pairs.len() || controls && zeros * 10 >= pairs.len()
}

/// Whether a text begins with a header field: printable characters, a colon.
pub(crate) fn is_mail(head: &[u8]) -> bool {
    let length = head.iter().position(|octet| *octet == b':');
    length.is_some_and(|length| length > 0 && head[..length].iter().all(u8::is_ascii_graphic))
}

/// The octets of a mail that is in another encoding, or marked: in UTF-8 and without the mark.
pub(crate) fn decoded<'a>(charset: Charset, file: impl Read + Send + 'a) -> impl Read + Send + 'a {
    let decoding = match charset {
        // octets in a mail that are not UTF-8 are left as they are
        Charset::Utf8 | Charset::MarkedUtf8 => Decoding::Unmarked,
        Charset::Utf16Le | Charset::Utf16Be => Decoding::of(charset),
    };
    Decoded::new(file, decoding)
}

/// A mail around a text, as POP3SF makes it. `mark` is unique to the file.
pub(crate) fn wrapped<'a>(
    charset: Charset,
    file: impl Read + Send + 'a,
    stamp: Stamp,
    mark: &str,
) -> impl Read + Send + 'a {
    let short = mark.get(..8).unwrap_or(mark);
    let head = format!(
        "Content-Type: text/plain; charset=\"utf-8\"\r\n\
         MIME-Version: 1.0\r\n\
         Content-Transfer-Encoding: base64\r\n\
         Date: {}\r\n\
         From: nobody <nobody@localhost>\r\n\
         To: nobody <nobody@localhost>\r\n\
         Subject: Plaintext file {short}\r\n\
         Message-ID: <{mark}@localhost>\r\n\
         X-Mailer: POP3SF-Plaintext-Wrapper\r\n\
         \r\n",
        date::rfc5322(stamp.changed.0)
    );
    let lines = Lines {
        text: Decoded::new(file, Decoding::of(charset)),
        piece: vec![0; PIECE],
        last: 0,
        waiting: Vec::new(),
        ready: Vec::new(),
        at: 0,
        done: false,
    };
    io::Cursor::new(head).chain(lines)
}

/// The way to UTF-8.
enum Decoding {
    /// None, except that a mark is removed.
    Unmarked,
    /// The input is UTF-8 or Windows-1252.
    Lenient,
    Utf16(Box<Decoder>),
}

impl Decoding {
    fn of(charset: Charset) -> Self {
        let decoder = |encoding: &'static encoding_rs::Encoding| {
            Self::Utf16(Box::new(encoding.new_decoder_with_bom_removal()))
        };
        match charset {
            Charset::Utf8 | Charset::MarkedUtf8 => Self::Lenient,
            Charset::Utf16Le => decoder(UTF_16LE),
            Charset::Utf16Be => decoder(UTF_16BE),
        }
    }

    /// Takes octets; those of an incomplete character stay in `octets`.
    fn decode(&mut self, octets: &mut Vec<u8>, last: bool, out: &mut Vec<u8>) {
        match self {
            Self::Unmarked => out.append(octets),
            Self::Lenient => {
                let whole = lenient(octets, last, out);
                octets.drain(..whole);
            }
            Self::Utf16(decoder) => {
                let room = decoder.max_utf8_buffer_length(octets.len());
                let start = out.len();
                out.resize(start + room.unwrap_or_default(), 0);
                let (_, _, written, _) = decoder.decode_to_utf8(octets, &mut out[start..], last);
                out.truncate(start + written);
                octets.clear();
            }
        }
    }
}

/// How many octets were taken: all but the beginning of a character at the end.
fn lenient(octets: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
        let Err(error) = str::from_utf8(rest) else {
            out.extend_from_slice(rest);
            return octets.len();
        };
        let (valid, odd) = rest.split_at(error.valid_up_to());
        out.extend_from_slice(valid);
        at += valid.len();
        let odd = match error.error_len() {
            Some(length) => &odd[..length],
            None if last => odd,
            None => return at,
        };
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(odd);
        out.extend_from_slice(text.as_bytes());
        at += odd.len();
    }
    at
}

/// A file in UTF-8.
struct Decoded<R> {
    file: R,
    decoding: Decoding,
    /// A mark in front is yet to be looked for.
    start: bool,
    octets: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
    done: bool,
}

impl<R: Read> Decoded<R> {
    fn new(file: R, decoding: Decoding) -> Self {
        Self {
            file,
            decoding,
            start: true,
            octets: Vec::new(),
            ready: Vec::new(),
            at: 0,
            done: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        let n = read_some(&mut self.file, &mut self.octets)?;
        self.done = n == 0;
        if self.start {
            // a mark is known when it is there as a whole
            if self.octets.len() < 3 && !self.done {
                return Ok(());
            }
            self.start = false;
            let marked = !matches!(self.decoding, Decoding::Utf16(_))
                && self.octets.starts_with(b"\xef\xbb\xbf");
            if marked {
                self.octets.drain(..3);
            }
        }
        self.decoding
            .decode(&mut self.octets, self.done, &mut self.ready);
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.at == self.ready.len() && !self.done {
            self.fill()?;
        }
        Ok(take(&self.ready, &mut self.at, buf))
    }
}

/// A text in lines of base64, its line ends as CRLF.
struct Lines<R> {
    text: Decoded<R>,
    piece: Vec<u8>,
    last: u8,
    /// The line that is not complete yet.
    waiting: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
    done: bool,
}

impl<R: Read> Lines<R> {
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        let n = self.text.read(&mut self.piece)?;
        self.done = n == 0;
        for octet in &self.piece[..n] {
            match (self.last, octet) {
                (b'\r', b'\n') => {}
                (_, b'\r' | b'\n') => self.waiting.extend_from_slice(b"\r\n"),
                (_, other) => self.waiting.push(*other),
            }
            self.last = *octet;
        }
        let whole = match self.done {
            true => self.waiting.len(),
            false => self.waiting.len() / LINE * LINE,
        };
        for line in self.waiting[..whole].chunks(LINE) {
            self.ready
                .extend_from_slice(STANDARD.encode(line).as_bytes());
            self.ready.extend_from_slice(b"\r\n");
        }
        self.waiting.drain(..whole);
        Ok(())
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.at == self.ready.len() && !self.done {
            self.fill()?;
        }
        Ok(take(&self.ready, &mut self.at, buf))
    }
}

fn read_some(file: &mut impl Read, octets: &mut Vec<u8>) -> io::Result<usize> {
    let start = octets.len();
    octets.resize(start + PIECE, 0);
    loop {
        match file.read(&mut octets[start..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                octets.truncate(start);
                return Err(error);
            }
            Ok(n) => {
                octets.truncate(start + n);
                return Ok(n);
            }
        }
    }
}

fn take(ready: &[u8], at: &mut usize, buf: &mut [u8]) -> usize {
    let rest = ready.get(*at..).unwrap_or_default();
    let n = rest.len().min(buf.len());
    buf[..n].copy_from_slice(&rest[..n]);
    *at += n;
    n
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// One octet at a time, with an interruption before each.
    pub(crate) struct Stutters(Vec<u8>, bool);

    impl Read for Stutters {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let n = self.0.len().min(1);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    /// A disk that fails.
    pub(crate) struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }

    /// What is read, which is never interrupted.
    fn all(mut file: impl Read) -> Vec<u8> {
        let (mut octets, mut piece) = (Vec::new(), [0; 7]);
        while let n @ 1.. = file.read(&mut piece).unwrap() {
            octets.extend_from_slice(&piece[..n]);
        }
        octets
    }

    #[test]
    fn a_disk_that_fails_is_an_error() {
        let stamp = Stamp::default();
        assert!(decoded(Charset::MarkedUtf8, Broken).read(&mut [0]).is_err());
        let mut mail = Vec::new();
        let mut wrapped = wrapped(Charset::Utf8, Broken, stamp, "mark");
        assert!(wrapped.read_to_end(&mut mail).is_err());
    }

    impl Stutters {
        pub(crate) fn new(octets: &[u8]) -> Self {
            Self(octets.to_vec(), false)
        }
    }

    #[test]
    fn a_mark_is_known_when_all_of_it_is_there() {
        for (octets, expected) in [
            (&b"\xef\xbb\xbfSubject: x"[..], &b"Subject: x"[..]),
            (b"\xef\xbb\xbf", b""),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"a", b"a"),
        ] {
            let decoded = decoded(Charset::MarkedUtf8, Stutters::new(octets));
            assert_eq!(all(decoded), expected);
        }
    }

    #[test]
    fn a_text_may_come_in_any_pieces() {
        let text = "Gr\u{fc}\u{df}e\n".repeat(40);
        let stamp = Stamp::default();
        let whole = all(wrapped(Charset::Utf8, text.as_bytes(), stamp, "mark"));
        let pieces = Stutters::new(text.as_bytes());
        assert_eq!(all(wrapped(Charset::Utf8, pieces, stamp, "mark")), whole);
    }
}
