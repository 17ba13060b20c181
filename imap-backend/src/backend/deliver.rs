//! Messages on their way from the upstream to the session.
//!
//! Owns the handing over. A message that was asked for on a guess stays in the socket until the
//! session wants it, and is then lent; or until it turns out that the session does not, and is then
//! thrown away.

use alloc::vec::Vec;

use pop3_proto::backend::{Failure, FailureKind, Reply};

use super::reading::{Begun, Left, Verdict, Wanted};
use super::{Answer, ImapBackend};
use crate::error;
use crate::grammar::Kind;
use crate::wire::{Head, Notice};

const OTHER: &str = "upstream sent another message than was asked for";

impl ImapBackend {
    /// Decides about the body literal that waits. Returns whether it is worth going on.
    pub(super) fn judge(&mut self) -> bool {
        let Some(head) = self.wire.head() else {
            return true;
        };
        match self.reading.verdict(&self.maildrop.table, head) {
            Verdict::Park => return false,
            Verdict::Discard => self.throw_away(head.size),
            Verdict::Lend(stream) => {
                if !self.wire.head_is_complete()
                    && let Some(failure) = self.link.take_lost()
                {
                    // the rest of it will not come any more, even if it is only the end of its line
                    self.lose(failure);
                    return true;
                }
                if self.reading.is_hollow(&self.maildrop.table, &stream) {
                    self.wire.discard();
                    self.fail_hollow();
                    return true;
                }
                self.wire.lend();
                self.reading.lend(stream);
            }
        }
        true
    }

    /// Tells the session that its message begins, once there are octets of it to be lent.
    pub(super) fn announce(&mut self) {
        if self.reading.has_body(&self.wire) {
            self.begin();
        }
    }

    fn begin(&mut self) {
        if let Some(Begun {
            ticket,
            index,
            size,
        }) = self.reading.begin()
        {
            self.answers.push(Answer::BodyStart(ticket, size));
            if let Some(size) = size {
                self.notes.sized(&self.maildrop, index, size);
            }
        }
    }

    fn fail_hollow(&mut self) {
        self.fail_first(Failure::temporary(
            "upstream announced a size and sent an empty message",
        ));
    }

    /// The literal has come to its end, and the line after it too.
    pub(super) fn literal_here(&mut self, uid: Option<u64>) {
        if self.reading.is_other(uid) {
            self.drop_link(Failure::temporary(OTHER));
        }
    }

    /// A body within its line.
    pub(super) fn inline(&mut self, head: Head, body: Option<Vec<u8>>) {
        let table = &self.maildrop.table;
        match (self.reading.verdict(table, head), body) {
            (Verdict::Lend(stream), Some(_)) if self.reading.is_hollow(table, &stream) => {
                self.fail_hollow();
            }
            (Verdict::Lend(stream), Some(body)) => {
                if !self.reading.lend_inline(stream, body) {
                    self.piece_done();
                }
            }
            (Verdict::Lend(_), None) if self.reading.is_at_end(table) => {
                let first = self.reading.finish_first();
                self.finished(first);
            }
            (Verdict::Lend(_), None) => {
                self.fail_first(Failure::new(FailureKind::Missing, "upstream says NIL"));
            }
            // it is gone with its line, and has to be asked for again if it is wanted
            (Verdict::Park, _) => self.reading.give_up_guesses(),
            (Verdict::Discard, _) => {}
        }
    }

    /// Whether the session took what was there, so that it is worth going on. True only once.
    pub(super) fn is_body_taken(&mut self) -> bool {
        let is_over = self.wire.literal_left() == 0 || self.link.is_ending();
        is_over && self.reading.was_taken()
    }

    /// At most `room` octets of the body that is being lent.
    pub(super) fn body(&mut self, room: usize) -> Option<Reply<'_>> {
        let ticket = self.reading.take()?;
        if let Some(range) = self.reading.take_inline(room) {
            if !self.reading.is_serving() {
                self.piece_done();
            }
            let bytes = self.reading.inline(range);
            return (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes });
        }
        let bytes = self.wire.lent(room);
        (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes })
    }

    /// The response around a literal is complete.
    pub(super) fn literal_done(&mut self, uid: Option<u64>) {
        if self.reading.is_other(uid) {
            self.drop_link(Failure::temporary(OTHER));
        } else if self.reading.is_lending() {
            self.piece_done();
        }
    }

    /// The session has taken all of the piece that was lent.
    fn piece_done(&mut self) {
        self.begin();
        let first = self.reading.piece_done();
        self.finished(first);
    }

    fn finished(&mut self, message: Option<Wanted>) {
        let Some(message) = message else { return };
        if let Some(uid) = self.maildrop.uid(message.index).filter(|_| message.whole) {
            self.sent_whole(uid);
        }
        self.answers.push(Answer::BodyEnd(message.ticket));
    }

    pub(super) fn fail_first(&mut self, failure: Failure) {
        if let Some(first) = self.reading.finish_first() {
            let failure = self
                .maildrop
                .about(first.index, failure.kind, &failure.detail);
            self.answers
                .push(Answer::body_failed(first.ticket, failure));
        }
    }

    /// A FETCH is answered: what did not come with it will not come.
    pub(super) fn fetch_done(&mut self, tag: u32, notice: &Notice) {
        match self.reading.answered(tag) {
            Left::Nothing => {}
            Left::Missed { started } if notice.kind == Kind::Ok => {
                let kind = if started {
                    FailureKind::Temporary
                } else {
                    FailureKind::Missing
                };
                self.fail_first(Failure::new(kind, "the message is gone upstream"));
            }
            Left::Missed { .. } => self.fail_first(error::fetch(notice)),
        }
    }

    /// The connection was lost: a message that had begun has failed, the others get one more try.
    pub(super) fn reading_interrupted(&mut self, failure: &Failure) {
        self.blame();
        self.reading
            .interrupted(&self.maildrop, failure, &mut self.answers);
    }

    /// No connection can be made.
    pub(super) fn reading_failed(&mut self, failure: &Failure) {
        self.reading
            .failed(&self.maildrop, failure, &mut self.answers);
    }
}
