//! Stores whose code blocks: files, embedded databases, blocking clients.
//!
//! The author writes a [`Store`] and its [`Mailbox`]; [`Blocking`] makes a [`Backend`] of them. The
//! [tutorial](super::store) shows a whole one. All of a store's code runs within [`Job::Block`], where
//! blocking is fine: dropping a mailbox or a half-read message too, unless the driver drops the backend.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

pub use super::adapter::Done;
use super::adapter::{Adapter, DoneOf, Listed, Opened, Piece, Task, TaskOf, Worker, Yield};
use super::store::{self, Entry, StoreError};
use super::{Access, Backend, Effect, Index, Job, Open, Outcome, Part, Reply, Request};
use crate::time::Time;

/// The octets of a message that are read at once.
const CHUNK: usize = 64 * 1024;

/// A mail store: what users log in to. Shared by all sessions.
pub trait Store: Send + Sync + 'static {
    /// What a login opens.
    type Mailbox: Mailbox;

    /// Checks the login and opens the maildrop. [`Login::proves`](super::Login::proves) checks one against
    /// a known secret.
    ///
    /// # Errors
    ///
    /// [`StoreError::Credentials`] for a wrong secret and for an unknown user alike.
    fn open(&self, open: &Open) -> Result<Self::Mailbox, StoreError>;
}

/// An open maildrop: of one session, called by one thread at a time. Dropped when the session ends.
pub trait Mailbox: Send + 'static {
    /// What the user may do here, whatever was asked for. Everything, if this is left out.
    fn access(&self) -> Access {
        Access::ReadWrite
    }

    /// The account that was opened, by its own name, whatever case or alias the client wrote: what the
    /// maildrop is locked under. The client's name, if this is left out.
    fn account(&self) -> Option<&str> {
        None
    }

    /// The messages in their order, oldest first. Asked for once, after the login.
    ///
    /// # Errors
    ///
    /// Any; the login then fails.
    fn list(&mut self) -> Result<Vec<Entry>, StoreError>;

    /// The message at this place of the list, as it is stored: line ends are repaired and dots stuffed by
    /// the session. It is read to its end, or dropped where the client had enough, before anything else is
    /// called.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] if the message is gone. An error of the reader breaks the message off.
    fn message(&mut self, index: Index) -> Result<Box<dyn Read + Send>, StoreError>;

    /// The header of a message, the blank line and this many lines of its body, or more of it: the session
    /// counts. For stores to which less is cheaper; otherwise leave it out.
    ///
    /// # Errors
    ///
    /// Those of [`message`](Self::message).
    fn top(&mut self, index: Index, lines: u64) -> Result<Box<dyn Read + Send>, StoreError> {
        let _ = lines;
        self.message(index)
    }

    /// Whether messages that clients delete stay, because the store is configured so: then
    /// [`remove`](Self::remove) leaves them, and the client hears that they were kept.
    fn keeps_deleted(&self) -> bool {
        false
    }

    /// Removes these messages, ascending and at least one. The client has said QUIT. One that is gone
    /// already is no error.
    ///
    /// # Errors
    ///
    /// If any of them is still there; the reply to QUIT says that some were not removed.
    fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError>;

    /// The client has said QUIT: removes what it deleted, by [`remove`](Self::remove) if there is any. A
    /// store that notes what was read, or that does both in one transaction, writes this in its own way.
    /// `retrieved` are the messages that were sent whole, deleted or not. Not called if the session was
    /// read-only.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    fn update(&mut self, deleted: &[Index], retrieved: &[Index]) -> Result<(), StoreError> {
        let _ = retrieved;
        if deleted.is_empty() {
            return Ok(());
        }
        self.remove(deleted)
    }
}

/// A blocking store as a [`Backend`]: one session with it.
pub struct Blocking<S: Store>(Adapter<Threads<S>>);

impl<S: Store> Blocking<S> {
    /// A session with this store, before the login.
    pub fn new(store: Arc<S>) -> Self {
        Self(Adapter::new(Threads(store)))
    }
}

impl<S: Store> Backend for Blocking<S> {
    type Done = Done<S::Mailbox, Box<dyn Read + Send>, Vec<u8>>;

    fn handle_request(&mut self, _: Time, request: Request) {
        self.0.handle_request(request);
    }

    fn handle_outcome(&mut self, _: Time, outcome: Outcome<Self::Done>) {
        self.0.handle_outcome(outcome);
    }

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_reply(&mut self, _: Time, room: usize) -> Option<Reply<'_>> {
        self.0.poll_reply(room)
    }

    fn poll_effect(&mut self) -> Option<Effect<Self::Done>> {
        self.0.poll_effect()
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn maildrop(&self) -> Option<String> {
        self.0.account().map(Into::into)
    }
}

impl<S: Store> fmt::Debug for Blocking<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

/// Makes jobs that block.
struct Threads<S>(Arc<S>);

impl<S: Store> Worker for Threads<S> {
    type Mailbox = S::Mailbox;
    type Message = Box<dyn Read + Send>;
    type Chunk = Vec<u8>;

    fn job(&self, task: TaskOf<Self>) -> Job<DoneOf<Self>> {
        let store = Arc::clone(&self.0);
        Job::Block(Box::new(move || Done(run(&*store, task))))
    }

    fn discard(
        &self,
        mailbox: Option<Self::Mailbox>,
        message: Option<Self::Message>,
    ) -> Option<Job<DoneOf<Self>>> {
        Some(Job::Block(Box::new(move || {
            drop(message);
            drop(mailbox);
            Done(Yield::Discarded)
        })))
    }
}

fn run<S: Store>(
    store: &S,
    task: Task<S::Mailbox, Box<dyn Read + Send>, Vec<u8>>,
) -> Yield<S::Mailbox, Box<dyn Read + Send>, Vec<u8>> {
    match task {
        Task::Open(open) => Yield::Opened(store.open(&open).map(|mailbox| Opened {
            account: mailbox.account().map(Into::into),
            mailbox,
        })),
        Task::List(mailbox) => Yield::Listed(list(mailbox)),
        Task::Start {
            mut mailbox,
            index,
            part,
        } => {
            let message = match part {
                Part::Whole => mailbox.message(index),
                Part::Top { lines } => mailbox.top(index, lines),
            };
            let piece = message.and_then(|message| read(message, Vec::with_capacity(CHUNK)));
            Yield::Started { mailbox, piece }
        }
        Task::Read { message, chunk } => Yield::Read(read(message, chunk)),
        Task::Update {
            mut mailbox,
            deleted,
            retrieved,
        } => Yield::Updated {
            kept: mailbox.keeps_deleted() && !deleted.is_empty(),
            result: mailbox.update(&deleted, &retrieved),
        },
    }
}

fn list<M: Mailbox>(mut mailbox: M) -> Result<Listed<M>, StoreError> {
    let entries = store::checked(mailbox.list()?)?;
    Ok(Listed {
        access: mailbox.access(),
        mailbox,
        entries,
    })
}

/// Fills the chunk, as far as the message goes.
fn read(
    mut message: Box<dyn Read + Send>,
    mut chunk: Vec<u8>,
) -> Result<Piece<Box<dyn Read + Send>, Vec<u8>>, StoreError> {
    chunk.clear();
    let n = io::Read::take(&mut message, CHUNK as u64).read_to_end(&mut chunk)?;
    let rest = (n == CHUNK).then_some(message);
    Ok(Piece { chunk, rest })
}
