//! Status responses: a kind, perhaps a code in brackets, and free text that may be missing, 8-bit or
//! anything.

use nom::branch::alt;
use nom::bytes::complete::tag_no_case;
use nom::combinator::{opt, peek, rest, value};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::token::{bracketed, spaces, whole_number};

/// The kind of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
            Self::Preauth => "PREAUTH",
        })
    }
}

/// A status with its code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status<'a> {
    pub(crate) kind: Kind,
    pub(crate) code: Code,
    /// The capabilities that the code carries, separated by spaces.
    pub(crate) capabilities: Option<&'a [u8]>,
    /// The flags that can be changed for good, as the code lists them in parentheses.
    pub(crate) permanent_flags: Option<&'a [u8]>,
    /// Everything after the kind, the code included: what an operator wants to read.
    pub(crate) text: &'a [u8],
}

/// A response code (RFC 3501, 4315, 5530, 9738), as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// There is none, or one that means nothing to us.
    Other,
    /// The text is for people.
    Alert,
    /// RFC 3501 has 32 bits for it; some servers take more.
    UidValidity(u64),
    UidNext(u64),
    UidNotSticky,
    ReadOnly,
    ReadWrite,
    TryCreate,
    /// The server did only a part of it: nothing below this UID, if it gives one.
    MessageLimit(Option<u64>),
    AuthenticationFailed,
    AuthorizationFailed,
    Expired,
    Unavailable,
    InUse,
    Limit,
    OverQuota,
    ServerBug,
    Throttled,
    ContactAdmin,
    NoPerm,
    PrivacyRequired,
    Corruption,
    NonExistent,
    ExpungeIssued,
}

/// A status; it is one only if its word ends where it should.
pub(super) fn status(input: &[u8]) -> IResult<&[u8], Status<'_>> {
    let kind = alt((
        value(Kind::Ok, tag_no_case("OK")),
        value(Kind::No, tag_no_case("NO")),
        value(Kind::Bad, tag_no_case("BAD")),
        value(Kind::Bye, tag_no_case("BYE")),
        value(Kind::Preauth, tag_no_case("PREAUTH")),
    ));
    let (input, kind) = terminated(kind, peek(word_end)).parse(input)?;
    let (input, text) = preceded(spaces, rest).parse(input)?;
    let (_, code) = opt(bracketed).parse(text)?;
    let code = code.unwrap_or_default();
    let behind = |name: &[u8]| match code.split_at_checked(name.len()) {
        Some((own, list)) if own.eq_ignore_ascii_case(name) => Some(list),
        Some(_) | None => None,
    };
    let capabilities = behind(b"CAPABILITY ");
    let permanent_flags = behind(b"PERMANENTFLAGS ");
    Ok((
        input,
        Status {
            kind,
            code: classify(code),
            capabilities,
            permanent_flags,
            text,
        },
    ))
}

fn word_end(input: &[u8]) -> IResult<&[u8], ()> {
    match input.first() {
        None | Some(b' ' | b'\t' | b'[') => Ok((input, ())),
        Some(_) => Err(nom::Err::Error(nom::error::Error::new(
            input,
            nom::error::ErrorKind::Tag,
        ))),
    }
}

fn classify(code: &[u8]) -> Code {
    let mut words = super::words(code);
    let name = words.next().unwrap_or_default();
    let mut number = || whole_number(words.next()?);
    let known = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if known("UIDVALIDITY") {
        return number().map_or(Code::Other, Code::UidValidity);
    }
    if known("UIDNEXT") {
        return number().map_or(Code::Other, Code::UidNext);
    }
    if known("MESSAGELIMIT") {
        let _limit = number();
        return Code::MessageLimit(number());
    }
    let plain = [
        ("ALERT", Code::Alert),
        ("READ-WRITE", Code::ReadWrite),
        ("READ-ONLY", Code::ReadOnly),
        ("UIDNOTSTICKY", Code::UidNotSticky),
        ("TRYCREATE", Code::TryCreate),
        ("AUTHENTICATIONFAILED", Code::AuthenticationFailed),
        ("AUTHORIZATIONFAILED", Code::AuthorizationFailed),
        ("EXPIRED", Code::Expired),
        ("UNAVAILABLE", Code::Unavailable),
        ("INUSE", Code::InUse),
        ("LIMIT", Code::Limit),
        ("OVERQUOTA", Code::OverQuota),
        ("SERVERBUG", Code::ServerBug),
        ("THROTTLED", Code::Throttled),
        ("CONTACTADMIN", Code::ContactAdmin),
        ("NOPERM", Code::NoPerm),
        ("PRIVACYREQUIRED", Code::PrivacyRequired),
        ("CORRUPTION", Code::Corruption),
        ("NONEXISTENT", Code::NonExistent),
        ("EXPUNGEISSUED", Code::ExpungeIssued),
    ];
    plain
        .iter()
        .find(|(name, _)| known(name))
        .map_or(Code::Other, |&(_, code)| code)
}
