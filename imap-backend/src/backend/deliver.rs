//! Messages on their way from the upstream to the session.
//!
//! Owns the handing over. What was asked for on a guess stays in the socket until the session wants
//! it: then it is lent; or until it turns out that it does not: then it is thrown away.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::{Failure, FailureKind, Note, Reply};

use super::reading::{Fetch, Plan, Stream, Then, Verdict, What};
use super::{Answer, ImapBackend};
use crate::client::{Head, Notice};
use crate::error;
use crate::grammar::Kind;

const OTHER: &str = "upstream sent another message than it was asked";

impl ImapBackend {
    /// Decides about the body literal that waits. Says whether anything can come of going on.
    pub(super) fn judge(&mut self) -> bool {
        let Some(head) = self.client.head() else {
            return true;
        };
        match self.reading.verdict(&self.maildrop.table, head) {
            Verdict::Park => return false,
            Verdict::Discard => self.throw_away(head.size),
            Verdict::Lend(stream) => {
                if !self.client.head_is_complete()
                    && let Some(failure) = self.gone.take()
                {
                    // the rest of it will not come any more, be it only the end of its line
                    self.lose(failure);
                    return true;
                }
                if self.is_hollow(&stream) {
                    self.client.discard();
                    self.fail_hollow();
                    return true;
                }
                self.client.lend();
                self.reading.stream = Some(stream);
            }
        }
        true
    }

    /// Tells the session that its message begins, once there are octets of it to be lent.
    pub(super) fn announce(&mut self) {
        if self.reading.has_body(&self.client) {
            self.begin();
        }
    }

    fn begin(&mut self) {
        if let (Some(stream), Some(first)) = (self.reading.stream, self.reading.wanted.front_mut())
            && !mem::replace(&mut first.started, true)
        {
            let size = first.whole.then_some(stream.size);
            self.answers
                .push_back(Answer::BodyStart(first.ticket, size));
            let index = first.index;
            if let Some(size) = size {
                self.note_size(index, size);
            }
        }
    }

    /// Tells the operator that the announced size is not that of the message: once a session, because a
    /// server that estimates does so with every message.
    fn note_size(&mut self, index: u32, size: u64) {
        let announced = self.maildrop.size(index).unwrap_or_default();
        if announced == 0 || announced == size || mem::replace(&mut self.size_noted, true) {
            return;
        }
        let detail = format!(
            "upstream announced {announced} octets and sends {size}; it is not told of other messages"
        );
        let text = self.about(index, FailureKind::Temporary, &detail).detail;
        self.note(if size < announced / 2 {
            Note::warning(text)
        } else {
            Note::information(text)
        });
    }

    /// Whether a message comes without an octet that was announced with some. Who believed that would
    /// delete a mail unread.
    fn is_hollow(&self, stream: &Stream) -> bool {
        let first = self.reading.wanted.front().filter(|first| !first.started);
        let announced = first.and_then(|first| self.maildrop.size(first.index));
        stream.size == 0 && stream.then == Then::End && announced.is_some_and(|size| size > 0)
    }

    fn fail_hollow(&mut self) {
        self.fail_first(Failure::temporary(
            "upstream sends no octet of a message that it announced with some",
        ));
    }

    /// The literal is here to its end, and the line after it too.
    pub(super) fn literal_here(&mut self, uid: Option<u64>) {
        let other = |stream: &Stream| uid.is_some_and(|uid| uid != stream.uid);
        if self.reading.stream.as_ref().is_some_and(other) {
            self.drop_link(Failure::temporary(OTHER));
        }
    }

    /// A body that stood in its line.
    pub(super) fn inline(&mut self, head: Head, body: Option<Vec<u8>>) {
        match (self.reading.verdict(&self.maildrop.table, head), body) {
            (Verdict::Lend(stream), Some(_)) if self.is_hollow(&stream) => self.fail_hollow(),
            (Verdict::Lend(stream), Some(body)) => {
                self.reading.stream = Some(stream);
                let known = usize::try_from(stream.skip).unwrap_or(usize::MAX);
                if known >= body.len() {
                    self.piece_done();
                } else {
                    self.reading.inline = Some((body, known));
                }
            }
            (Verdict::Lend(_), None) => {
                let end = self
                    .reading
                    .wanted
                    .front()
                    .is_some_and(|first| match first.plan {
                        Plan::Window { offset, .. } => {
                            let size = self.maildrop.size(first.index);
                            offset > 0 && size.is_some_and(|size| size <= offset)
                        }
                        Plan::Whole { .. }
                        | Plan::Header
                        | Plan::Nothing
                        | Plan::Refused { .. } => false,
                    });
                if end {
                    self.finish_first();
                } else {
                    self.fail_first(Failure::new(FailureKind::Missing, "upstream says NIL"));
                }
            }
            // it is gone with its line, and has to be asked for again if it is wanted
            (Verdict::Park, _) => self.reading.give_up_guesses(),
            (Verdict::Discard, _) => {}
        }
    }

    /// Whether the session took what there was, so that something can come of going on. Told once.
    pub(super) fn is_body_taken(&mut self) -> bool {
        let is_over = self.client.literal_left() == 0 || self.gone.is_some() || self.bye.is_some();
        is_over && mem::take(&mut self.reading.taken)
    }

