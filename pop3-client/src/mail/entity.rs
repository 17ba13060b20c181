//! A mail taken apart into its parts (RFC 2046). It owns where parts begin and end; it decodes nothing.
//!
//! One pass over the octets: a line that is a delimiter of any open multipart ends all that is open within
//! that one, so an inner multipart that is not closed ends with its outer one. Only a whole line is a
//! delimiter. A message within is a part without parts here: it is read when it is shown.

use super::content::Content;
use super::fields::Fields;
use super::transfer::Encoding;

/// Multiparts within each other; deeper ones are texts.
const MAX_OPEN: usize = 100;
/// Parts of a mail; the last one has all the rest.
const MAX_PARTS: usize = 10_000;
/// How far a delimiter that no header names is looked for.
const MAX_GUESS: usize = 64 * 1024;

/// A part of a mail, or the whole.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) fields: Fields<'a>,
    /// Type and subtype, in lower case.
    pub(super) kind: String,
    pub(super) content: Content,
    pub(super) disposition: Content,
    pub(super) encoding: Encoding,
    pub(super) children: Vec<usize>,
    /// The header before the body.
    pub(super) head: &'a [u8],
    pub(super) body: &'a [u8],
}

/// A multipart whose end has not come.
struct Open {
    boundary: Vec<u8>,
    part: usize,
}

/// What a line is to an open multipart.
#[derive(PartialEq, Eq)]
enum Delimiter {
    Next,
    Last,
}

/// Takes a mail apart; the first part is the whole.
pub(super) fn parts(raw: &[u8]) -> Vec<Part<'_>> {
    let mut open: Vec<Open> = Vec::new();
    let (root, mut position) = begin(raw, 0, "text/plain", &open);
    let mut bodies = vec![position];
    let mut parts = vec![root];
    let mut current = enter(raw, position, &parts, &mut open);
    while position < raw.len() && !open.is_empty() {
        let end = line_end(raw, position);
        let found = delimiter(&raw[position..end], &open);
        let Some((level, kind)) = found.filter(|_| parts.len() < MAX_PARTS) else {
            position = end;
            continue;
        };
        let before = without_line_end(raw, position);
        for inner in open.drain(level + 1..) {
            close(raw, &mut parts, &bodies, inner.part, before);
        }
        if let Some(part) = current.take() {
            close(raw, &mut parts, &bodies, part, before);
        }
        position = end;
        let parent = open[level].part;
        if kind == Delimiter::Last {
            continue;
        }
        let usual = if parts[parent].kind == "multipart/digest" {
            "message/rfc822"
        } else {
            "text/plain"
        };
        let (part, body) = begin(raw, position, usual, &open);
        let number = parts.len();
        parts[parent].children.push(number);
        parts.push(part);
        bodies.push(body);
        position = body;
        current = enter(raw, position, &parts, &mut open);
    }
    parts
}

/// Reads the header of the part that begins here. Its body has all the rest until it is closed.
fn begin<'a>(raw: &'a [u8], at: usize, usual: &str, open: &[Open]) -> (Part<'a>, usize) {
    let rest = &raw[at..];
    let (fields, body, head) = Fields::parse(rest, |line| delimiter(line, open).is_some());
    let content = fields
        .first("content-type")
        .map(|field| Content::parse(&field))
        .unwrap_or_default();
    let disposition = fields
        .first("content-disposition")
        .map(|field| Content::parse(&field))
        .unwrap_or_default();
    let kind = kind(&content.value, usual);
    let encoding = fields.first("content-transfer-encoding");
    let encoding = encoding.map_or(Encoding::None, |field| Encoding::parse(&field));
    let part = Part {
        fields,
        kind,
        content,
        disposition,
        encoding,
        children: Vec::new(),
        head: &rest[..head],
        body: &rest[body..],
    };
    (part, at + body)
}

