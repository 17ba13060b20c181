//! imap-codec as the oracle: every response that it can write is read in the same way here.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and the oracle's enums are long"
)]

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use arbitrary::{Arbitrary, Unstructured};
use imap_codec::ResponseCodec;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::core::{IString, NString, Tag, Vec1};
use imap_codec::imap_types::fetch::{MessageDataItem, Section};
use imap_codec::imap_types::flag::{FlagFetch, FlagNameAttribute};
use imap_codec::imap_types::response::{Data, Response, Status, StatusKind};
use imap_codec::imap_types::status::StatusDataItem;
use proptest::prelude::*;

use crate::command::Command;
use crate::config::{Config, Security};
use crate::framer::Expected;
use crate::grammar::{self, Counts, Kind};
use crate::wire::{Event, Message, Purpose, Wire};

/// A client that has read the greeting and awaits one answer, perhaps a header.
fn wire(header: bool) -> Wire {
    let config = Config::new("imap.example.org", 143, Security::Clear);
    let mut wire = Wire::new(Arc::new(config));
    wire.watch = Some("\\Deleted".into());
    feed(&mut wire, b"* OK hello\r\n");
    assert!(matches!(wire.next(), Ok(Some(Event::Status(_)))));
    let (command, purpose) = if header {
        let section = grammar::Section::Header;
        (Command::FetchHeader { set: "1" }, Purpose::Fetch(section))
    } else {
        (Command::Noop, Purpose::Keep)
    };
    wire.send(command, purpose).unwrap();
    wire
}

fn feed(wire: &mut Wire, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let room = wire.room(Expected::Much);
        let n = room.len().min(bytes.len());
        assert!(n > 0, "no room for {} bytes", bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        wire.filled(n);
        bytes = &bytes[n..];
    }
}

/// What the client makes of some bytes; literals are thrown away.
fn events(bytes: &[u8], header: bool) -> Vec<Event> {
    let mut wire = wire(header);
    feed(&mut wire, bytes);
    let mut events = Vec::new();
    while let Some(event) = wire.next().unwrap() {
        events.push(event);
        if wire.head().is_some() {
            wire.discard();
        }
    }
    assert_eq!(
        wire.pending(),
        0,
        "left over: {}",
        String::from_utf8_lossy(bytes)
    );
    events
}

/// The value of an item that is the whole message, or its header if one is awaited.
fn body<'a, 'b>(item: &'a MessageDataItem<'b>, header: bool) -> Option<&'a NString<'b>> {
    match item {
        MessageDataItem::BodyExt {
            section: None,
            data,
            ..
        }
        | MessageDataItem::Rfc822(data) => Some(data),
        MessageDataItem::BodyExt {
            section: Some(Section::Header(None)),
            origin: None,
            data,
        } => header.then_some(data),
        _ => None,
    }
}

fn is_binary(item: &MessageDataItem<'_>) -> bool {
    matches!(item, MessageDataItem::Binary { section, .. } if section.is_empty())
}