    /// At most `room` octets of the body that is being lent.
    pub(super) fn body(&mut self, room: usize) -> Option<Reply<'_>> {
        self.reading.taken = true;
        let ticket = self.reading.wanted.front()?.ticket;
        if let Some((body, at)) = &mut self.reading.inline {
            let from = *at;
            *at += room.min(body.len() - from);
            if *at == body.len() {
                self.lent = mem::take(body);
                self.reading.inline = None;
                self.piece_done();
                let bytes = &self.lent[from..];
                return (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes });
            }
            let (body, at) = self.reading.inline.as_ref()?;
            return Some(Reply::Body {
                ticket,
                bytes: &body[from..*at],
            });
        }
        let bytes = self.client.lent(room);
        (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes })
    }

    /// Takes what the session has already from the front of the literal that is lent.
    pub(super) fn skip_known(&mut self) {
        let Some(stream) = &mut self.reading.stream else {
            return;
        };
        while stream.skip > 0 && self.client.can_lend() {
            let skip = usize::try_from(stream.skip).unwrap_or(usize::MAX);
            stream.skip -= self.client.lent(skip).len() as u64;
        }
    }

    /// The response around a literal is complete.
    pub(super) fn literal_done(&mut self, uid: Option<u64>) {
        let Some(stream) = self.reading.stream else {
            return;
        };
        if uid.is_some_and(|uid| uid != stream.uid) {
            self.drop_link(Failure::temporary(OTHER));
        } else {
            self.piece_done();
        }
    }

    /// The session has all of the piece that was lent.
    fn piece_done(&mut self) {
        self.begin();
        let Some(stream) = self.reading.stream.take() else {
            return;
        };
        match (stream.then, self.reading.wanted.front_mut()) {
            (Then::Plan(plan), Some(first)) => first.plan = plan,
            (Then::End, _) => self.finish_first(),
            (Then::Plan(_), None) => {}
        }
    }

    fn finish_first(&mut self) {
        if let Some(first) = self.reading.wanted.pop_front() {
            if let Some(uid) = self.maildrop.uid(first.index).filter(|_| first.whole) {
                self.sent_whole(uid);
            }
            self.answers.push_back(Answer::BodyEnd(first.ticket));
        }
    }

    pub(super) fn fail_first(&mut self, failure: Failure) {
        if let Some(first) = self.reading.wanted.pop_front() {
            let failure = self.about(first.index, failure.kind, &failure.detail);
            self.answers
                .push_back(Answer::BodyFailed(first.ticket, failure));
        }
    }

    /// A FETCH is answered: what did not come with it will not come.
    pub(super) fn fetch_done(&mut self, tag: u32, notice: &Notice) {
        let reading = &mut self.reading;
        let Some(place) = reading.fetches.iter().position(|fetch| fetch.tag == tag) else {
            return;
        };
        let Some(Fetch { what, .. }) = reading.fetches.remove(place) else {
            return;
        };
        if let What::Header { index } = what {
            // why the server refuses it, windows will show
            reading.give_up_header(index);
            return;
        }
        let Some(first) = reading.wanted.front() else {
            return;
        };
        let (missed, last_word) = match (what, first.plan) {
            (What::Whole { next, end, alone }, Plan::Whole { .. }) => {
                ((next..end).contains(&first.index), alone)
            }
            (What::Window { index, .. }, Plan::Window { .. }) => (index == first.index, true),
            _ => (false, false),
        };
        if !missed || reading.on_the_way(first.index).is_some() {
            return;
        }
        if !last_word {
            // others were asked for in the same command: perhaps one of them is the trouble
            if let Some(first) = reading.wanted.front_mut() {
                first.alone = true;
            }
        } else if notice.kind == Kind::Ok {
            let kind = if first.started {
                FailureKind::Temporary
            } else {
                FailureKind::Missing
            };
            self.fail_first(Failure::new(kind, "upstream has no such message any more"));
        } else {
            self.fail_first(error::fetch(notice));
        }
    }

    /// The connection was lost: what had begun has failed, the rest gets one more try.
    pub(super) fn reading_interrupted(&mut self, failure: &Failure) {
        self.blame();
        self.stop_reading();
        let mut kept = VecDeque::new();
        for mut wanted in mem::take(&mut self.reading.wanted) {
            // in the order in which they were asked for: none fails before one that is tried again
            if kept.is_empty() && (wanted.started || wanted.retried) {
                let failure = self.about(wanted.index, FailureKind::Temporary, &failure.detail);
                self.answers
                    .push_back(Answer::BodyFailed(wanted.ticket, failure));
            } else {
                wanted.retried = true;
                wanted.alone = true;
                if wanted.plan == Plan::Header {
                    // it may be this that the server did not bear
                    wanted.plan = Plan::FIRST;
                }
                kept.push_back(wanted);
            }
        }
        self.reading.wanted = kept;
    }

    /// No connection can be made.
    pub(super) fn reading_failed(&mut self, failure: &Failure) {
        self.stop_reading();
        for wanted in mem::take(&mut self.reading.wanted) {
            let failure = self.about(wanted.index, FailureKind::Temporary, &failure.detail);
            self.answers
                .push_back(Answer::BodyFailed(wanted.ticket, failure));
        }
    }

    fn stop_reading(&mut self) {
        self.reading.fetches = VecDeque::new();
        self.reading.stream = None;
        self.reading.inline = None;
    }

    /// Nothing is wanted any more: the session updates.
    pub(super) fn end_reading(&mut self) {
        self.reading.wanted.clear();
        self.reading.inline = None;
        self.reading.give_up_guesses();
        if self.reading.stream.take().is_some() {
            self.throw_away(self.client.literal_left());
        }
    }
}
