//! Encoded words in header fields (RFC 2047). It owns finding them and putting neighbours together: what a
//! writer cut inside a character is joined before it is decoded. Where there is none, the octets' charset
//! is assumed.

use super::{charset, transfer};

/// An encoded word as it stands.
struct Word<'a> {
    label: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

/// Words of the same charset that follow each other.
#[derive(Default)]
struct Run<'a> {
    label: &'a [u8],
    octets: Vec<u8>,
    /// Base64 that does not end with a whole group of four: the next word goes on with it.
    open: Vec<u8>,
    /// As they came.
    raw: &'a [u8],
}

/// A field's text, unfolded, decoded. `hint` is the charset of the rest of the mail.
pub(super) fn decode(field: &[u8], hint: Option<&str>) -> String {
    let mut text = String::with_capacity(field.len());
    let mut run: Option<Run<'_>> = None;
    let mut position = 0;
    let mut plain = 0;
    while let Some(start) = find(field, position) {
        let Some((word, end)) = word(field, start) else {
            position = start + 2;
            continue;
        };
        let between = &field[plain..start];
        let joined = run.is_some() && between.iter().all(u8::is_ascii_whitespace);
        if !joined {
            finish(run.take(), hint, &mut text);
            text.push_str(&charset::undeclared(between, hint));
        }
        let same = |run: &Run<'_>| run.label.eq_ignore_ascii_case(word.label);
        let mut current = match run.take() {
            Some(run) if same(&run) => run,
            other => {
                finish(other, hint, &mut text);
                Run {
                    label: word.label,
                    ..Run::default()
                }
            }
        };
        current.push(&word);
        current.raw = &field[start..end];
        run = Some(current);
        (position, plain) = (end, end);
    }
    finish(run, hint, &mut text);
    text.push_str(&charset::undeclared(&field[plain..], hint));
    text
}

impl Run<'_> {
    fn push(&mut self, word: &Word<'_>) {
        if !word.base64 {
            self.close();
            self.octets.extend(q(word.text));
            return;
        }
        self.open.extend_from_slice(word.text);
        if self.open.len().is_multiple_of(4) || self.open.ends_with(b"=") {
            self.close();
        }
    }

    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        if !open.is_empty() {
            self.octets.extend(transfer::base64_word(&open));
        }
    }
}

fn finish(run: Option<Run<'_>>, hint: Option<&str>, text: &mut String) {
    let Some(mut run) = run else {
        return;
    };
    run.close();
    if run.octets.is_empty() && run.raw.len() > run.label.len() + 7 {
        // nothing that could be decoded
        return text.push_str(&charset::undeclared(run.raw, hint));
    }
    let label = String::from_utf8_lossy(run.label);
    text.push_str(&charset::decode(Some(&label), &run.octets, hint));
}

fn find(field: &[u8], from: usize) -> Option<usize> {
    let found = field.get(from..)?.windows(2).position(|two| two == b"=?")?;
    Some(from + found)
}

/// The word that begins here, and where it ends. One that is not closed ends before the next one or with
/// the field.
fn word(field: &[u8], start: usize) -> Option<(Word<'_>, usize)> {
    let inside = &field[start + 2..];
    let mark = inside.iter().take(80).position(|octet| *octet == b'?')?;
    let (label, rest) = inside.split_at(mark);
    let [b'?', encoding, b'?', rest @ ..] = rest else {
        return None;
    };
    if label.is_empty() || !label.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    // RFC 2231: a language may follow the charset
    let label = label.split(|octet| *octet == b'*').next().unwrap_or(label);
    let base64 = match encoding {
        b'b' | b'B' => true,
        b'q' | b'Q' => false,
        _ => return None,
    };
    let mut length = 0;
    let mut closed = 0;
    while length < rest.len() {
        match &rest[length..] {
            [b'?', b'=', ..] => {
                closed = 2;
                break;
            }
            [b'=', b'?', other, ..] if *other != b'=' => break,
            _ => length += 1,
        }
    }
    let text = rest[..length].trim_ascii();
    let end = field.len() - rest.len() + length + closed;
    let word = Word {
        label,
        base64,
        text,
    };
    Some((word, end))
}

/// The encoding `Q`: quoted-printable, except for spaces.
fn q(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|octet| if *octet == b'_' { b' ' } else { *octet })
        .collect();
    transfer::quoted(&spaced)
}
