//! Reads one logical line of the upstream, tolerantly.
//!
//! Owns the shapes of IMAP responses as far as a maildrop needs them. Takes what it knows and skips
//! the rest: nothing irrelevant makes a line an error. Nothing is allocated, and nothing recurses.

mod data;
mod fetch;
mod status;
#[cfg(test)]
mod tests;
mod token;

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::u32 as number;
use nom::combinator::{map, rest};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

pub(crate) use data::{Counts, Data};
pub(crate) use fetch::{Body, Fetch, Section, body_ahead, tail};
pub(crate) use status::{Code, Kind, Status};
pub(crate) use token::words;

use token::spaces;

/// One line of the upstream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Response<'a> {
    /// `+`: go on.
    Continue(&'a [u8]),
    /// The end of the command with this tag number.
    Tagged(u32, Status<'a>),
    /// `*` with a status.
    Status(Status<'a>),
    /// `*` with data.
    Data(Data<'a>),
    /// Nothing but space, which some servers send to keep a connection open.
    Blank,
}

/// Reads a line; `None` if no IMAP server would send it.
pub(crate) fn response(line: &[u8]) -> Option<Response<'_>> {
    let blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    match alt((untagged, tagged, continuation)).parse(line) {
        Ok((_, response)) => Some(response),
        Err(_) => blank(line).then_some(Response::Blank),
    }
}

fn untagged(input: &[u8]) -> IResult<&[u8], Response<'_>> {
    preceded(
        (tag("*"), spaces),
        alt((
            map(status::status, Response::Status),
            map(data::data, Response::Data),
        )),
    )
    .parse(input)
}

fn tagged(input: &[u8]) -> IResult<&[u8], Response<'_>> {
    let (input, tag) = terminated(preceded(tag("A"), number), tag(" ")).parse(input)?;
    map(preceded(spaces, status::status), move |status| {
        Response::Tagged(tag, status)
    })
    .parse(input)
}

fn continuation(input: &[u8]) -> IResult<&[u8], Response<'_>> {
    map(preceded((tag("+"), spaces), rest), Response::Continue).parse(input)
}
