//! Octets in the charsets of mail, as text. It owns which label means which charset and what is assumed
//! where none is named. It never fails and never refuses a label: what cannot be decoded becomes U+FFFD.

mod iso2022;
mod label;
mod tables;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use oem_cp::code_table_type::TableType;

/// A way to read octets.
#[derive(Clone, Copy)]
enum Charset {
    Known(&'static Encoding),
    /// A code page of DOS.
    Page(&'static TableType),
    /// The characters for 0x80 to 0xFF.
    Upper(&'static str),
    /// Any of the family of ISO 2022 that mail uses.
    Iso2022,
    /// RFC 1843.
    Hz,
    /// RFC 2152.
    Utf7,
    /// With a byte order mark, or guessed.
    Utf16,
    Utf32(Option<Endian>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endian {
    Big,
    Little,
}

/// How much of a text is looked at to find out its charset.
const SAMPLE: usize = 64 * 1024;

/// Octets in a charset with this label. A label that says nothing (`us-ascii` for 8-bit octets,
/// `unknown-8bit`) or that is unknown counts as none.
pub(super) fn decode(label: Option<&str>, octets: &[u8], hint: Option<&str>) -> String {
    match label.and_then(label::charset) {
        Some(charset) => with(charset, octets),
        None => undeclared(octets, hint),
    }
}

/// Whether a label says something about octets in the same mail that have none.
pub(super) fn is_hint(label: &str) -> bool {
    match label::charset(label) {
        // UTF-8 is tried in any case
        Some(Charset::Known(encoding)) => encoding.is_ascii_compatible() && encoding != UTF_8,
        Some(Charset::Page(_) | Charset::Upper(_)) => true,
        Some(
            Charset::Iso2022 | Charset::Hz | Charset::Utf7 | Charset::Utf16 | Charset::Utf32(_),
        )
        | None => false,
    }
}

/// Octets without a charset: UTF-8 if possible, else the charset of `hint`, which is that of the rest
/// of the mail, else the most likely one.
pub(super) fn undeclared(octets: &[u8], hint: Option<&str>) -> String {
    let escaped = octets.contains(&0x1B) || octets.contains(&0x0E);
    if escaped && iso2022::announced(octets) {
        return iso2022::decode(octets);
    }
    if looks_like_utf8(octets) {
        return with(Charset::Known(UTF_8), octets);
    }
    if let Some(charset) = hint.and_then(label::charset) {
        return with(charset, octets);
    }
    with(Charset::Known(guess(octets)), octets)
}

/// Whether there is more valid UTF-8 beyond ASCII in it than what is not.
fn looks_like_utf8(octets: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in octets.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    bad == 0 || good > bad
}

/// The most likely charset of 8-bit octets. If there are too few to see anything, it is a Western one.
fn guess(octets: &[u8]) -> &'static Encoding {
    let sample = &octets[..octets.len().min(SAMPLE)];
    if sample.iter().filter(|octet| !octet.is_ascii()).count() < 3 {
        return WINDOWS_1252;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, sample.len() == octets.len());
    detector.guess(None, Utf8Detection::Deny)
}

fn with(charset: Charset, octets: &[u8]) -> String {
    match charset {
        // a byte order mark says more than a label
        Charset::Known(encoding) => encoding.decode(octets).0.into_owned(),
        Charset::Page(table) => table.decode_string_lossy(octets),
        Charset::Upper(table) => single_byte(table, octets),
        Charset::Iso2022 => iso2022::decode(octets),
        Charset::Hz => iso2022::decode_hz(octets),
        Charset::Utf7 => charset::Charset::for_label(b"utf-7").map_or_else(
            || String::from_utf8_lossy(octets).into_owned(),
            |utf7| utf7.decode(octets).0.into_owned(),
        ),
        // a label alone is common, and such a text has no zeros
        Charset::Utf16 | Charset::Utf32(_)
            if !octets.contains(&0) && std::str::from_utf8(octets).is_ok() =>
        {
            String::from_utf8_lossy(octets).into_owned()
        }
        Charset::Utf16 => {
            let encoding = match endian(octets, 2) {
                Endian::Big => UTF_16BE,
                Endian::Little => UTF_16LE,
            };
            encoding.decode(octets).0.into_owned()
        }
        Charset::Utf32(order) => utf32(octets, order),
    }
}

fn single_byte(table: &str, octets: &[u8]) -> String {
    let upper: Vec<char> = table.chars().collect();
    let character = |octet: &u8| match octet.checked_sub(0x80) {
        None => char::from(*octet),
        Some(position) => upper
            .get(usize::from(position))
            .copied()
            .unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    octets.iter().map(character).collect()
}

fn utf32(octets: &[u8], order: Option<Endian>) -> String {
    let order = order.unwrap_or_else(|| endian(octets, 4));
    let character = |four: &[u8]| {
        let four = <[u8; 4]>::try_from(four).unwrap_or_default();
        let code = match order {
            Endian::Big => u32::from_be_bytes(four),
            Endian::Little => u32::from_le_bytes(four),
        };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    octets.chunks_exact(4).map(character).collect()
}

/// The order of units of this width: as the mark says, or else where the zeros of Latin text stand.
fn endian(octets: &[u8], width: usize) -> Endian {
    if octets.starts_with(&[0xFF, 0xFE]) {
        return Endian::Little;
    }
    if octets.starts_with(&[0xFE, 0xFF]) || octets.starts_with(&[0, 0, 0xFE, 0xFF]) {
        return Endian::Big;
    }
    let sample = &octets[..octets.len().min(SAMPLE)];
    let zeros = |at: usize| {
        sample
            .chunks_exact(width)
            .filter(|unit| unit[at] == 0)
            .count()
    };
    // RFC 2781: without a mark it is big-endian, unless the text says otherwise
    if zeros(width - 1) > zeros(0) {
        Endian::Little
    } else {
        Endian::Big
    }
}

#[cfg(test)]
mod tests;