/// A type with a subtype. Without a subtype it is most likely what it looks like; nonsense is a
/// text (RFC 2045 section 5.2).
fn kind(value: &str, usual: &str) -> String {
    let is_word = |main: &str| {
        main.bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    match value.split_once('/') {
        Some((main, _)) if !is_word(main) => usual.into(),
        Some((main, sub)) if !main.is_empty() && !sub.is_empty() => value.into(),
        Some(("text", _)) => "text/plain".into(),
        Some(("multipart", _)) => "multipart/mixed".into(),
        Some(("message", _)) => "message/rfc822".into(),
        Some(_) => "application/octet-stream".into(),
        None => match value {
            "" => usual,
            "html" => "text/html",
            "multipart" => "multipart/mixed",
            "message" | "rfc822" => "message/rfc822",
            "application" | "image" | "audio" | "video" => "application/octet-stream",
            _ => "text/plain",
        }
        .into(),
    }
}

/// Opens the last part if it is a multipart; else the lines that follow belong to it.
fn enter(raw: &[u8], body: usize, parts: &[Part<'_>], open: &mut Vec<Open>) -> Option<usize> {
    let part = parts.last()?;
    let number = parts.len() - 1;
    if !part.kind.starts_with("multipart/") || open.len() >= MAX_OPEN {
        return Some(number);
    }
    let declared = part
        .content
        .octets("boundary")
        .map(|boundary| boundary.trim_ascii_end().to_vec())
        .filter(|boundary| !boundary.is_empty());
    let declared = match declared {
        // of the outermost it is known at once whether it has any part
        Some(boundary) if open.is_empty() && !occurs(&raw[body..], &boundary) => {
            guess(&raw[body..]).or(Some(boundary))
        }
        Some(boundary) => Some(boundary),
        None => guess(&raw[body..]),
    };
    match declared {
        Some(boundary) => {
            open.push(Open {
                boundary,
                part: number,
            });
            None
        }
        None => Some(number),
    }
}

fn occurs(body: &[u8], boundary: &[u8]) -> bool {
    body.split(|octet| *octet == b'\n')
        .any(|line| is_delimiter(line, boundary).is_some())
}

/// A delimiter that no header names, or names wrongly: a line that looks like one, before a header.
fn guess(body: &[u8]) -> Option<Vec<u8>> {
    let body = &body[..body.len().min(MAX_GUESS)];
    let mut lines = body.split(|octet| *octet == b'\n').peekable();
    while let Some(line) = lines.next() {
        let boundary = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end);
        let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
            continue;
        };
        let header = lines
            .peek()
            .and_then(|next| next.get(..8))
            .is_some_and(|next| next.eq_ignore_ascii_case(b"content-"));
        if header {
            return Some(boundary.to_vec());
        }
    }
    None
}

fn close<'a>(raw: &'a [u8], parts: &mut [Part<'a>], bodies: &[usize], part: usize, end: usize) {
    let body = bodies[part];
    parts[part].body = &raw[body..end.max(body)];
}

/// The innermost multipart that a line is a delimiter of.
fn delimiter(line: &[u8], open: &[Open]) -> Option<(usize, Delimiter)> {
    if !line.starts_with(b"--") {
        return None;
    }
    let levels = open.iter().enumerate().rev();
    levels
        .filter_map(|(level, open)| Some((level, is_delimiter(line, &open.boundary)?)))
        .next()
}

fn is_delimiter(line: &[u8], boundary: &[u8]) -> Option<Delimiter> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    match rest.trim_ascii_end() {
        b"" => Some(Delimiter::Next),
        b"--" => Some(Delimiter::Last),
        _ => None,
    }
}

fn line_end(raw: &[u8], from: usize) -> usize {
    let rest = &raw[from..];
    let end = rest.iter().position(|octet| *octet == b'\n');
    from + end.map_or(rest.len(), |end| end + 1)
}

/// The line end before a delimiter is part of that.
fn without_line_end(raw: &[u8], end: usize) -> usize {
    match &raw[..end] {
        [.., b'\r', b'\n'] => end - 2,
        [.., b'\n'] => end - 1,
        _ => end,
    }
}
