//! FETCH: what it says about one message, and where the body is in it.
//!
//! Only an item that means the whole message counts as its body: `BODY[]`, `BINARY[]`, `RFC822`. The header
//! is `BODY[HEADER]` and kept apart: whether it was asked for is not known here.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case};
use nom::character::complete::{u32 as number, u64 as number64};
use nom::combinator::{map, opt};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::token::{Str, any_value, bracketed, list, nil, spaces, string, word};

/// What a FETCH says about one message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fetch<'a> {
    /// The message's sequence number; 0 where the line was not read from its beginning.
    pub(crate) number: u32,
    pub(crate) uid: Option<u64>,
    pub(crate) size: Option<u64>,
    /// The flags, separated by spaces.
    pub(crate) flags: Option<&'a [u8]>,
    pub(crate) body: Option<Body<'a>>,
    /// At which octet of the message the body begins, if the server says so.
    pub(crate) origin: Option<u64>,
    /// The header alone.
    pub(crate) header: Option<Body<'a>>,
}

/// The part of a message that an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The message, or octets of it.
    Whole,
    /// Its header with the blank line after it.
    Header,
}

/// A body within the line itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    /// The message has none, or is gone.
    Nil,
    /// A short message.
    Inline(Str<'a>),
}

/// What follows `FETCH`.
pub(super) fn fetch(input: &[u8]) -> IResult<&[u8], Fetch<'_>> {
    let (input, _) = (spaces, opt(tag("("))).parse(input)?;
    let mut fetch = Fetch::default();
    let (input, _) = items(input, &mut fetch);
    Ok((input, fetch))
}

/// What follows a body literal.
pub(crate) fn tail(line: &[u8]) -> Fetch<'_> {
    let mut fetch = Fetch::default();
    items(line, &mut fetch);
    fetch
}

/// Reads a FETCH that ends in the announcement of a literal: what it said so far, if that literal is
/// the body or the header.
pub(crate) fn body_ahead(head: &[u8]) -> Option<(Section, Fetch<'_>)> {
    let (input, _) = numbered_fetch(head).ok()?;
    let (input, _) = (spaces, opt(tag("("))).parse(input).ok()?;
    let mut fetch = Fetch::default();
    let (_, section) = items(input, &mut fetch);
    section.map(|section| (section, fetch))
}

/// The word FETCH after a sequence number, with what follows it.
fn numbered_fetch(input: &[u8]) -> IResult<&[u8], ()> {
    map(
        (tag("*"), spaces, number, spaces, tag_no_case("FETCH")),
        |_| (),
    )
    .parse(input)
}

/// Reads items up to the closing parenthesis, the end, or something that cannot be read. Returns the
/// section if it stopped at the literal of one.
fn items<'a>(mut input: &'a [u8], fetch: &mut Fetch<'a>) -> (&'a [u8], Option<Section>) {
    while let Ok((rest, name)) = preceded(spaces, word).parse(input) {
        if let Some((section, value, origin)) = section(name, rest) {
            let place = match section {
                Section::Whole => {
                    fetch.origin = origin;
                    &mut fetch.body
                }
                Section::Header => &mut fetch.header,
            };
            if let Ok((rest, body)) = body(value) {
                *place = Some(body);
                input = rest;
                continue;
            }
            if value.strip_prefix(b"~").unwrap_or(value).starts_with(b"{") {
                return (value, Some(section));
            }
        }
        input = match item(name, rest, fetch) {
            Ok((rest, ())) => rest,
            Err(_) => return (rest, None),
        };
    }
    (input, None)
}

/// One item whose value is not a body. A known item with an unreadable value is skipped like an
/// unknown one.
fn item<'a>(name: &[u8], input: &'a [u8], fetch: &mut Fetch<'a>) -> IResult<&'a [u8], ()> {
    if name.eq_ignore_ascii_case(b"UID") {
        if let Ok((rest, uid)) = preceded(spaces, number64).parse(input) {
            fetch.uid = Some(uid);
            return Ok((rest, ()));
        }
    } else if name.eq_ignore_ascii_case(b"RFC822.SIZE") {
        if let Ok((rest, size)) = preceded(spaces, number64).parse(input) {
            fetch.size = Some(size);
            return Ok((rest, ()));
        }
    } else if name.eq_ignore_ascii_case(b"FLAGS")
        && let Ok((rest, flags)) = preceded(spaces, list).parse(input)
    {
        fetch.flags = Some(flags);
        return Ok((rest, ()));
    }
    let section = opt((bracketed, opt(origin)));
    map((section, spaces, any_value), |_| ()).parse(input)
}

/// Whether an item is the message as a whole or its header: then which, its value, and the origin of
/// a partial one. A part of a header is neither.
fn section<'a>(name: &[u8], input: &'a [u8]) -> Option<(Section, &'a [u8], Option<u64>)> {
    let named = |names: &[&str]| {
        names
            .iter()
            .any(|n| name.eq_ignore_ascii_case(n.as_bytes()))
    };
    let (section, input, from) = if named(&["BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK"]) {
        let (input, inside) = bracketed(input).ok()?;
        let (input, from) = opt(origin).parse(input).ok()?;
        let section = match inside.trim_ascii() {
            b"" => Section::Whole,
            name if name.eq_ignore_ascii_case(b"HEADER") && from.is_none() => Section::Header,
            _ => return None,
        };
        (section, input, from)
    } else if named(&["RFC822"]) {
        (Section::Whole, input, None)
    } else {
        return None;
    };
    let (input, _) = spaces(input).ok()?;
    Some((section, input, from))
}

/// `<7>`; some servers repeat the length after it, as it stood in the request.
fn origin(input: &[u8]) -> IResult<&[u8], u64> {
    let length = opt(preceded(tag("."), number64));
    delimited(tag("<"), terminated(number64, length), tag(">")).parse(input)
}

fn body(input: &[u8]) -> IResult<&[u8], Body<'_>> {
    alt((map(nil, |()| Body::Nil), map(string, Body::Inline))).parse(input)
}
