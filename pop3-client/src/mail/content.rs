//! Content-Type, Content-Disposition and their parameters (RFC 2045, 2183, 2231). It owns putting the
//! pieces of a parameter together before they are decoded.

use super::transfer::hex;
use super::{charset, word};

/// More parameters than this are not looked at.
const MAX_PARAMETERS: usize = 1000;

/// Octets of a field beyond this are not looked at, nor those of a comment in it.
const MAX_FIELD: usize = 64 * 1024;
const MAX_COMMENT: usize = 1000;

/// A value with parameters.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// In lower case, without white space.
    pub(super) value: String,
    parameters: Vec<(String, Vec<u8>)>,
}

impl Content {
    /// Reads an unfolded field.
    pub(super) fn parse(field: &[u8]) -> Self {
        let field = without_comments(&field[..field.len().min(MAX_FIELD)]);
        let (value, mut rest) = value_and_parameters(&field);
        let value = value
            .trim_ascii()
            .iter()
            .filter(|octet| !octet.is_ascii_whitespace() && !matches!(octet, b'"' | b'\''))
            .map(|octet| char::from(*octet).to_ascii_lowercase())
            .collect();
        let mut parameters = Vec::new();
        while !rest.is_empty() && parameters.len() < MAX_PARAMETERS {
            rest = rest.trim_ascii_start();
            let Some(equals) = rest.iter().position(|octet| matches!(octet, b'=' | b';')) else {
                break;
            };
            let name = String::from_utf8_lossy(rest[..equals].trim_ascii()).to_ascii_lowercase();
            if rest[equals] == b';' {
                rest = &rest[equals + 1..];
                continue;
            }
            let (found, left) = parameter_value(&rest[equals + 1..]);
            parameters.push((name, found));
            rest = left;
        }
        Self { value, parameters }
    }

    /// A parameter, decoded. `hint` is the charset of the rest of the mail.
    pub(super) fn text(&self, name: &str, hint: Option<&str>) -> Option<String> {
        let pieces = self.pieces(name);
        if pieces.is_empty() {
            let plain = self.plain(name)?;
            return Some(word::decode(plain, hint));
        }
        let mut label = None;
        let mut octets = Vec::new();
        for (position, (encoded, piece)) in pieces.iter().enumerate() {
            let mut piece = *piece;
            if *encoded && position == 0 {
                let mut parts = piece.splitn(3, |octet| *octet == b'\'');
                if let (Some(charset), Some(_), Some(rest)) =
                    (parts.next(), parts.next(), parts.next())
                {
                    label = Some(String::from_utf8_lossy(charset).into_owned());
                    piece = rest;
                }
            }
            if *encoded {
                octets.extend(percent(piece));
            } else {
                octets.extend_from_slice(piece);
            }
        }
        Some(match label {
            Some(label) => charset::decode(Some(&label), &octets, hint),
            None => word::decode(&octets, hint),
        })
    }

    /// A parameter that is not text: its octets.
    pub(super) fn octets(&self, name: &str) -> Option<Vec<u8>> {
        match self.plain(name) {
            Some(plain) => Some(plain.to_vec()),
            None => self.text(name, None).map(String::into_bytes),
        }
    }

    /// A parameter that is a word.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        let octets = self.octets(name)?;
        Some(String::from_utf8_lossy(&octets).trim().to_ascii_lowercase())
    }

    fn plain(&self, name: &str) -> Option<&[u8]> {
        let found = self.parameters.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// What RFC 2231 has for a name: `name*`, or `name*0`, `name*1*` … in their order.
    fn pieces(&self, name: &str) -> Vec<(bool, &[u8])> {
        let mut pieces: Vec<(usize, bool, &[u8])> = self
            .parameters
            .iter()
            .filter_map(|(known, value)| {
                let section = known.strip_prefix(name)?.strip_prefix('*')?;
                let (section, encoded) = match section.strip_suffix('*') {
                    Some(section) => (section, true),
                    None if section.is_empty() => ("0", true),
                    None => (section, false),
                };
                Some((section.parse().ok()?, encoded, value.as_slice()))
            })
            .collect();
        pieces.sort_by_key(|(section, _, _)| *section);
        pieces.dedup_by_key(|(section, _, _)| *section);
        pieces
            .into_iter()
            .map(|(_, encoded, value)| (encoded, value))
            .collect()
    }
}

