//! Messages on their way to the client: one that is read, others that wait for their turn.
//!
//! It owns the chunk that is lent out and what is left of the message while no job reads it. The next
//! chunk is asked for when the last was taken, so that a slow client slows the store down. It never starts
//! a message while a job still works on one that was cancelled.

use std::collections::VecDeque;
use std::mem;

use super::task::Piece;
use crate::backend::store::StoreError;
use crate::backend::{Failure, Index, Part, Reply, Ticket};

/// The retrievals of a session.
pub(super) struct Reading<R, C> {
    current: Option<Retrieval>,
    waiting: VecDeque<Retrieval>,
    /// What is left of the current message.
    rest: Option<R>,
    /// A message that is no longer wanted.
    stale: Option<R>,
    chunk: C,
    /// Octets of `chunk` that were handed over.
    taken: usize,
    /// A job works on a message: the current one, or one that was cancelled if there is none.
    away: bool,
}

struct Retrieval {
    ticket: Ticket,
    index: Index,
    part: Part,
    step: Step,
}

enum Step {
    Wanted,
    /// The first chunk is here, and the client does not know yet.
    Begun,
    Flowing,
    Failed(Failure),
}

impl<R, C: AsRef<[u8]> + Default> Reading<R, C> {
    pub(super) fn new() -> Self {
        Self {
            current: None,
            waiting: VecDeque::new(),
            rest: None,
            stale: None,
            chunk: C::default(),
            taken: 0,
            away: false,
        }
    }

    /// Another message is wanted, after the others. It fails at once if the maildrop is `lost`.
    pub(super) fn want(
        &mut self,
        ticket: Ticket,
        index: Index,
        part: Part,
        lost: Option<&Failure>,
    ) {
        self.waiting.push_back(Retrieval {
            ticket,
            index,
            part,
            step: lost.map_or(Step::Wanted, |failure| Step::Failed(failure.clone())),
        });
        self.go_on();
    }

    /// This message is not wanted any more.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.waiting.retain(|retrieval| retrieval.ticket != ticket);
        if self.current.as_ref().is_some_and(|r| r.ticket == ticket) {
            self.finish();
        }
    }

    /// No message is wanted any more.
    pub(super) fn cancel_all(&mut self) {
        self.waiting.clear();
        self.finish();
    }

    /// A job brought this back.
    pub(super) fn arrived(&mut self, piece: Result<Piece<R, C>, StoreError>) {
        self.away = false;
        match (piece, &mut self.current) {
            (Ok(Piece { chunk, rest }), Some(current)) => {
                self.chunk = chunk;
                self.taken = 0;
                self.rest = rest;
                if let Step::Wanted = current.step {
                    current.step = Step::Begun;
                }
            }
            (Ok(Piece { rest, .. }), None) => self.stale = rest,
            (Err(error), Some(current)) => current.step = Step::Failed(error.into()),
            (Err(_), None) => {}
        }
        self.go_on();
    }

    /// The job that worked on a message never comes back.
    pub(super) fn lost(&mut self, failure: &Failure) {
        self.away = false;
        if let Some(current) = &mut self.current {
            current.step = Step::Failed(failure.clone());
        }
        self.go_on();
    }

    /// The mailbox is lost: so is every message that waits.
    pub(super) fn lost_all(&mut self, failure: &Failure) {
        for retrieval in &mut self.waiting {
            retrieval.step = Step::Failed(failure.clone());
        }
        self.lost(failure);
    }

    /// The message to start, for a job.
    pub(super) fn start(&mut self) -> Option<(Index, Part)> {
        let current = self.current.as_ref()?;
        if self.away || !matches!(current.step, Step::Wanted) {
            return None;
        }
        self.away = true;
        Some((current.index, current.part))
    }

    /// The message to read on, for a job, with a buffer.
    pub(super) fn read(&mut self) -> Option<(R, C)> {
        if self.taken < self.chunk.as_ref().len() {
            return None;
        }
        let rest = self.rest.take()?;
        self.away = true;
        self.taken = 0;
        Some((rest, mem::take(&mut self.chunk)))
    }

    /// What is to be dropped.
    pub(super) fn take_stale(&mut self) -> Option<R> {
        self.stale.take()
    }

    pub(super) fn poll_reply(&mut self, room: usize) -> Option<Reply<'_>> {
        let current = self.current.as_mut()?;
        let ticket = current.ticket;
        match &mut current.step {
            Step::Wanted => None,
            step @ Step::Begun => {
                *step = Step::Flowing;
                // the size in a store's list need not be that of the message
                Some(Reply::BodyStart { ticket, size: None })
            }
            Step::Flowing => {
                let chunk = self.chunk.as_ref();
                let from = self.taken;
                let to = chunk.len().min(from.saturating_add(room));
                if from == chunk.len() && self.rest.is_none() && !self.away {
                    self.finish();
                    return Some(Reply::BodyEnd { ticket });
                }
                self.taken = to;
                let bytes = &self.chunk.as_ref()[from..to];
                (from < to).then_some(Reply::Body { ticket, bytes })
            }
            Step::Failed(failure) => {
                let failure = failure.clone();
                self.finish();
                Some(Reply::BodyFailed { ticket, failure })
            }
        }
    }

    /// The current message is finished or given up. Only what a job has to drop is kept.
    fn finish(&mut self) {
        self.current = None;
        self.chunk = C::default();
        self.taken = 0;
        if let Some(rest) = self.rest.take() {
            self.stale = Some(rest);
        }
        self.go_on();
    }

    fn go_on(&mut self) {
        if self.current.is_none() && !self.away {
            self.current = self.waiting.pop_front();
        }
    }
}
