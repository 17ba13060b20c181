//! Untagged data other than a status.

use nom::character::complete::u32 as number;
use nom::combinator::{map, opt, rest};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::fetch::{self, Fetch};
use super::token::{Str, any_value, list, nil, spaces, string, whole_number, word, words};

/// Untagged data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Data<'a> {
    /// The capabilities, separated by spaces.
    Capability(&'a [u8]),
    /// How many messages the folder has.
    Exists(u32),
    /// The message with this sequence number is gone.
    Expunge(u32),
    /// Messages are gone, without their numbers (RFC 7162 section 3.2.10).
    Vanished,
    /// Something about one message.
    Fetch(Fetch<'a>),
    /// A folder.
    List(List<'a>),
    /// What STATUS says of a folder.
    Counts(Counts),
    /// Anything else.
    Other,
}

/// A folder with its attributes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct List<'a> {
    /// The attributes, separated by spaces.
    pub(crate) attributes: &'a [u8],
    /// The name, encoded as the server encodes names.
    pub(crate) name: Str<'a>,
}

/// What STATUS says of a folder: the same three numbers stand for the same messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    pub(crate) uid_next: u64,
    pub(crate) uid_validity: u64,
}

pub(super) fn data(input: &[u8]) -> IResult<&[u8], Data<'_>> {
    let (after, count) = opt(number).parse(input)?;
    let Ok((after, name)) = preceded(spaces, word).parse(after) else {
        return Ok((&[], Data::Other));
    };
    let known = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let data = match count {
        Some(number) if known("FETCH") => fetch::fetch(after)
            .ok()
            .map(|(_, fetch)| Data::Fetch(Fetch { number, ..fetch })),
        Some(count) if known("EXISTS") => Some(Data::Exists(count)),
        Some(number) if known("EXPUNGE") => Some(Data::Expunge(number)),
        Some(_) => None,
        None if known("CAPABILITY") => Some(Data::Capability(after)),
        None if known("VANISHED") => Some(Data::Vanished),
        None if known("STATUS") => counts(after).ok().map(|(_, counts)| Data::Counts(counts)),
        None if known("LIST") => folder(after).ok().map(|(_, list)| Data::List(list)),
        None => None,
    };
    Ok((&[], data.unwrap_or(Data::Other)))
}

fn folder(input: &[u8]) -> IResult<&[u8], List<'_>> {
    let (input, attributes) = preceded(spaces, list).parse(input)?;
    let (input, _) = (spaces, opt(nil), opt(string), spaces).parse(input)?;
    let (input, name) = string(input).or_else(|_| map(rest, Str::Literal).parse(input))?;
    Ok((input, List { attributes, name }))
}

/// One that is not said counts as zero, which none of them is where it matters.
fn counts(input: &[u8]) -> IResult<&[u8], Counts> {
    let (input, inside) = preceded((spaces, any_value, spaces), list).parse(input)?;
    let mut counts = Counts::default();
    let mut words = words(inside);
    while let Some((name, value)) = words.next().zip(words.next()) {
        let value = whole_number(value).unwrap_or_default();
        for (known, place) in [
            ("MESSAGES", &mut counts.messages),
            ("UIDNEXT", &mut counts.uid_next),
            ("UIDVALIDITY", &mut counts.uid_validity),
        ] {
            if name.eq_ignore_ascii_case(known.as_bytes()) {
                *place = value;
            }
        }
    }
    Ok((input, counts))
}
