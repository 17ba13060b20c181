//! Stores whose code waits: network clients, channels, anything `async`.
//!
//! The author writes an [`AsyncStore`], its [`AsyncMailbox`] and its [`AsyncMessage`]; [`Awaiting`] makes
//! a [`Backend`] of them. What is asked, when and in which order is the same as for [blocking
//! stores](super::blocking). The driver polls the futures in place, as [`Job::Await`]: they run on the
//! runtime of the server, and they must not block.
//!
//! # Examples
//!
//! A mailbox with one message, which comes over a channel:
//!
//! ```
//! use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncStore, Bytes};
//! use pop3_proto::backend::store::{Entry, StoreError};
//! use pop3_proto::backend::{Index, Open};
//! # use std::collections::VecDeque;
//! # struct Receiver(VecDeque<Bytes>);
//! # impl Receiver { async fn recv(&mut self) -> Option<Bytes> { self.0.pop_front() } }
//!
//! struct Alarms;
//!
//! impl AsyncStore for Alarms {
//!     type Mailbox = Alarm;
//!
//!     async fn open(&self, _: &Open) -> Result<Alarm, StoreError> {
//!         Err(StoreError::Policy("there is no account yet".into()))
//!     }
//! }
//!
//! struct Alarm {
//!     channel: Receiver,
//!     text: Bytes,
//! }
//!
//! impl AsyncMailbox for Alarm {
//!     type Message = Bytes;
//!
//!     async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
//!         let closed = || StoreError::Temporary("the channel is closed".into());
//!         self.text = self.channel.recv().await.ok_or_else(closed)?;
//!         Ok(vec![Entry { size: self.text.len() as u64, unique_id: "1".into() }])
//!     }
//!
//!     async fn message(&mut self, _: Index) -> Result<Bytes, StoreError> {
//!         Ok(self.text.clone())
//!     }
//!
//!     async fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
//!         Ok(())
//!     }
//! }
//! ```

use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::Arc;

pub use bytes::Bytes;

pub use super::adapter::Done;
use super::adapter::{Adapter, DoneOf, Listed, Opened, Piece, Task, TaskOf, Worker, Yield};
use super::store::{self, Entry, StoreError};
use super::{Access, Backend, Effect, Index, Job, Open, Outcome, Part, Reply, Request};
use crate::time::Time;

/// A mail store: what users log in to. Shared by all sessions.
pub trait AsyncStore: Send + Sync + 'static {
    /// What a login opens.
    type Mailbox: AsyncMailbox;

    /// Checks the login and opens the maildrop. [`Login::proves`](super::Login::proves) checks one against
    /// a known secret.
    ///
    /// Fails with [`StoreError::Credentials`] for a wrong secret and for an unknown user alike.
    fn open(&self, open: &Open) -> impl Future<Output = Result<Self::Mailbox, StoreError>> + Send;
}

/// An open maildrop: of one session, one call at a time. Dropped when the session ends.
pub trait AsyncMailbox: Send + 'static {
    /// A message that is being read.
    type Message: AsyncMessage;

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
    fn list(&mut self) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// The message at this place of the list, as it is stored: line ends are repaired and dots stuffed by
    /// the session. It is read to its end, or dropped where the client had enough, before anything else is
    /// called.
    fn message(
        &mut self,
        index: Index,
    ) -> impl Future<Output = Result<Self::Message, StoreError>> + Send;

    /// The header of a message, the blank line and this many lines of its body, or more of it: the session
    /// counts. For stores to which less is cheaper; otherwise leave it out.
    fn top(
        &mut self,
        index: Index,
        lines: u64,
    ) -> impl Future<Output = Result<Self::Message, StoreError>> + Send {
        let _ = lines;
        self.message(index)
    }

    /// Whether messages that clients delete stay, because the store is configured so: then
    /// [`remove`](Self::remove) leaves them, and the client hears that they were kept.
    fn keeps_deleted(&self) -> bool {
        false
    }

    /// Removes these messages, ascending and at least one. The client has said QUIT. One that is gone
    /// already is no error; if any is still there, return one, so that the client learns of it.
    fn remove(&mut self, indexes: &[Index]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The client has said QUIT: removes what it deleted, by [`remove`](Self::remove) if there is any. A
    /// store that notes what was read, or that does both in one transaction, writes this in its own way.
    /// `retrieved` are the messages that were sent whole, deleted or not. Not called if the session was
    /// read-only.
    fn update(
        &mut self,
        deleted: &[Index],
        retrieved: &[Index],
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = retrieved;
        async move {
            if deleted.is_empty() {
                return Ok(());
            }
            self.remove(deleted).await
        }
    }
}

