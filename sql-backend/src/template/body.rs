//! A text as the body of a message: lines that every mail program takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An encoded text, with CRLF line ends, and its labels.
pub(super) struct Encoded {
    pub(super) text: Vec<u8>,
    pub(super) charset: &'static str,
    pub(super) encoding: &'static str,
}

/// RFC 5322's limit for a line, without CRLF.
const MAX_LINE: usize = 998;

/// RFC 2045's limit for an encoded line.
const ENCODED_LINE: usize = 76;

pub(super) fn encode(text: &[u8]) -> Encoded {
    let lines = lines(text);
    let ascii = text.is_ascii();
    let charset = if ascii {
        "us-ascii"
    } else if std::str::from_utf8(text).is_ok() {
        "utf-8"
    } else {
        "iso-8859-1"
    };
    let safe = !text.contains(&0) && lines.iter().all(|line| line.len() <= MAX_LINE);
    let strange = text
        .iter()
        .filter(|octet| !matches!(octet, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
        .count();
    let (encoding, text) = if safe {
        let encoding = if ascii { "7bit" } else { "8bit" };
        (encoding, joined(&lines))
    } else if strange > text.len() / 6 {
        ("base64", base64(&joined(&lines)))
    } else {
        ("quoted-printable", quoted_printable(&lines))
    };
    Encoded {
        text,
        charset,
        encoding,
    }
}

/// The lines, whatever ends them. No line follows the last line end.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        let Some(end) = end else {
            lines.push(rest);
            break;
        };
        lines.push(&rest[..end]);
        let ending = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + ending..];
    }
    lines
}

fn joined(lines: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.iter().map(|line| line.len() + 2).sum());
    for line in lines {
        text.extend_from_slice(line);
        text.extend_from_slice(b"\r\n");
    }
    text
}

fn base64(text: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(text).into_bytes();
    joined(&encoded.chunks(ENCODED_LINE).collect::<Vec<_>>())
}

fn quoted_printable(lines: &[&[u8]]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = Vec::new();
    for line in lines {
        let mut column = 0;
        for (at, &octet) in line.iter().enumerate() {
            let last = at + 1 == line.len();
            let plain = match octet {
                b' ' | b'\t' => !last,
                b'=' => false,
                octet => octet.is_ascii_graphic(),
            };
            let width = if plain { 1 } else { 3 };
            if column + width > ENCODED_LINE - 1 {
                text.extend_from_slice(b"=\r\n");
                column = 0;
            }
            if plain {
                text.push(octet);
            } else {
                let digit = |nibble: u8| HEX[usize::from(nibble & 15)];
                text.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet)]);
            }
            column += width;
        }
        text.extend_from_slice(b"\r\n");
    }
    text
}
