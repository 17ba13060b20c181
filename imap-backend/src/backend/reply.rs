//! What goes to the session, in order.
//!
//! Owns the replies that wait and the octets that are lent with them. Bodies and entries are made when fetched.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pop3_proto::backend::{Failure, Refusal, Reply, Ticket};

use super::maildrop::Maildrop;

/// A reply that waits to be fetched. Small, because a session keeps room for one.
#[derive(Debug)]
pub(super) enum Answer {
    Challenge(Box<[u8]>),
    Authenticated,
    Refused(Box<Refusal>),
    BodyStart(Ticket, Option<u64>),
    BodyEnd(Ticket),
    BodyFailed(Ticket, Box<Failure>),
    Updated,
    Kept,
    Failed(Box<Failure>),
}

impl Answer {
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }

    pub(super) fn body_failed(ticket: Ticket, failure: Failure) -> Self {
        Self::BodyFailed(ticket, Box::new(failure))
    }
}

/// The replies that wait.
#[derive(Debug, Default)]
pub(super) struct Answers {
    waiting: VecDeque<Answer>,
    /// What is lent with a challenge or an entry.
    lent: Vec<u8>,
}

impl Answers {
    pub(super) fn push(&mut self, answer: Answer) {
        if self.waiting.capacity() == 0 {
            // as a rule there is one at a time
            self.waiting.reserve_exact(1);
        }
        self.waiting.push_back(answer);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next reply; with none waiting the next entry of the listing.
    pub(super) fn next(&mut self, maildrop: &mut Maildrop) -> Option<Reply<'_>> {
        Some(match self.waiting.pop_front() {
            None => return maildrop.entry(&mut self.lent),
            Some(Answer::Challenge(challenge)) => {
                self.lent = challenge.into();
                Reply::Challenge(&self.lent)
            }
            Some(Answer::Authenticated) => Reply::Authenticated,
            Some(Answer::Refused(refusal)) => Reply::Refused(*refusal),
            Some(Answer::BodyStart(ticket, size)) => Reply::BodyStart { ticket, size },
            Some(Answer::BodyEnd(ticket)) => Reply::BodyEnd { ticket },
            Some(Answer::BodyFailed(ticket, failure)) => Reply::BodyFailed {
                ticket,
                failure: *failure,
            },
            Some(Answer::Updated) => Reply::Updated,
            Some(Answer::Kept) => Reply::Kept,
            Some(Answer::Failed(failure)) => Reply::Failed(*failure),
        })
    }
}