/// What stands before the parameters, and these. The semicolon may be forgotten, or all before it:
/// `application/pdf name=a.pdf`, `charset=utf-8`.
fn value_and_parameters(field: &[u8]) -> (&[u8], &[u8]) {
    let (value, rest) = split(field, b';');
    let Some(equals) = value.iter().position(|octet| *octet == b'=') else {
        return (value, rest);
    };
    let before = value[..equals].trim_ascii();
    let begins = value.len() - value.trim_ascii_start().len();
    match before.iter().rposition(u8::is_ascii_whitespace) {
        Some(space) => field.split_at(begins + space),
        None if !before.is_empty() && !before.contains(&b'/') => (&[], field),
        None => (value, rest),
    }
}

/// A parameter's value, and what follows its semicolon.
fn parameter_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let text = text.trim_ascii_start();
    if let Some((quoted, rest)) = quoted_string(text) {
        let rest = rest.trim_ascii_start();
        return (quoted, rest.strip_prefix(b";").unwrap_or(rest));
    }
    let (value, rest) = split(text, b';');
    // a forgotten semicolon: `charset=utf-8 format=flowed`
    if let Some(equals) = value.iter().position(|octet| *octet == b'=') {
        let before = value[..equals].trim_ascii_end();
        if let Some(space) = before.iter().rposition(u8::is_ascii_whitespace) {
            return (value[..space].trim_ascii().to_vec(), &text[space..]);
        }
    }
    let value = value.trim_ascii();
    // a quote that is not closed means nothing
    (value.strip_prefix(b"\"").unwrap_or(value).to_vec(), rest)
}

/// A quoted string without its quotes, and what follows it; one that is not closed is none.
pub(super) fn quoted_string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut inside = Vec::new();
    loop {
        match rest {
            // a backslash before anything else is one of a file's path
            [b'\\', escaped @ (b'"' | b'\\'), left @ ..] => {
                inside.push(*escaped);
                rest = left;
            }
            [b'"', left @ ..] => return Some((inside, left)),
            [octet, left @ ..] => {
                inside.push(*octet);
                rest = left;
            }
            [] => return None,
        }
    }
}

fn split(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|octet| *octet == at) {
        Some(found) => (&text[..found], &text[found + 1..]),
        None => (text, &[]),
    }
}

fn percent(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        match rest {
            [b'%', high, low, left @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                octets.push(hex(*high) << 4 | hex(*low));
                rest = left;
            }
            [octet, left @ ..] => {
                octets.push(*octet);
                rest = left;
            }
            [] => return octets,
        }
    }
}

/// Comments outside of quoted strings go, if they begin where a token could; `a(1).pdf` has none.
fn without_comments(field: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(field.len());
    let mut rest = field;
    let mut quotes = true;
    while let Some((&octet, after)) = rest.split_first() {
        let between = kept
            .last()
            .is_none_or(|last: &u8| last.is_ascii_whitespace() || *last == b';');
        match octet {
            b'"' if quotes => match quoted_string(rest) {
                Some((_, left)) => {
                    kept.extend_from_slice(&rest[..rest.len() - left.len()]);
                    rest = left;
                    continue;
                }
                None => quotes = false,
            },
            // between a semicolon and a name, or after a value's end
            b'(' if between => {
                let end = after
                    .iter()
                    .take(MAX_COMMENT)
                    .position(|octet| *octet == b')');
                if let Some(end) = end {
                    let left = &after[end + 1..];
                    let last = matches!(left.trim_ascii_start(), [] | [b';', ..]);
                    let before = kept.trim_ascii_end();
                    if last || before.is_empty() || before.ends_with(b";") {
                        rest = left;
                        continue;
                    }
                }
            }
            _ => {}
        }
        kept.push(octet);
        rest = after;
    }
    kept
}
