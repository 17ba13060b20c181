//! The machine that the store adapters share: requests in, one job at a time out.
//!
//! It owns the order of things: when a store is asked what, what becomes of the answer, and what is
//! thrown away. It never calls a store and never knows whether a job blocks or waits: its [`Worker`]
//! does. While a job runs it has what it works on, so a mailbox never gets two calls at a time.

mod reading;
mod task;

use std::vec;

pub use task::Done;
pub(super) use task::{DoneOf, Listed, Opened, Piece, Task, TaskOf, Worker, Yield};

use super::store::Entry;
use super::{
    Access, Effect, Failure, Index, Job, Login, Open, Outcome, Refusal, RefusalKind, Reply, Request,
};
use reading::Reading;

/// One session with a store.
pub(super) struct Adapter<W: Worker> {
    worker: W,
    phase: Phase,
    access: Access,
    /// Whose mailbox it is, where the store says it.
    account: Option<String>,
    /// Here while no job works on it.
    mailbox: Option<W::Mailbox>,
    /// Why the mailbox will never be here again.
    lost: Option<Failure>,
    /// The entry that is lent out, or was the last one.
    entry: Entry,
    reading: Reading<W::Message, W::Chunk>,
    in_flight: Option<Flight>,
}

/// The phase of the session. The job that a phase waits for may be running.
enum Phase {
    /// Nothing has been asked for yet.
    Fresh,
    /// The login, until a job has it.
    Opening(Option<Open>),
    /// The composition has to learn of it, and to lock the maildrop, before anything is listed.
    Authenticated,
    Listing,
    /// Entries go out.
    Listed(vec::IntoIter<Entry>),
    Transaction,
    /// The update, until a job has it.
    Updating(Option<Update>),
    /// The last reply, until it is taken. What is still here is dropped.
    Ended(Option<Last>),
}

struct Update {
    deleted: Vec<Index>,
    retrieved: Vec<Index>,
}

enum Last {
    Refused(Refusal),
    Failed(Failure),
    Updated,
    Kept,
}

/// The job that runs.
#[derive(Clone, Copy)]
enum Flight {
    Open,
    List,
    Start,
    Read,
    Update,
    Discard,
}

impl<W: Worker> Adapter<W> {
    pub(super) fn new(worker: W) -> Self {
        Self {
            worker,
            phase: Phase::Fresh,
            access: Access::default(),
            account: None,
            mailbox: None,
            lost: None,
            entry: Entry::default(),
            reading: Reading::new(),
            in_flight: None,
        }
    }

    pub(super) fn handle_request(&mut self, request: Request) {
        match request {
            Request::Open(open) => self.open(open),
            // nothing here ever asks a question
            Request::Answer(_) => {}
            Request::Retrieve {
                ticket,
                index,
                part,
            } => {
                if matches!(self.phase, Phase::Transaction) {
                    self.reading.want(ticket, index, part, self.lost.as_ref());
                }
            }
            Request::Cancel(ticket) => self.reading.cancel(ticket),
            Request::Update { deleted, retrieved } => {
                self.reading.cancel_all();
                if matches!(self.phase, Phase::Transaction) {
                    self.phase = Phase::Updating(Some(Update { deleted, retrieved }));
                }
            }
            Request::Abandon => {
                self.reading.cancel_all();
                self.end(None);
            }
        }
        self.advance();
    }

    pub(super) fn handle_outcome(&mut self, outcome: Outcome<DoneOf<W>>) {
        match (outcome, self.in_flight) {
            (Outcome::Done(Done(yielded)), Some(_)) => {
                self.in_flight = None;
                self.done(yielded);
            }
            (Outcome::Lost(failure), Some(flight)) => {
                self.in_flight = None;
                self.lost(flight, failure);
            }
            // nothing runs, and there is no upstream connection
            (Outcome::Done(_) | Outcome::Lost(_), None)
            | (Outcome::Connected | Outcome::Resumed(_) | Outcome::TlsReady, _) => {}
        }
        self.advance();
    }

