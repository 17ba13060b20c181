//! The store: the user `u` with the password `p w` and some messages.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncMessage, AsyncStore, Bytes};
use pop3_proto::backend::blocking::{Mailbox, Store};
use pop3_proto::backend::store::{Entry, StoreError, message_size};
use pop3_proto::backend::{Access, Index, Open};
use pop3_proto::secret::Secret;

thread_local! {
    static IN_JOB: Cell<bool> = const { Cell::new(false) };
}

/// Runs a job, which may touch a store.
pub(crate) fn in_job<T>(job: impl FnOnce() -> T) -> T {
    assert!(!IN_JOB.replace(true), "a job within a job");
    let yielded = job();
    IN_JOB.set(false);
    yielded
}

/// Messages, and what befalls them.
pub(crate) struct Shelf {
    pub(crate) messages: Vec<Vec<u8>>,
    /// Octets that a reader gives at once.
    pub(crate) piece: usize,
    /// How often a future is polled before it is ready.
    pub(crate) naps: usize,
    pub(crate) access: Access,
    /// What clients delete stays.
    pub(crate) keeps: bool,
    /// The call that fails, by name, and how.
    pub(crate) fault: Option<(&'static str, StoreError)>,
    /// After how many octets of a message its reader fails.
    pub(crate) breaks_at: Option<usize>,
    /// Drops outside of a job are wrong.
    pub(crate) blocks: bool,
    pub(crate) log: Arc<Mutex<Log>>,
}

/// What was done with a [`Shelf`].
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) calls: Vec<String>,
    pub(crate) removed: Vec<u32>,
    pub(crate) retrieved: Vec<u32>,
    /// Mailboxes and messages that exist.
    pub(crate) mailboxes: usize,
    pub(crate) messages: usize,
    /// Octets read in all, and since a job began.
    pub(crate) read: usize,
}

impl Shelf {
    pub(crate) fn new(messages: &[Vec<u8>]) -> Self {
        Self {
            messages: messages.to_vec(),
            piece: 1000,
            naps: 1,
            access: Access::ReadWrite,
            keeps: false,
            fault: None,
            breaks_at: None,
            blocks: false,
            log: Arc::default(),
        }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.log.lock().unwrap().calls.clone()
    }

    pub(crate) fn removed(&self) -> Vec<u32> {
        self.log.lock().unwrap().removed.clone()
    }

    pub(crate) fn read(&self) -> usize {
        self.log.lock().unwrap().read
    }

    /// Mailboxes and messages that exist.
    pub(crate) fn alive(&self) -> (usize, usize) {
        let log = self.log.lock().unwrap();
        (log.mailboxes, log.messages)
    }

    fn dropped(&self) {
        let allowed = IN_JOB.get() || !self.blocks || std::thread::panicking();
        assert!(allowed, "dropped outside of a job");
    }

    fn check(&self, open: &Open) -> Result<(), StoreError> {
        self.call("open".into(), "open")?;
        let secret = Secret::from(&b"p w"[..]);
        if open.login.user() != Some("u") || !open.login.proves(&secret) {
            return Err(StoreError::Credentials);
        }
        Ok(())
    }

    fn call(&self, what: String, name: &str) -> Result<(), StoreError> {
        assert!(IN_JOB.get(), "{what} outside of a job");
        self.log.lock().unwrap().calls.push(what);
        match &self.fault {
            Some((call, error)) if *call == name => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }
}

/// An open maildrop of a [`Shelf`], blocking and not.
pub(crate) struct Slot(Arc<Shelf>);

impl Slot {
    fn new(shelf: &Shelf) -> Self {
        let copy = Shelf {
            messages: shelf.messages.clone(),
            fault: shelf.fault.clone(),
            log: Arc::clone(&shelf.log),
            ..*shelf
        };
        shelf.log.lock().unwrap().mailboxes += 1;
        Self(Arc::new(copy))
    }

    fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        self.0.call("list".into(), "list")?;
        let messages = self.0.messages.iter().enumerate();
        let entries = messages.map(|(n, message)| Entry {
            size: message_size(&message[..]).unwrap(),
            unique_id: format!("id{n}"),
        });
        Ok(entries.collect())
    }

