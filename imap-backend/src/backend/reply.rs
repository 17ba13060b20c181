//! What goes to the session, in order.

use alloc::vec::Vec;

use pop3_proto::backend::{Failure, Refusal, Reply, Ticket};

use super::ImapBackend;

/// A reply that waits to be fetched. Bodies and entries are made when they are fetched.
#[derive(Debug)]
pub(super) enum Answer {
    Challenge(Vec<u8>),
    Authenticated,
    Refused(Refusal),
    BodyStart(Ticket, Option<u64>),
    BodyEnd(Ticket),
    BodyFailed(Ticket, Failure),
    Updated,
    Kept,
    Failed(Failure),
}

impl ImapBackend {
    /// The reply that an answer is.
    pub(super) fn reply(&mut self, answer: Answer) -> Reply<'_> {
        match answer {
            Answer::Challenge(challenge) => {
                self.lent = challenge;
                Reply::Challenge(&self.lent)
            }
            Answer::Authenticated => Reply::Authenticated,
            Answer::Refused(refusal) => Reply::Refused(refusal),
            Answer::BodyStart(ticket, size) => Reply::BodyStart { ticket, size },
            Answer::BodyEnd(ticket) => Reply::BodyEnd { ticket },
            Answer::BodyFailed(ticket, failure) => Reply::BodyFailed { ticket, failure },
            Answer::Updated => Reply::Updated,
            Answer::Kept => Reply::Kept,
            Answer::Failed(failure) => Reply::Failed(failure),
        }
    }
}
