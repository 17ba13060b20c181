//! Content-Transfer-Encoding (RFC 2045 section 6). It owns the decoding of base64 and quoted-printable as
//! they come, not as they should be: foreign octets, missing padding, footers that were added to it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    None,
    Base64,
    QuotedPrintable,
    Uuencode,
}

/// A body, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) octets: Vec<u8>,
    /// Lines between the base64 that are something else: a list or a scanner added them.
    pub(super) beside: Vec<u8>,
}

impl Encoding {
    /// From the field's value. Comments, quotes and what follows mean nothing.
    pub(super) fn parse(field: &[u8]) -> Self {
        let comment = field.iter().position(|octet| *octet == b'(');
        let token: Vec<u8> = match comment {
            Some(0) => {
                let end = field.iter().position(|octet| *octet == b')');
                &field[end.map_or(field.len(), |end| end + 1)..]
            }
            Some(start) => &field[..start],
            None => field,
        }
        .trim_ascii()
        .split(|octet| matches!(octet, b' ' | b'\t' | b';' | b','))
        .next()
        .unwrap_or_default()
        .iter()
        .filter(|octet| octet.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
        match token.as_slice() {
            b"base64" | b"xbase64" | b"b64" | b"b" => Self::Base64,
            b"quotedprintable" | b"xquotedprintable" | b"qp" | b"quoted" => Self::QuotedPrintable,
            b"uuencode" | b"xuuencode" | b"uue" | b"xuue" => Self::Uuencode,
            _ => Self::None,
        }
    }

    /// The content of a body.
    pub(super) fn decode(self, body: &[u8]) -> Decoded {
        match self {
            Self::Base64 => base64(body),
            Self::QuotedPrintable => Decoded {
                octets: quoted(body),
                beside: Vec::new(),
            },
            // a text that contains a file: it is taken out where texts are shown
            Self::None | Self::Uuencode => Decoded {
                octets: body.to_vec(),
                beside: Vec::new(),
            },
        }
    }
}

const fn in_alphabet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=')
}

/// Lines are base64 or something else; octets foreign to it in a line of it are left out
/// (RFC 2045 section 6.8).
fn base64(body: &[u8]) -> Decoded {
    let mut data = Vec::with_capacity(body.len());
    let mut beside = Vec::new();
    let (mut blank, mut ended) = (false, false);
    for line in body.split(|octet| *octet == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            blank = true;
            continue;
        }
        // after an empty line, or one that was none, there is no more tolerance
        let doubtful = blank && !data.is_empty();
        if is_base64(line, doubtful, doubtful && ended) {
            ended = line.contains(&b'=');
            blank = false;
            data.extend(line.iter().filter_map(|octet| match octet {
                b'-' => Some(b'+'),
                b'_' => Some(b'/'),
                octet => in_alphabet(*octet).then_some(*octet),
            }));
        } else {
            // what follows it is, most likely, more of it
            blank = true;
            beside.extend_from_slice(line);
            beside.push(b'\n');
        }
    }
    if beside.len() > data.len() && !data.len().is_multiple_of(4) {
        // it says that it is base64, but it is not
        return Decoded {
            octets: body.to_vec(),
            beside: Vec::new(),
        };
    }
    Decoded {
        octets: groups(&data),
        beside,
    }
}

/// Whether a line is base64. `strict`: nothing foreign in it. `whole`: nothing but whole groups.
fn is_base64(line: &[u8], strict: bool, whole: bool) -> bool {
    let foreign = line
        .iter()
        .filter(|octet| !in_alphabet(**octet) && !octet.is_ascii_whitespace())
        .count();
    let url_safe = line
        .iter()
        .filter(|octet| matches!(octet, b'-' | b'_'))
        .count();
    let gaps = line
        .iter()
        .filter(|octet| octet.is_ascii_whitespace())
        .count();
    if line.starts_with(b"--") || line.starts_with(b"__") {
        return false;
    }
    if strict || whole {
        return foreign == 0 && gaps == 0 && (!whole || line.len().is_multiple_of(4));
    }
    let groups = || {
        line.split(u8::is_ascii_whitespace)
            .all(|word| word.len().is_multiple_of(4))
    };
    if gaps > 0 && !groups() && gaps + foreign > 1 {
        return false;
    }
    if gaps > 0 && foreign == 0 {
        return groups();
    }
    foreign == url_safe || foreign + gaps <= (line.len() / 8).max(1)
}

/// What base64 between paddings says; a last group may be cut.
fn groups(data: &[u8]) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&STANDARD, config);
    let mut octets = Vec::with_capacity(data.len() / 4 * 3);
    for run in data.split(|octet| *octet == b'=') {
        // one octet of six bits is none
        let whole = if run.len() % 4 == 1 {
            run.len() - 1
        } else {
            run.len()
        };
        // every octet is of the alphabet, so this cannot fail
        let _ = engine.decode_vec(&run[..whole], &mut octets);
    }
    octets
}

