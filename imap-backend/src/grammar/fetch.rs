//! FETCH: what it says about one message, and where in it the body stands.
//!
//! Only an item that means the whole message counts as its body: `BODY[]`, `BINARY[]`, `RFC822`.

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{u32 as number32, u64 as number64};
use nom::combinator::{map, opt};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::data::numbered_fetch;
use super::token::{Str, any_value, bracketed, list, nil, spaces, string, word};

/// What a FETCH says about one message, as far as it was asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fetch<'a> {
    pub(crate) uid: Option<u32>,
    pub(crate) size: Option<u64>,
    /// The flags, parted by spaces.
    pub(crate) flags: Option<&'a [u8]>,
    pub(crate) body: Option<Body<'a>>,
    /// At which octet of the message the body begins, if the server says so.
    pub(crate) origin: Option<u64>,
}

/// A body that stands in the line itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    /// The message has none, or is gone.
    Nil,
    /// A short message.
    Inline(Str<'a>),
}

/// What is behind `FETCH`.
pub(super) fn fetch(input: &[u8]) -> IResult<&[u8], Fetch<'_>> {
    let (input, _) = (spaces, opt(tag("("))).parse(input)?;
    let mut fetch = Fetch::default();
    let (input, _) = items(input, &mut fetch);
    Ok((input, fetch))
}

/// What goes on behind a body literal.
pub(crate) fn tail(line: &[u8]) -> Fetch<'_> {
    let mut fetch = Fetch::default();
    items(line, &mut fetch);
    fetch
}

/// Reads a FETCH that ends in the announcement of a literal: what it said so far, if that literal is
/// the body.
pub(crate) fn body_ahead(head: &[u8]) -> Option<Fetch<'_>> {
    let (input, _) = numbered_fetch(head).ok()?;
    let (input, _) = (spaces, opt(tag("("))).parse(input).ok()?;
    let mut fetch = Fetch::default();
    items(input, &mut fetch).1.then_some(fetch)
}

/// Reads items up to the closing parenthesis, the end, or what cannot be read. Says whether it
/// stopped at the announcement of the body.
fn items<'a>(mut input: &'a [u8], fetch: &mut Fetch<'a>) -> (&'a [u8], bool) {
    while let Ok((rest, name)) = preceded(spaces, word).parse(input) {
        if let Some((value, origin)) = whole_message(name, rest) {
            fetch.origin = origin;
            if let Ok((rest, body)) = body(value) {
                fetch.body = Some(body);
                input = rest;
                continue;
            }
            if value.strip_prefix(b"~").unwrap_or(value).starts_with(b"{") {
                return (value, true);
            }
        }
        input = match item(name, rest, fetch) {
            Ok((rest, ())) => rest,
            Err(_) => return (rest, false),
        };
    }
    (input, false)
}

/// One item whose value is not a body. A known one with an unreadable value is stepped over like an
/// unknown one.
fn item<'a>(name: &[u8], input: &'a [u8], fetch: &mut Fetch<'a>) -> IResult<&'a [u8], ()> {
    if name.eq_ignore_ascii_case(b"UID") {
        if let Ok((rest, uid)) = preceded(spaces, number32).parse(input) {
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

/// Whether an item is the message as a whole: then its value, and the origin of a partial one.
fn whole_message<'a>(name: &[u8], input: &'a [u8]) -> Option<(&'a [u8], Option<u64>)> {
    let named = |names: &[&str]| {
        names
            .iter()
            .any(|n| name.eq_ignore_ascii_case(n.as_bytes()))
    };
    let (input, from) = if named(&["BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK"]) {
        let (input, section) = bracketed(input).ok()?;
        if !section.trim_ascii().is_empty() {
            return None;
        }
        opt(origin).parse(input).ok()?
    } else if named(&["RFC822"]) {
        (input, None)
    } else {
        return None;
    };
    let (input, _) = spaces(input).ok()?;
    Some((input, from))
}

fn origin(input: &[u8]) -> IResult<&[u8], u64> {
    delimited(tag("<"), number64, tag(">")).parse(input)
}

fn body(input: &[u8]) -> IResult<&[u8], Body<'_>> {
    alt((map(nil, |()| Body::Nil), map(string, Body::Inline))).parse(input)
}
