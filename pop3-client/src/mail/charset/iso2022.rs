//! ISO 2022 as mail uses it: ISO-2022-JP and its successors (RFC 1468, 1554, 2237), -KR (RFC 1557), -CN
//! (RFC 1922), and HZ (RFC 1843). It owns the shifting; the tables are those of the charsets' EUC forms.

use encoding_rs::{EUC_JP, EUC_KR, Encoding, GB18030, ISO_8859_7};

/// What two or one octets mean just now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Ascii,
    Katakana,
    Jis,
    JisMore,
    Chinese,
    Korean,
    Unknown,
}

impl Set {
    /// From the letter that ends a designation of two octets.
    const fn wide(letter: u8) -> Self {
        match letter {
            b'@' | b'B' | b'O' | b'Q' => Self::Jis,
            b'D' => Self::JisMore,
            b'A' | b'E' => Self::Chinese,
            b'C' => Self::Korean,
            _ => Self::Unknown,
        }
    }

    const fn narrow(letter: u8) -> Self {
        match letter {
            b'I' => Self::Katakana,
            _ => Self::Ascii,
        }
    }

    /// Two octets of 7 bits.
    fn push(self, pair: [u8; 2], text: &mut String) {
        let [first, second] = pair.map(|octet| octet | 0x80);
        let (encoding, octets): (&'static Encoding, &[u8]) = match self {
            Self::Jis => (EUC_JP, &[first, second]),
            Self::JisMore => (EUC_JP, &[0x8F, first, second]),
            Self::Chinese => (GB18030, &[first, second]),
            Self::Korean => (EUC_KR, &[first, second]),
            Self::Ascii | Self::Katakana | Self::Unknown => {
                return text.push(char::REPLACEMENT_CHARACTER);
            }
        };
        text.push_str(&encoding.decode_without_bom_handling(octets).0);
    }
}

/// Whether a designation of it stands in these octets.
pub(super) fn announced(octets: &[u8]) -> bool {
    let designation = |three: &[u8]| {
        matches!(
            three,
            [0x1B, b'$', b'@' | b'A' | b'B' | b'(' | b')'] | [0x1B, b'(', b'I' | b'J']
        )
    };
    octets.windows(3).any(designation)
}

pub(super) fn decode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    // what stands in G0 and G1, which of them is meant, and the upper set that one character may come from
    let (mut g0, mut g1, mut g2) = (Set::Ascii, Set::Korean, None);
    let mut shifted = false;
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (0x1B, [b'$', b')' | b'*', letter, left @ ..]) => {
                (g1, rest) = (Set::wide(*letter), left)
            }
            (0x1B, [b'$', b'(', letter, left @ ..]) | (0x1B, [b'$', letter, left @ ..]) => {
                (g0, rest) = (Set::wide(*letter), left);
            }
            (0x1B, [b'(', letter, left @ ..]) => (g0, rest) = (Set::narrow(*letter), left),
            (0x1B, [b'.', letter, left @ ..]) => (g2, rest) = (Some(*letter), left),
            (0x1B, [b'&', _, left @ ..]) => rest = left,
            (0x1B, [b'N', one, left @ ..]) => {
                text.push_str(&upper(g2, *one));
                rest = left;
            }
            (0x0E, _) => shifted = true,
            (0x0F, _) => shifted = false,
            (b'\n', _) => {
                // each line begins anew, but for -KR's one designation
                (g0, shifted) = (Set::Ascii, false);
                text.push('\n');
            }
            (0x21..=0x7E, _) => match (if shifted { g1 } else { g0 }, after) {
                (Set::Ascii, _) => text.push(char::from(octet)),
                (Set::Katakana, _) => text.push(katakana(octet)),
                (set, [second @ 0x21..=0x7E, left @ ..]) => {
                    set.push([octet, *second], &mut text);
                    rest = left;
                }
                (_, _) => text.push(char::REPLACEMENT_CHARACTER),
            },
            // 8-bit octets among it: EUC-KR where that was announced, else half-width Katakana
            (0xA1..=0xFE, [second @ 0xA1..=0xFE, left @ ..]) if g1 == Set::Korean && shifted => {
                Set::Korean.push([octet & 0x7F, *second & 0x7F], &mut text);
                rest = left;
            }
            (0xA1..=0xDF, _) => text.push(katakana(octet & 0x7F)),
            (0x80.., _) => text.push(char::REPLACEMENT_CHARACTER),
            (0..=0x20 | 0x7F, _) => text.push(char::from(octet)),
        }
    }
    text
}

/// JIS X 0201, the half-width Katakana.
fn katakana(octet: u8) -> char {
    match octet {
        0x21..=0x5F => {
            char::from_u32(0xFF40 + u32::from(octet)).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// A character of the upper half of ISO 8859-1 or -7 (RFC 1554).
fn upper(set: Option<u8>, octet: u8) -> String {
    let octet = octet | 0x80;
    match set {
        Some(b'A') => char::from(octet).into(),
        Some(b'F') => ISO_8859_7.decode_without_bom_handling(&[octet]).0.into(),
        Some(_) | None => char::REPLACEMENT_CHARACTER.into(),
    }
}

/// RFC 1843: `~{` begins Chinese, `~}` ends it.
pub(super) fn decode_hz(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut chinese = false;
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'~', [b'{', left @ ..]) => (chinese, rest) = (true, left),
            (b'~', [b'}', left @ ..]) => (chinese, rest) = (false, left),
            (b'~', [b'~', left @ ..]) if !chinese => {
                text.push('~');
                rest = left;
            }
            (b'~', [b'\r', b'\n', left @ ..]) | (b'~', [b'\n', left @ ..]) if !chinese => {
                rest = left
            }
            (b'\n', _) => {
                chinese = false;
                text.push('\n');
            }
            (0x21..=0x7E, [second @ 0x21..=0x7E, left @ ..]) if chinese => {
                Set::Chinese.push([octet, *second], &mut text);
                rest = left;
            }
            (0x80.., [second @ 0x80..=0xFF, left @ ..]) => {
                Set::Chinese.push([octet & 0x7F, *second & 0x7F], &mut text);
                rest = left;
            }
            (0x80.., _) => text.push(char::REPLACEMENT_CHARACTER),
            (_, _) => text.push(char::from(octet)),
        }
    }
    text
}
