//! The small pieces of a line: spaces, words, numbers, strings, and values of any kind to skip.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::memchr2;
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take, take_while, take_while1};
use nom::character::complete::u64 as number;
use nom::combinator::{map, opt, value, verify};
use nom::error::{Error, ErrorKind};
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// How deep parentheses may nest in a value that is skipped.
const DEPTH: usize = 64;

/// A string as the server wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Str<'a> {
    /// Between quotes, escapes included.
    Quoted(&'a [u8]),
    /// A literal inside the line.
    Literal(&'a [u8]),
}

impl<'a> Str<'a> {
    /// The octets that it stands for.
    pub(crate) fn octets(&self) -> Cow<'a, [u8]> {
        let raw = match self {
            Self::Literal(bytes) => return Cow::Borrowed(bytes),
            Self::Quoted(raw) => *raw,
        };
        if memchr::memchr(b'\\', raw).is_none() {
            return Cow::Borrowed(raw);
        }
        let mut octets = Vec::with_capacity(raw.len());
        let mut rest = raw.iter();
        while let Some(&byte) = rest.next() {
            let escaped = if byte == b'\\' {
                rest.next().copied()
            } else {
                None
            };
            octets.push(escaped.unwrap_or(byte));
        }
        Cow::Owned(octets)
    }
}

/// Any number of spaces or tabs, none included.
pub(super) fn spaces(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|b| b == b' ' || b == b'\t').parse(input)
}

/// A word: everything up to a space or a delimiter.
pub(super) fn word(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|b| {
        !matches!(
            b,
            b' ' | b'\t' | b'(' | b')' | b'"' | b'[' | b']' | b'<' | b'>'
        )
    })
    .parse(input)
}

/// The words of a text, separated by spaces.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b' ' || b == b'\t')
        .filter(|word| !word.is_empty())
}

/// A word that is a number and nothing else.
pub(super) fn whole_number(word: &[u8]) -> Option<u64> {
    core::str::from_utf8(word).ok()?.parse().ok()
}

pub(super) fn nil(input: &[u8]) -> IResult<&[u8], ()> {
    value((), tag_no_case("NIL")).parse(input)
}

/// A quoted string or a literal.
pub(super) fn string(input: &[u8]) -> IResult<&[u8], Str<'_>> {
    alt((map(quoted, Str::Quoted), map(literal, Str::Literal))).parse(input)
}

fn quoted(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (input, _) = tag("\"").parse(input)?;
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\\', &input[at..]) {
        at += found;
        if input[at] == b'"' {
            return Ok((&input[at + 1..], &input[..at]));
        }
        at = input.len().min(at + 2);
    }
    Err(nom::Err::Error(Error::new(input, ErrorKind::Tag)))
}

fn literal(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (input, size) = delimited(
        (opt(tag("~")), tag("{")),
        number,
        (opt(tag("+")), tag("}"), opt(tag("\r"))),
    )
    .parse(input)?;
    let (input, _) = tag("\n").parse(input)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    take(size).parse(input)
}

/// `[...]` with what is between; strings in it are taken as one, and so are lists: a `]` in one may be a
/// part of a name. Where parentheses do not match they mean nothing.
pub(super) fn bracketed(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (inside, _) = tag("[").parse(input)?;
    let end = closing(inside, true).or_else(|| closing(inside, false));
    let Some(end) = end else {
        return Err(nom::Err::Error(Error::new(input, ErrorKind::Tag)));
    };
    Ok((&inside[end + 1..], &inside[..end]))
}

/// Where the bracket closes.
fn closing(inside: &[u8], lists: bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut rest = inside;
    loop {
        rest = match rest.first()? {
            b']' if depth == 0 => return Some(inside.len() - rest.len()),
            // one that does not end makes the whole unreadable: looking on would take for ever
            b'"' => string(rest).ok()?.0,
            b'{' => string(rest).map_or(&rest[1..], |(rest, _)| rest),
            byte => {
                match byte {
                    b'(' if lists => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                &rest[1..]
            }
        };
    }
}

/// `(...)` with what is between, however it nests.
pub(super) fn list(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (inside, _) = tag("(").parse(input)?;
    let mut depth = 1_usize;
    let mut rest = inside;
    loop {
        rest = match rest.first() {
            Some(b')') if depth == 1 => {
                let length = inside.len() - rest.len();
                return Ok((&rest[1..], &inside[..length]));
            }
            Some(b')') => {
                depth -= 1;
                &rest[1..]
            }
            Some(b'(') if depth < DEPTH => {
                depth += 1;
                &rest[1..]
            }
            // one that does not end makes the whole unreadable: looking on would take for ever
            Some(b'"') => string(rest)?.0,
            Some(b'{') => string(rest).map_or(&rest[1..], |(rest, _)| rest),
            Some(b'(') | None => return Err(nom::Err::Error(Error::new(input, ErrorKind::Tag))),
            Some(_) => &rest[1..],
        };
    }
}

/// Skips one value of any kind.
pub(super) fn any_value(input: &[u8]) -> IResult<&[u8], ()> {
    let atom = verify(
        take_while(|b| !matches!(b, b' ' | b'\t' | b'(' | b')' | b'"')),
        |atom: &[u8]| !atom.is_empty(),
    );
    value(
        (),
        alt((map(list, |_| ()), map(string, |_| ()), map(atom, |_| ()))),
    )
    .parse(input)
}
