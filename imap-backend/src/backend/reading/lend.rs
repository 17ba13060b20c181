//! The body that is lent: when it begins, how much of it is taken, and when a piece is done.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use pop3_proto::backend::Ticket;

use super::Reading;
use super::plan::{Plan, Stream, Then, Wanted};
use crate::table::Table;
use crate::wire::Wire;

/// A message whose first octets are about to go.
pub(in crate::backend) struct Begun {
    pub(in crate::backend) ticket: Ticket,
    pub(in crate::backend) index: u32,
    /// How many octets it has, if all of it was asked for.
    pub(in crate::backend) size: Option<u64>,
}

/// A body within its line, and how much of it is handed out.
#[derive(Debug)]
pub(super) struct Inline {
    body: Vec<u8>,
    next: usize,
}

impl Inline {
    pub(super) fn has_more(&self) -> bool {
        self.next < self.body.len()
    }
}

impl Reading {
    /// This body is lent from now on.
    pub(in crate::backend) fn lend(&mut self, stream: Stream) {
        self.stream = Some(stream);
    }

    /// This body, which was within its line, is lent from now on. Returns whether there is anything to take.
    pub(in crate::backend) fn lend_inline(&mut self, stream: Stream, body: Vec<u8>) -> bool {
        let next = usize::try_from(stream.skip).unwrap_or(usize::MAX);
        self.stream = Some(stream);
        self.inline = Some(Box::new(Inline { body, next }));
        self.is_serving()
    }

    /// The message whose lending begins; returned only once.
    pub(in crate::backend) fn begin(&mut self) -> Option<Begun> {
        let (stream, first) = (self.stream?, self.wanted.front_mut()?);
        if mem::replace(&mut first.started, true) {
            return None;
        }
        Some(Begun {
            ticket: first.ticket,
            index: first.index,
            size: first.whole.then_some(stream.size),
        })
    }

    /// Whether a message with an announced size comes empty. A client that believed that would delete
    /// a mail unread.
    pub(in crate::backend) fn is_hollow(&self, table: &Table, stream: &Stream) -> bool {
        let first = self.wanted.front().filter(|first| !first.started);
        let announced = first.and_then(|first| table.size(first.index));
        stream.size == 0 && stream.then == Then::End && announced.is_some_and(|size| size > 0)
    }

    /// Whether the window that is asked for begins where the message ends: then NIL is its end.
    pub(in crate::backend) fn is_at_end(&self, table: &Table) -> bool {
        self.wanted.front().is_some_and(|first| match first.plan {
            Plan::Window { offset, .. } => {
                let size = table.size(first.index);
                offset > 0 && size.is_some_and(|size| size <= offset)
            }
            Plan::Whole { .. } | Plan::Header | Plan::Nothing | Plan::Refused { .. } => false,
        })
    }

    /// Whether what is lent is of another message than this one.
    pub(in crate::backend) fn is_other(&self, uid: Option<u64>) -> bool {
        let stream = self.stream.as_ref().zip(uid);
        stream.is_some_and(|(stream, uid)| uid != stream.uid)
    }

    pub(in crate::backend) fn is_lending(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes what the session has already from the front of the literal that is lent.
    pub(in crate::backend) fn skip_known(&mut self, wire: &mut Wire) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        while stream.skip > 0 && wire.can_lend() {
            let skip = usize::try_from(stream.skip).unwrap_or(usize::MAX);
            stream.skip -= wire.lent(skip).len() as u64;
        }
    }

    /// Octets are taken by the session.
    pub(in crate::backend) fn take(&mut self) -> Option<Ticket> {
        self.taken = true;
        Some(self.first()?.ticket)
    }

    /// Whether octets were taken since this was asked last.
    pub(in crate::backend) fn was_taken(&mut self) -> bool {
        mem::take(&mut self.taken)
    }

    /// Takes at most `room` octets of a body within its line; returns which.
    pub(in crate::backend) fn take_inline(&mut self, room: usize) -> Option<Range<usize>> {
        let inline = self.inline.as_mut().filter(|inline| inline.has_more())?;
        let from = inline.next;
        inline.next = from + room.min(inline.body.len() - from);
        Some(from..inline.next)
    }

    /// Octets of the body within its line.
    pub(in crate::backend) fn inline(&self, range: Range<usize>) -> &[u8] {
        let inline = self.inline.as_ref();
        inline.map_or(&[], |inline| &inline.body[range])
    }

    /// The session has taken all of the piece that was lent. Returns the message if that was its end.
    pub(in crate::backend) fn piece_done(&mut self) -> Option<Wanted> {
        match self.stream.take()?.then {
            Then::End => self.finish_first(),
            Then::Plan(plan) => {
                if let Some(first) = self.wanted.front_mut() {
                    first.plan = plan;
                }
                self.lacks_more();
                None
            }
        }
    }

    /// What is lent is of no use any more. Returns whether a literal was lent.
    pub(super) fn stop_lending(&mut self) -> bool {
        self.inline = None;
        self.stream.take().is_some()
    }
}
