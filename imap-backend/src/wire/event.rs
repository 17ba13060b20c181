//! What the upstream said, as far as it matters, without a borrow of the buffer.

use alloc::string::String;
use alloc::vec::Vec;

use crate::grammar::{Body, Code, Counts, Fetch, Kind, Section, Status, words};
use crate::text::Mask;

/// What a command was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Authenticate,
    Capability,
    Enable,
    /// For the header of a message, or for messages or parts of them.
    Fetch(Section),
    Id,
    Idle,
    Keep,
    Login,
    Logout,
    /// Whether a folder that is open has changed.
    News,
    Scan,
    Select,
    StartTls,
    Update(Errand),
}

/// What a command of an update is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Capability,
    Copy,
    Create,
    Expunge,
    Flag,
    List,
    Look,
    Move,
    Seen,
    Undo,
}

/// A status, with the text as a log may hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) kind: Kind,
    pub(crate) code: Code,
    /// Whether the flag that is watched for can be set for good, if the server says so.
    pub(crate) lasts: Option<bool>,
    pub(crate) text: String,
}

/// What a FETCH without a body said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its sequence number.
    pub(crate) number: u32,
    pub(crate) uid: Option<u64>,
    pub(crate) size: Option<u64>,
    /// Whether it has the flag that is watched for, if its flags came along.
    pub(crate) watched: Option<bool>,
}

/// What a FETCH with a body says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) uid: Option<u64>,
    pub(crate) section: Section,
    pub(crate) origin: Option<u64>,
    pub(crate) size: u64,
}

/// What the upstream said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A status that ends no command.
    Status(Notice),
    /// The end of a command.
    Done {
        tag: u32,
        purpose: Purpose,
        notice: Notice,
    },
    /// `+` with its text, if no literal waited for it.
    Continue(Vec<u8>),
    Exists(u32),
    /// The message with this sequence number is gone.
    Expunge(u32),
    /// Messages are gone, without their numbers.
    Vanished,
    Message(Message),
    /// A body within its line; `None` where the server said NIL.
    Inline(Head, Option<Vec<u8>>),
    /// A body literal begins; the caller says what becomes of it.
    Ahead,
    /// The body literal that is lent has come to its end; this UID is named after it.
    Whole(Option<u64>),
    /// The response around a body literal is complete; it named this UID after the body.
    Tail(Option<u64>),
    Folder {
        trash: bool,
        name: Vec<u8>,
    },
    Counts(Counts),
    Other,
}

/// The event of a FETCH in one line. A header means something only if one is `awaited`.
pub(super) fn fetched(fetch: Fetch<'_>, awaited: bool, watch: Option<&str>) -> Event {
    let (section, body, origin) = match fetch.header {
        Some(header) if awaited => (Section::Header, Some(header), None),
        Some(_) | None => (Section::Whole, fetch.body, fetch.origin),
    };
    let head = Head {
        uid: fetch.uid,
        section,
        origin,
        size: 0,
    };
    match body {
        Some(Body::Nil) => Event::Inline(head, None),
        Some(Body::Inline(body)) => {
            let body = body.octets().into_owned();
            Event::Inline(
                Head {
                    size: body.len() as u64,
                    ..head
                },
                Some(body),
            )
        }
        None => {
            let is = |flag: &[u8], watch: &str| flag.eq_ignore_ascii_case(watch.as_bytes());
            let watched = fetch.flags.zip(watch);
            let watched = watched.map(|(flags, watch)| words(flags).any(|flag| is(flag, watch)));
            Event::Message(Message {
                number: fetch.number,
                uid: fetch.uid,
                size: fetch.size,
                watched,
            })
        }
    }
}

/// A status without secrets. Where all went well its text means nothing, and is left out.
pub(super) fn notice(
    mask: &Mask,
    status: Status<'_>,
    watch: Option<&str>,
    is_greeting: bool,
) -> Notice {
    let tells = matches!(status.code, Code::Alert | Code::MessageLimit(_));
    let is_read = is_greeting || status.kind != Kind::Ok || tells;
    let lasts = |flags: &[u8], watch: &str| {
        let flags = flags.strip_prefix(b"(").unwrap_or(flags);
        let flags = flags.strip_suffix(b")").unwrap_or(flags);
        let any_keyword = !watch.starts_with('\\');
        words(flags).any(|flag| {
            flag.eq_ignore_ascii_case(watch.as_bytes()) || any_keyword && flag == b"\\*"
        })
    };
    Notice {
        // if a list was not read to its end, something that is not found may still be in it
        lasts: status
            .permanent_flags
            .filter(|flags| flags.ends_with(b")"))
            .zip(watch)
            .map(|(flags, watch)| lasts(flags, watch)),
        kind: status.kind,
        code: status.code,
        text: match is_read {
            true => mask.clean(status.text),
            false => String::new(),
        },
    }
}