    pub(super) fn poll_reply(&mut self, room: usize) -> Option<Reply<'_>> {
        match &mut self.phase {
            Phase::Authenticated => {
                self.phase = Phase::Listing;
                Some(Reply::Authenticated)
            }
            Phase::Listed(entries) => Some(match entries.next() {
                Some(entry) => {
                    self.entry = entry;
                    Reply::Entry {
                        size: self.entry.size,
                        unique_id: self.entry.unique_id.as_bytes(),
                    }
                }
                None => {
                    self.phase = Phase::Transaction;
                    let access = self.access;
                    Reply::Opened { access }
                }
            }),
            Phase::Transaction => self.reading.poll_reply(room),
            Phase::Ended(last) => last.take().map(|last| match last {
                Last::Refused(refusal) => Reply::Refused(refusal),
                Last::Failed(failure) => Reply::Failed(failure),
                Last::Updated => Reply::Updated,
                Last::Kept => Reply::Kept,
            }),
            Phase::Fresh | Phase::Opening(_) | Phase::Listing | Phase::Updating(_) => None,
        }
    }

    /// The account that the login opened, where the store says it.
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(super) fn poll_effect(&mut self) -> Option<Effect<DoneOf<W>>> {
        if self.in_flight.is_some() {
            return None;
        }
        let (flight, job) = match self.discard() {
            Some(job) => (Flight::Discard, job),
            None => {
                let (flight, task) = self.next_task()?;
                (flight, self.worker.job(task))
            }
        };
        self.in_flight = Some(flight);
        Some(Effect::Run(job))
    }

    fn open(&mut self, open: Open) {
        if !matches!(self.phase, Phase::Fresh) {
            return;
        }
        self.access = open.access;
        if matches!(open.login, Login::Relay { .. }) {
            let detail = "a store cannot answer SASL challenges";
            let refusal = Refusal::new(RefusalKind::Policy, detail);
            return self.end(Some(Last::Refused(refusal)));
        }
        self.phase = Phase::Opening(Some(open));
    }

    /// Where requests and outcomes end: an update that no job can or must do.
    fn advance(&mut self) {
        let Phase::Updating(Some(update)) = &self.phase else {
            return;
        };
        let last = match (&self.lost, self.access) {
            (None, Access::ReadWrite) => return,
            (Some(_), _) | (_, Access::ReadOnly) if update.deleted.is_empty() => Last::Updated,
            (Some(failure), _) => Last::Failed(failure.clone()),
            (None, Access::ReadOnly) => {
                Last::Failed(Failure::permanent("the maildrop is open for reading only"))
            }
        };
        self.end(Some(last));
    }

    fn discard(&mut self) -> Option<Job<DoneOf<W>>> {
        let message = self.reading.take_stale();
        let mailbox = match self.phase {
            Phase::Ended(_) => self.mailbox.take(),
            Phase::Fresh
            | Phase::Opening(_)
            | Phase::Authenticated
            | Phase::Listing
            | Phase::Listed(_)
            | Phase::Transaction
            | Phase::Updating(_) => None,
        };
        if message.is_none() && mailbox.is_none() {
            return None;
        }
        self.worker.discard(mailbox, message)
    }

    fn next_task(&mut self) -> Option<(Flight, TaskOf<W>)> {
        let next = match &mut self.phase {
            Phase::Opening(open) => (Flight::Open, Task::Open(open.take()?)),
            Phase::Listing => (Flight::List, Task::List(self.mailbox.take()?)),
            Phase::Transaction => {
                if let Some((message, chunk)) = self.reading.read() {
                    return Some((Flight::Read, Task::Read { message, chunk }));
                }
                let (index, part) = self.reading.start()?;
                let mailbox = self.mailbox.take()?;
                let task = Task::Start {
                    mailbox,
                    index,
                    part,
                };
                (Flight::Start, task)
            }
            Phase::Updating(update) => {
                let Update { deleted, retrieved } = update.take()?;
                let mailbox = self.mailbox.take()?;
                let task = Task::Update {
                    mailbox,
                    deleted,
                    retrieved,
                };
                (Flight::Update, task)
            }
            Phase::Fresh | Phase::Authenticated | Phase::Listed(_) | Phase::Ended(_) => {
                return None;
            }
        };
        Some(next)
    }

    /// A job came back. If the session ended meanwhile, its result is dropped.
    fn done(&mut self, yielded: Yield<W::Mailbox, W::Message, W::Chunk>) {
        let ended = matches!(self.phase, Phase::Ended(_));
        match yielded {
            Yield::Opened(Ok(Opened { mailbox, account })) => {
                self.mailbox = Some(mailbox);
                self.account = account;
                if !ended {
                    self.phase = Phase::Authenticated;
                }
            }
            Yield::Listed(Ok(listed)) => {
                self.mailbox = Some(listed.mailbox);
                if !ended {
                    self.listed(listed.access, listed.entries);
                }
            }
            Yield::Started { mailbox, piece } => {
                self.mailbox = Some(mailbox);
                self.reading.arrived(piece);
            }
            Yield::Read(piece) => self.reading.arrived(piece),
            Yield::Opened(Err(_)) | Yield::Listed(Err(_)) | Yield::Updated { .. } if ended => {}
            Yield::Opened(Err(error)) | Yield::Listed(Err(error)) => {
                self.end(Some(match error.into_login_answer() {
                    Ok(refusal) => Last::Refused(refusal),
                    Err(failure) => Last::Failed(failure),
                }));
            }
            Yield::Updated { kept, result } => self.end(Some(match result {
                Ok(()) if kept => Last::Kept,
                Ok(()) => Last::Updated,
                Err(error) => Last::Failed(error.into()),
            })),
            Yield::Discarded => {}
        }
    }

    /// A job never comes back, nor does what it was given.
    fn lost(&mut self, flight: Flight, failure: Failure) {
        match flight {
            Flight::Read => self.reading.lost(&failure),
            Flight::Start => {
                self.reading.lost_all(&failure);
                self.lost = Some(failure);
            }
            Flight::Open | Flight::List | Flight::Update => {
                if !matches!(self.phase, Phase::Ended(_)) {
                    self.end(Some(Last::Failed(failure)));
                }
            }
            Flight::Discard => {}
        }
    }

    fn listed(&mut self, access: Access, entries: Vec<Entry>) {
        if access == Access::ReadOnly {
            self.access = Access::ReadOnly;
        }
        self.phase = Phase::Listed(entries.into_iter());
    }

    fn end(&mut self, last: Option<Last>) {
        self.phase = Phase::Ended(last);
    }
}
