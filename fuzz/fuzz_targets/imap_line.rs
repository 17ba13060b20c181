//! Any octets from an IMAP server, in any pieces, with any fate for their literals: the same lines and
//! literals come out however they are cut, within bounds, and each line means something or nothing.
//!
//! Framer and grammar are private to their crate; their files are borrowed as they are.
#![no_main]

extern crate alloc;

#[path = "../../imap-backend/src/framer/mod.rs"]
#[allow(dead_code, reason = "the client asks more than this target does")]
mod framer;
#[path = "../../imap-backend/src/grammar/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the client reads more of it than this target does"
)]
mod grammar;

use framer::{Frame, Framer, LIMIT, TooLong};
use grammar::{Body, Data, Response};
use libfuzzer_sys::fuzz_target;
use testkit::generate::Source;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let fates = source.take(4);
    let pieces = source.take(6);
    let bulk = source.below(2) == 1;
    let text = source.rest();
    let whole = frames(text, &[], fates, true);
    assert_eq!(frames(text, pieces, fates, bulk), whole);
    if text.len() < 4096 {
        assert_eq!(frames(text, &[0], fates, bulk), whole);
    }
});

/// What came out.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Line(Vec<u8>),
    Literal {
        head: Vec<u8>,
        size: u64,
    },
    /// What was lent of a literal, as its line goes on or the octets end.
    Lent(Vec<u8>),
    TooLong,
}

/// All frames of a text that arrives in pieces of these sizes, less one; without any, at once.
fn frames(mut text: &[u8], pieces: &[u8], fates: &[u8], bulk: bool) -> Vec<Said> {
    let mut framer = Framer::new();
    let (mut said, mut lent) = (Vec::new(), Vec::new());
    let (mut pieces, mut fates) = (pieces.iter().cycle(), fates.iter().cycle());
    loop {
        let most = fates
            .clone()
            .next()
            .map_or(usize::MAX, |fate| usize::from(*fate) + 1);
        while framer.can_lend() {
            lent.extend_from_slice(framer.lent(most));
        }
        assert!(framer.pending() <= LIMIT);
        let was = framer.literal_left();
        match framer.next() {
            Err(TooLong(start)) => {
                assert!(start.len() == LIMIT);
                said.push(Said::TooLong);
                return said;
            }
            Ok(Some(Frame::Line { bytes, tail })) => {
                if tail {
                    said.push(Said::Lent(std::mem::take(&mut lent)));
                    let _ = grammar::tail(bytes);
                } else {
                    means_something(bytes);
                }
                said.push(Said::Line(bytes.to_vec()));
            }
            Ok(Some(Frame::Literal { head, size, tail })) => {
                if !tail {
                    let _ = grammar::body_ahead(head);
                }
                said.push(Said::Literal {
                    head: head.to_vec(),
                    size,
                });
                match fates.next().unwrap_or(&0) % 4 {
                    0 => framer.collect(),
                    1 => framer.skip(),
                    2 => framer.lend(),
                    _ => framer.discard(),
                }
                assert!(!framer.is_held());
            }
            Ok(None) => {
                assert!(framer.literal_left() <= was);
                if text.is_empty() {
                    said.push(Said::Lent(lent));
                    return said;
                }
                let room = framer.room(bulk);
                assert!(room.len() <= LIMIT);
                let most = pieces
                    .next()
                    .map_or(usize::MAX, |piece| usize::from(*piece) + 1);
                let n = room.len().min(text.len()).min(most);
                assert!(n > 0, "nothing moves any more");
                room[..n].copy_from_slice(&text[..n]);
                framer.filled(n);
                text = &text[n..];
            }
        }
    }
}

/// Reads a line; what it lends lies within the line.
fn means_something(line: &[u8]) {
    let within = |part: &[u8]| line.as_ptr_range().contains(&part.as_ptr()) || part.is_empty();
    match grammar::response(line) {
        Some(Response::Status(status) | Response::Tagged(_, status)) => {
            assert!(line.ends_with(status.text));
        }
        Some(Response::Data(Data::Fetch(fetch))) => {
            assert!(fetch.flags.is_none_or(within));
            for body in [fetch.body, fetch.header] {
                if let Some(Body::Inline(body)) = body {
                    assert!(body.octets().len() <= line.len());
                }
            }
        }
        Some(Response::Data(Data::List(list))) => {
            assert!(list.name.octets().len() <= line.len());
            assert!(grammar::words(list.attributes).all(within));
        }
        Some(Response::Continue(_) | Response::Data(_)) => {
            assert!(line.starts_with(b"+") || line.starts_with(b"*"));
        }
        Some(Response::Blank) => assert!(line.trim_ascii().is_empty()),
        None => {}
    }
}
