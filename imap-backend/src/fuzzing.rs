//! What the fuzz targets see of framer and grammar, and a connection that waits. Compiled only with `cfg(fuzzing)`.
//!
//! Owns the properties that need private parts: cutting the octets changes nothing, and what a line lends lies
//! within it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use pop3_proto::backend::waiting::Waiting;

use crate::config::Config;
use crate::framer::{Expected, Frame, Framer, LIMIT, TooLong};
use crate::grammar::{self, Body, Data, Response};
use crate::parked::Parked;

/// A connection with an empty folder of which is known how it was, or, if it idles, how it is, or nothing.
pub fn parked(config: &Arc<Config>, listed: bool, told: bool) -> Box<dyn Waiting> {
    Box::new(Parked::sample(config, listed, told))
}

/// What came out of the framer.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A line, or the end of one after a literal.
    Line(Vec<u8>),
    /// A literal, and the line before it.
    Literal {
        /// The line before it.
        head: Vec<u8>,
        /// In octets.
        size: u64,
    },
    /// What was lent of a literal, when its line goes on; when the octets end, with what is held back of it.
    Lent(Vec<u8>),
    /// A line that is too long, and nothing after it.
    TooLong,
}

/// All frames of a text that arrives in pieces of these sizes, less one; without any, at once. `fates` decides
/// what becomes of each literal.
///
/// # Panics
///
/// If a bound is passed or nothing moves any more.
pub fn frames(whole: &[u8], pieces: &[u8], fates: &[u8], bulk: bool) -> Vec<Said> {
    let (mut framer, mut text) = (Framer::new(), whole);
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
        // the last octets of a literal are lent once the line after it is here
        if framer.behind().is_some() {
            continue;
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
                    said.push(Said::Lent(core::mem::take(&mut lent)));
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
                    // how much of a literal that does not end is held back is a matter of the pieces
                    let here = &whole[whole.len() - framer.pending()..];
                    let held = framer.literal_left().min(here.len() as u64);
                    lent.extend_from_slice(&here[..held as usize]);
                    said.push(Said::Lent(lent));
                    return said;
                }
                let room = framer.room(if bulk { Expected::Much } else { Expected::Line });
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