    fn open(&self, index: Index) -> Result<Text, StoreError> {
        self.0.call(format!("message {}", index.0), "message")?;
        let mut log = self.0.log.lock().unwrap();
        assert_eq!(log.messages, 0, "two messages at a time");
        log.messages += 1;
        Ok(Text {
            shelf: Arc::clone(&self.0),
            bytes: self.0.messages[index.0 as usize].clone(),
            at: 0,
            empty: false,
        })
    }

    fn take(&self, deleted: &[Index], retrieved: &[Index]) -> Result<(), StoreError> {
        self.0.call("update".into(), "update")?;
        let mut log = self.0.log.lock().unwrap();
        assert_eq!(log.messages, 0, "an update while a message is read");
        log.removed.extend(deleted.iter().map(|index| index.0));
        log.retrieved.extend(retrieved.iter().map(|index| index.0));
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.log.lock().unwrap().mailboxes -= 1;
        self.0.dropped();
    }
}

/// A message that is read.
pub(crate) struct Text {
    shelf: Arc<Shelf>,
    bytes: Vec<u8>,
    at: usize,
    empty: bool,
}

impl Text {
    fn next(&mut self, most: usize) -> io::Result<&[u8]> {
        assert!(IN_JOB.get(), "read outside of a job");
        let broken = self.shelf.breaks_at.unwrap_or(usize::MAX);
        if self.at >= broken {
            return Err(io::Error::other("the disk is tired"));
        }
        let rest = &self.bytes[self.at..self.bytes.len().min(broken)];
        let n = rest.len().min(most).min(self.shelf.piece.max(1));
        self.at += n;
        self.shelf.log.lock().unwrap().read += n;
        Ok(&rest[..n])
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.shelf.log.lock().unwrap().messages -= 1;
        self.shelf.dropped();
    }
}

impl Read for Text {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let piece = self.next(buf.len())?;
        buf[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

impl Store for Shelf {
    type Mailbox = Slot;

    fn open(&self, open: &Open) -> Result<Slot, StoreError> {
        self.check(open)?;
        Ok(Slot::new(self))
    }
}

impl Mailbox for Slot {
    fn access(&self) -> Access {
        self.0.access
    }

    fn keeps_deleted(&self) -> bool {
        self.0.keeps
    }

    fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        self.entries()
    }

    fn message(&mut self, index: Index) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(Box::new(self.open(index)?))
    }

    fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
        unreachable!("update is overridden")
    }

    fn update(&mut self, deleted: &[Index], retrieved: &[Index]) -> Result<(), StoreError> {
        self.take(deleted, retrieved)
    }
}

impl AsyncStore for Shelf {
    type Mailbox = Slot;

    async fn open(&self, open: &Open) -> Result<Slot, StoreError> {
        nap(self.naps).await;
        self.check(open)?;
        Ok(Slot::new(self))
    }
}

impl AsyncMailbox for Slot {
    type Message = Text;

    fn access(&self) -> Access {
        self.0.access
    }

    fn keeps_deleted(&self) -> bool {
        self.0.keeps
    }

    async fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        nap(self.0.naps).await;
        self.entries()
    }

    async fn message(&mut self, index: Index) -> Result<Text, StoreError> {
        nap(self.0.naps).await;
        self.open(index)
    }

    async fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
        unreachable!("update is overridden")
    }

    async fn update(&mut self, deleted: &[Index], retrieved: &[Index]) -> Result<(), StoreError> {
        nap(self.0.naps).await;
        self.take(deleted, retrieved)
    }
}

impl AsyncMessage for Text {
    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        nap(self.shelf.naps).await;
        // an empty piece is no end
        self.empty = !self.empty;
        if self.empty {
            return Ok(Some(Bytes::new()));
        }
        let piece = self.next(usize::MAX)?.to_vec();
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

/// A future that is ready when it was polled often enough.
fn nap(times: usize) -> impl Future<Output = ()> + Send {
    struct Nap(usize);
    impl Future for Nap {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if self.0 == 0 {
                return Poll::Ready(());
            }
            self.0 -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Nap(times)
}
