//! What adapter and store hand each other: tasks in one direction, results in the other.

use core::fmt;

use crate::backend::store::{Entry, StoreError};
use crate::backend::{Access, Index, Job, Open, Part};

/// Makes jobs of tasks.
pub(in crate::backend) trait Worker: Send {
    /// An open maildrop.
    type Mailbox: Send + 'static;
    /// A message that is being read.
    type Message: Send + 'static;
    /// Octets of a message.
    type Chunk: AsRef<[u8]> + Default + Send + 'static;

    /// The job that does this.
    fn job(&self, task: TaskOf<Self>) -> Job<DoneOf<Self>>;

    /// The job that drops what is no longer needed, unless it was dropped on the spot.
    fn discard(
        &self,
        mailbox: Option<Self::Mailbox>,
        message: Option<Self::Message>,
    ) -> Option<Job<DoneOf<Self>>>;
}

/// What a job does.
pub(in crate::backend) enum Task<M, R, C> {
    /// Checks the login.
    Open(Open),
    /// Lists the maildrop.
    List(M),
    /// Opens a message and reads its first chunk.
    Start {
        mailbox: M,
        index: Index,
        part: Part,
    },
    /// Reads the next chunk, into the buffer of the last one.
    Read { message: R, chunk: C },
    /// Ends a session after QUIT.
    Update {
        mailbox: M,
        deleted: Vec<Index>,
        retrieved: Vec<Index>,
    },
}

/// What a job brings back.
pub(in crate::backend) enum Yield<M, R, C> {
    Opened(Result<Opened<M>, StoreError>),
    Listed(Result<Listed<M>, StoreError>),
    Started {
        mailbox: M,
        piece: Result<Piece<R, C>, StoreError>,
    },
    Read(Result<Piece<R, C>, StoreError>),
    Updated {
        /// There were marks, and the store keeps what was marked.
        kept: bool,
        result: Result<(), StoreError>,
    },
    Discarded,
}

/// What a job of a store's adapter brings back. Only the adapter that handed the job out can read it.
pub struct Done<M, R, C>(pub(in crate::backend) Yield<M, R, C>);

impl<M, R, C> fmt::Debug for Done<M, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").finish_non_exhaustive()
    }
}

/// A maildrop that a login opened.
pub(in crate::backend) struct Opened<M> {
    pub(in crate::backend) mailbox: M,
    /// Its name, where the store says it.
    pub(in crate::backend) account: Option<String>,
}

/// A maildrop that was listed.
pub(in crate::backend) struct Listed<M> {
    pub(in crate::backend) mailbox: M,
    pub(in crate::backend) access: Access,
    pub(in crate::backend) entries: Vec<Entry>,
}

/// Octets of a message, and the message itself if there is more of it.
pub(in crate::backend) struct Piece<R, C> {
    pub(in crate::backend) chunk: C,
    pub(in crate::backend) rest: Option<R>,
}

/// A worker's tasks.
pub(in crate::backend) type TaskOf<W> =
    Task<<W as Worker>::Mailbox, <W as Worker>::Message, <W as Worker>::Chunk>;

/// What a worker's jobs bring back, in the wrapping that outsiders see.
pub(in crate::backend) type DoneOf<W> =
    Done<<W as Worker>::Mailbox, <W as Worker>::Message, <W as Worker>::Chunk>;
