//! What the session is told, in the order in which it came about.

use alloc::vec::Vec;

use pop3_proto::backend::{Access, Failure, Refusal, Reply, Ticket};

use super::ImapBackend;

/// A reply that waits to be fetched; bodies and entries are made when they are.
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

    /// The next entry of the listing, then its end.
    pub(super) fn entry(&mut self) -> Option<Reply<'_>> {
        let index = self.listing?;
        let Some((uid, size)) = self.table.uid(index).zip(self.table.size(index)) else {
            self.listing = None;
            let read_only = self.read_only;
            let access = if read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            };
            return Some(Reply::Opened { access });
        };
        self.listing = Some(index + 1);
        self.lent.clear();
        push_decimal(&mut self.lent, self.uid_validity);
        self.lent.push(b'.');
        push_decimal(&mut self.lent, uid);
        Some(Reply::Entry {
            size,
            unique_id: &self.lent,
        })
    }
}

/// Appends a number in decimal; there may be a hundred thousand of these at a login.
fn push_decimal(text: &mut Vec<u8>, mut number: u64) {
    let start = text.len();
    loop {
        text.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text[start..].reverse();
}
