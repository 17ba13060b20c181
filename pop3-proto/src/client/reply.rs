//! The reading side of responses: status lines, listing lines, text for people.
//!
//! Tolerant where nothing is lost by it: the indicator in any case, `+OK` without text, several spaces
//! between words, more words than the RFC has.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::command::MessageNumber;
use crate::controls::marked;
use crate::response::ResponseCode;

/// A status line. What is borrowed reaches to the end of the line.
pub(super) enum Status<'a> {
    /// `+OK` and its text.
    Ok(&'a [u8]),
    /// `-ERR` and its text.
    Err(&'a [u8]),
    /// `+` and a challenge in base64.
    Challenge(&'a [u8]),
}

pub(super) fn status(line: &[u8]) -> Option<Status<'_>> {
    let behind = |indicator: &[u8]| {
        let (start, text) = line.split_at_checked(indicator.len())?;
        let ends = text.first().is_none_or(|b| !b.is_ascii_alphanumeric());
        (start.eq_ignore_ascii_case(indicator) && ends).then(|| text.trim_ascii_start())
    };
    behind(b"+OK")
        .map(Status::Ok)
        .or_else(|| behind(b"-ERR").map(Status::Err))
        .or_else(|| line.strip_prefix(b"+").map(Status::Challenge))
}

/// A challenge, decoded; `None` if it is not base64.
pub(super) fn challenge(data: &[u8]) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(data.trim_ascii()).ok()
}

/// The response code that a text begins with, if we know it, and the text after it.
pub(super) fn code(text: &[u8]) -> (Option<ResponseCode>, &[u8]) {
    let inside = text.strip_prefix(b"[").and_then(|rest| {
        let end = rest.iter().position(|b| *b == b']')?;
        let code = ResponseCode::read(str::from_utf8(&rest[..end]).ok()?)?;
        Some((Some(code), rest[end + 1..].trim_ascii_start()))
    });
    inside.unwrap_or((None, text))
}

/// A message number and what follows it. What follows is the end of the line but for white space.
pub(super) fn entry(line: &[u8]) -> Option<(MessageNumber, &[u8])> {
    let (number, rest) = word(line);
    let number = decimal(number).and_then(|number| u32::try_from(number).ok())?;
    (number > 0 && !rest.is_empty()).then_some((MessageNumber(number), rest))
}

/// The two numbers of STAT.
pub(super) fn two_numbers(text: &[u8]) -> Option<(u64, u64)> {
    let (first, rest) = word(text);
    Some((decimal(first)?, first_number(rest)?))
}

/// The number that a text begins with.
pub(super) fn first_number(text: &[u8]) -> Option<u64> {
    decimal(word(text).0)
}

/// A text from the server, for people. Whatever octets it has, the result is harmless on a terminal and
/// in a log.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.trim_ascii_end());
    let tabs_blank = text.chars().map(|c| if c == '\t' { ' ' } else { c });
    marked(tabs_blank).collect()
}

/// The first word and what follows it, without the white space around both.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii();
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_ascii_start())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(digits).ok()?;
    // `parse` would take a sign
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}