/// Base64 in a header field: there is nothing beside it.
pub(super) fn base64_word(text: &[u8]) -> Vec<u8> {
    let data: Vec<u8> = text
        .iter()
        .copied()
        .filter(|octet| in_alphabet(*octet))
        .collect();
    groups(&data)
}

/// Quoted-printable. Anything but an escape stands for itself (RFC 2045 section 6.7).
pub(super) fn quoted(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let content = line.trim_ascii_end();
        let ends = line.ends_with(b"\n");
        let (content, soft) = match content {
            // a space before the line's end was added on the way; one in a header field was not
            [before @ .., b'='] => (before, true),
            _ if ends => (content, false),
            _ => (line, false),
        };
        let mut rest = content;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after) {
                (b'=', [high, low, left @ ..]) if both_hex(*high, *low) => {
                    octets.push(hex(*high) << 4 | hex(*low));
                    rest = left;
                }
                (_, _) => octets.push(octet),
            }
        }
        if ends && !soft {
            octets.extend_from_slice(if line.ends_with(b"\r\n") {
                b"\r\n"
            } else {
                b"\n"
            });
        }
    }
    octets
}

const fn both_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

/// The value of a hexadecimal digit.
pub(super) const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> String {
        let decoded = Encoding::Base64.decode(body.as_bytes());
        String::from_utf8_lossy(&decoded.octets).into_owned()
            + "|"
            + &String::from_utf8_lossy(&decoded.beside)
    }

    #[test]
    fn w074_base64_as_it_comes() {
        let table = [
            ("S8O2bG4gYW0gUmhlaW4=", "Köln am Rhein|"),
            ("S8O2bG4gYW0gUmhlaW4", "Köln am Rhein|"),
            ("S8O2bG4gYW0gUmhlaW4==\r\n", "Köln am Rhein|"),
            ("S8O2bG4g\r\nYW0gUmhl\r\naW4=\r\n", "Köln am Rhein|"),
            ("S8O2!bG4gYW0gUmhlaW4=", "Köln am Rhein|"),
            ("S8O2bG4gYW0gUmhlaW4\u{e9}=", "Köln am Rhein|"),
            ("S8O2 bG4g YW0g UmhlaW4=", "Köln am Rhein|"),
            ("S8O2bG4=IGFtIFJoZWlu", "Köln am Rhein|"),
            ("S8O2bG4=\r\nIGFtIFJoZWlu\r\n", "Köln am Rhein|"),
            ("\r\n\r\nS8O2bG4gYW0gUmhlaW4=\r\n\r\n", "Köln am Rhein|"),
            ("S8O2bG4gYW0g\r\n\r\nUmhlaW4=\r\n", "Köln am Rhein|"),
            (
                "S8O2bG4gYW0gUmhlaW4=\r\n\r\n-- \r\nThe list\r\n",
                "Köln am Rhein|--\nThe list\n",
            ),
            (
                "S8O2bG4gYW0gUmhlaW4=\r\n____________\r\nlist mailing list\r\nlist@x.org\r\n",
                "Köln am Rhein|____________\nlist mailing list\nlist@x.org\n",
            ),
            (
                "S8O2bG4gYW0gUmhlaW4=\r\n\r\nRegards\r\n",
                "Köln am Rhein|Regards\n",
            ),
            (
                "[EXTERNAL] take care.\r\n\r\nS8O2bG4gYW0gUmhlaW4=\r\n",
                "Köln am Rhein|[EXTERNAL] take care.\n",
            ),
            ("_-8-Pz8_", "\u{fffd}\u{fffd}>???|"),
            (
                "This is no base64 at all.\r\nHello\r\n",
                "This is no base64 at all.\r\nHello\r\n|",
            ),
            ("", "|"),
        ];
        for (body, expected) in table {
            assert_eq!(of(body), expected, "{body:?}");
        }
    }

    #[test]
    fn w074_the_field_may_say_more() {
        for field in [
            "base64",
            "BASE64",
            " Base64 ",
            "\"base64\"",
            "base64 (RFC 2045)",
            "(x) base64",
            "base64;",
            "base-64",
            "'base64'",
            "base64, x",
        ] {
            assert_eq!(
                Encoding::parse(field.as_bytes()),
                Encoding::Base64,
                "{field}"
            );
        }
        for field in [
            "quoted-printable",
            "Quoted-Printable;",
            "\"quoted-printable\"",
            "quoted_printable",
            "quoted-printable (x)",
        ] {
            assert_eq!(
                Encoding::parse(field.as_bytes()),
                Encoding::QuotedPrintable,
                "{field}"
            );
        }
        for field in ["7bit", "8bit", "binary", "", "nonsense", "("] {
            assert_eq!(Encoding::parse(field.as_bytes()), Encoding::None, "{field}");
        }
    }

    #[test]
    fn quoted_printable_as_it_comes() {
        assert_eq!(
            quoted(b"a=\r\nb=  \r\nc  \r\n=c3=BC=Z=3"),
            "abc\r\nü=Z=3".as_bytes()
        );
        assert_eq!(quoted(b"end="), b"end");
    }
}