/// A message that is being read. [`Bytes`] is one that is in memory as a whole.
pub trait AsyncMessage: Send + 'static {
    /// The next octets, cut anywhere; `None` at the end. Asked for when the client has taken the last: a
    /// piece of about 64 KiB keeps a session small and is large enough to be fast.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}

impl AsyncMessage for Bytes {
    async fn chunk(&mut self) -> Result<Option<Self>, StoreError> {
        let all = mem::take(self);
        Ok((!all.is_empty()).then_some(all))
    }
}

/// An asynchronous store as a [`Backend`]: one session with it.
pub struct Awaiting<S: AsyncStore>(Adapter<Futures<S>>);

impl<S: AsyncStore> Awaiting<S> {
    /// A session with this store, before the login.
    pub fn new(store: Arc<S>) -> Self {
        Self(Adapter::new(Futures(store)))
    }
}

impl<S: AsyncStore> Backend for Awaiting<S> {
    type Done = Done<S::Mailbox, MessageOf<S>, Bytes>;

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

impl<S: AsyncStore> fmt::Debug for Awaiting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaiting").finish_non_exhaustive()
    }
}

/// The messages of a store's mailboxes.
type MessageOf<S> = <<S as AsyncStore>::Mailbox as AsyncMailbox>::Message;

/// Makes jobs that wait.
struct Futures<S>(Arc<S>);

impl<S: AsyncStore> Worker for Futures<S> {
    type Mailbox = S::Mailbox;
    type Message = MessageOf<S>;
    type Chunk = Bytes;

    fn job(&self, task: TaskOf<Self>) -> Job<DoneOf<Self>> {
        let store = Arc::clone(&self.0);
        Job::Await(Box::pin(async move { Done(run(&*store, task).await) }))
    }

    fn discard(
        &self,
        _: Option<Self::Mailbox>,
        _: Option<Self::Message>,
    ) -> Option<Job<DoneOf<Self>>> {
        None
    }
}

async fn run<S: AsyncStore>(
    store: &S,
    task: Task<S::Mailbox, MessageOf<S>, Bytes>,
) -> Yield<S::Mailbox, MessageOf<S>, Bytes> {
    match task {
        Task::Open(open) => Yield::Opened(store.open(&open).await.map(|mailbox| Opened {
            account: mailbox.account().map(Into::into),
            mailbox,
        })),
        Task::List(mailbox) => Yield::Listed(list(mailbox).await),
        Task::Start {
            mut mailbox,
            index,
            part,
        } => {
            let message = match part {
                Part::Whole => mailbox.message(index).await,
                Part::Top { lines } => mailbox.top(index, lines).await,
            };
            let piece = match message {
                Ok(message) => read(message).await,
                Err(error) => Err(error),
            };
            Yield::Started { mailbox, piece }
        }
        Task::Read { message, .. } => Yield::Read(read(message).await),
        Task::Update {
            mut mailbox,
            deleted,
            retrieved,
        } => Yield::Updated {
            kept: mailbox.keeps_deleted() && !deleted.is_empty(),
            result: mailbox.update(&deleted, &retrieved).await,
        },
    }
}

async fn list<M: AsyncMailbox>(mut mailbox: M) -> Result<Listed<M>, StoreError> {
    let entries = store::checked(mailbox.list().await?)?;
    Ok(Listed {
        access: mailbox.access(),
        mailbox,
        entries,
    })
}

/// The next octets, if any are left.
async fn read<R: AsyncMessage>(mut message: R) -> Result<Piece<R, Bytes>, StoreError> {
    while let Some(chunk) = message.chunk().await? {
        if !chunk.is_empty() {
            let rest = Some(message);
            return Ok(Piece { chunk, rest });
        }
    }
    Ok(Piece {
        chunk: Bytes::new(),
        rest: None,
    })
}