fn same_fetch(number: u32, items: &[MessageDataItem<'_>], events: &[Event], header: bool) {
    if items.iter().any(is_binary) {
        // quoted, literal, literal8: read or skipped, but never an error
        return;
    }
    let uid = |items: &[MessageDataItem<'_>]| {
        items.iter().rev().find_map(|item| match item {
            MessageDataItem::Uid(uid) => Some(u64::from(uid.get())),
            _ => None,
        })
    };
    let is_literal = |value: &NString<'_>| matches!(value.0, Some(IString::Literal(_)));
    let literal = items
        .iter()
        .position(|item| body(item, header).is_some_and(is_literal));
    if let Some(at) = literal {
        assert_eq!(events.len(), 2, "{events:?} {items:?}");
        assert_eq!(events[0], Event::Ahead);
        assert_eq!(events[1], Event::Tail(uid(&items[at..])));
        return;
    }
    assert_eq!(events.len(), 1, "{events:?}");
    if items.iter().any(|item| body(item, header).is_some()) {
        let Event::Inline(head, _) = &events[0] else {
            panic!("{events:?}")
        };
        assert_eq!(head.uid, uid(items));
        let is_header = |item| body(item, true).is_some() && body(item, false).is_none();
        let has_header = header && items.iter().any(is_header);
        assert_eq!(head.section == grammar::Section::Header, has_header);
        return;
    }
    let size = items.iter().rev().find_map(|item| match item {
        MessageDataItem::Rfc822Size(size) => Some(u64::from(*size)),
        _ => None,
    });
    let watched = items.iter().rev().find_map(|item| match item {
        MessageDataItem::Flags(flags) => Some(
            flags.iter().any(|flag| {
                matches!(flag, FlagFetch::Flag(flag) if flag.to_string().eq_ignore_ascii_case("\\Deleted"))
            }),
        ),
        _ => None,
    });
    assert_eq!(
        events[0],
        Event::Message(Message {
            number,
            uid: uid(items),
            size,
            watched
        })
    );
}

fn same(response: &Response<'_>, bytes: &[u8], header: bool) {
    let events = events(bytes, header);
    let kind = |kind: &StatusKind| match kind {
        StatusKind::Ok => Kind::Ok,
        StatusKind::No => Kind::No,
        StatusKind::Bad => Kind::Bad,
    };
    match response {
        Response::CommandContinuationRequest(_) => {
            assert!(matches!(events[..], [Event::Continue(_)]), "{events:?}");
        }
        Response::Status(status) => match (status, &events[..]) {
            (Status::Untagged(body), [Event::Status(notice)]) => {
                assert_eq!(notice.kind, kind(&body.kind));
            }
            (Status::Tagged(tagged), [Event::Done { notice, .. }]) => {
                assert_eq!(notice.kind, kind(&tagged.body.kind));
            }
            (Status::Bye(_), [Event::Status(notice)]) => assert_eq!(notice.kind, Kind::Bye),
            (_, events) => panic!("{status:?} {events:?}"),
        },
        Response::Data(Data::Exists(count)) => assert_eq!(events, [Event::Exists(*count)]),
        Response::Data(Data::Expunge(number)) => {
            assert_eq!(events, [Event::Expunge(number.get())]);
        }
        Response::Data(Data::Fetch { seq, items }) => {
            same_fetch(seq.get(), items.as_ref(), &events, header);
        }
        Response::Data(Data::List { items, .. }) => {
            let is_trash =
                |item: &FlagNameAttribute<'_>| item.to_string().eq_ignore_ascii_case("\\Trash");
            let [Event::Folder { trash, .. }] = &events[..] else {
                panic!("{events:?}")
            };
            assert_eq!(*trash, items.iter().any(is_trash));
        }
        Response::Data(Data::Status { items, .. }) => {
            let mut counts = Counts::default();
            for item in items.as_ref() {
                match item {
                    StatusDataItem::Messages(count) => counts.messages = u64::from(*count),
                    StatusDataItem::UidNext(uid) => counts.uid_next = uid.get().into(),
                    StatusDataItem::UidValidity(uid) => counts.uid_validity = uid.get().into(),
                    _ => {}
                }
            }
            assert_eq!(events, [Event::Counts(counts)]);
        }
        Response::Data(_) => assert_eq!(events, [Event::Other]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_imap_codec_writes_is_read_alike(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut source = Unstructured::new(&bytes);
        let Ok(mut response) = Response::arbitrary(&mut source) else { return Ok(()) };
        if let Response::Status(Status::Tagged(tagged)) = &mut response {
            tagged.tag = Tag::try_from("A1").unwrap();
        }
        let written = ResponseCodec::default().encode(&response).dump();
        same(&response, &written, false);
    }

    #[test]
    fn fetches_of_imap_codec_are_read_alike(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        count in 1..5_usize,
        header in any::<bool>(),
    ) {
        let mut source = Unstructured::new(&bytes);
        let items: Vec<_> =
            (0..count).filter_map(|_| MessageDataItem::arbitrary(&mut source).ok()).collect();
        let Ok(items) = Vec1::try_from(items) else { return Ok(()) };
        let response = Response::Data(Data::Fetch { seq: NonZeroU32::MIN, items });
        let written = ResponseCodec::default().encode(&response).dump();
        same(&response, &written, header);
    }
}
