//! Messages on their way from the upstream to the session.
//!
//! Owns the handing over. What was asked for on a guess stays in the socket until the session wants
//! it: then it is lent; or until it turns out that it does not: then it is thrown away.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::{Failure, FailureKind, Reply};

use super::reading::{Fetch, Plan, Stream, Then, Verdict, What};
use super::{Answer, ImapBackend};
use crate::client::{Head, Notice};
use crate::error;
use crate::grammar::Kind;

impl ImapBackend {
    /// Decides about the body literal that waits. Says whether anything can come of going on.
    pub(super) fn judge(&mut self) -> bool {
        let Some(head) = self.client.head() else {
            return true;
        };
        match self.reading.verdict(&self.table, head) {
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
                self.client.lend();
                self.start(stream);
            }
        }
        true
    }

    fn start(&mut self, stream: Stream) {
        if let Some(first) = self.reading.wanted.front_mut()
            && !mem::replace(&mut first.started, true)
        {
            let size = first.whole.then_some(stream.size);
            self.answers
                .push_back(Answer::BodyStart(first.ticket, size));
        }
        self.reading.stream = Some(stream);
    }

    /// A body that stood in its line.
    pub(super) fn inline(&mut self, head: Head, body: Option<Vec<u8>>) {
        match (self.reading.verdict(&self.table, head), body) {
            (Verdict::Lend(stream), Some(body)) => {
                self.start(stream);
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
                            let size = self.table.size(first.index);
                            offset > 0 && size.is_some_and(|size| size <= offset)
                        }
                        Plan::Whole { .. } | Plan::Header | Plan::Nothing => false,
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

    /// At most `room` octets of the body that is being lent.
    pub(super) fn body(&mut self, room: usize) -> Option<Reply<'_>> {
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
    pub(super) fn literal_done(&mut self, uid: Option<u32>) {
        let Some(stream) = self.reading.stream else {
            return;
        };
        if uid.is_some_and(|uid| uid != stream.uid) {
            self.drop_link(Failure::temporary(
                "upstream sent another message than it was asked",
            ));
        } else {
            self.piece_done();
        }
    }

    /// The session has all of the piece that was lent.
    fn piece_done(&mut self) {
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
            self.answers.push_back(Answer::BodyEnd(first.ticket));
        }
    }

    pub(super) fn fail_first(&mut self, failure: Failure) {
        if let Some(first) = self.reading.wanted.pop_front() {
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
            // whatever the server has against it, windows will show
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
        self.stop_reading();
        let mut kept = VecDeque::new();
        for mut wanted in mem::take(&mut self.reading.wanted) {
            if wanted.started || wanted.retried {
                let failure = Failure::temporary(failure.detail.clone());
                self.answers
                    .push_back(Answer::BodyFailed(wanted.ticket, failure));
            } else {
                wanted.retried = true;
                if wanted.plan == Plan::Header {
                    // it may be this that the server did not bear
                    wanted.plan = Plan::FIRST;
                }
                kept.push_back(wanted);
            }
        }
        self.reading.wanted = kept;
    }

    /// There is no connection to be had.
    pub(super) fn reading_failed(&mut self, failure: &Failure) {
        self.stop_reading();
        for wanted in mem::take(&mut self.reading.wanted) {
            let failure = Failure::temporary(failure.detail.clone());
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
