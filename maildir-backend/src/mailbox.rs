//! An open maildrop: one session's view of a folder.
//!
//! Owns what was listed, and finds it again when others rename it. Changes nothing before QUIT.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pop3_proto::backend::blocking::Mailbox;
use pop3_proto::backend::store::{Entry, StoreError};
use pop3_proto::backend::{Access, Index};

use crate::config::{Deletion, Layout};
use crate::folder::{Folder, Found};
use crate::held::Held;
use crate::listing::{self, Manner, Message, Told};
use crate::snapshot::Snapshot;
use crate::stamp::Stamp;
use crate::store::Shared;
use crate::{form, identity, name, removal};

/// A session with a folder of a [`MaildirStore`](crate::MaildirStore).
pub struct MaildirMailbox {
    shared: Arc<Shared>,
    account: String,
    /// `None`: there is none, which is the same as empty.
    folder: Option<Folder>,
    access: Access,
    held: Option<Held>,
    messages: Vec<Message>,
    /// The state of the directories when all messages were looked for.
    searched: Vec<Stamp>,
}

/// A message that can be read.
struct Opened {
    reader: Box<dyn Read + Send>,
    stamp: Stamp,
}

impl MaildirMailbox {
    pub(crate) fn new(
        shared: Arc<Shared>,
        folder: Option<Folder>,
        account: String,
        access: Access,
    ) -> Self {
        Self {
            shared,
            account,
            folder,
            access,
            held: None,
            messages: Vec::new(),
            searched: Vec::new(),
        }
    }

    /// The message, and what was found of its file.
    fn open_message(&mut self, index: Index) -> Result<Opened, StoreError> {
        let at = index.0 as usize;
        match self.try_open(at) {
            Err(StoreError::Missing) if self.search()? => self.try_open(at),
            opened => opened,
        }
    }

    fn try_open(&self, at: usize) -> Result<Opened, StoreError> {
        let folder = self.folder.as_ref().ok_or(StoreError::Missing)?;
        let message = self.messages.get(at).ok_or(StoreError::Missing)?;
        let Found { place, name } = &message.found;
        let dir = folder.place(*place);
        let (file, stamp) = dir.read(name)?;
        // a unique-id of a Maildir is the name's, and that of a plain directory the content's
        if folder.layout == Layout::Directory
            && !message.is_still(folder.layout, stamp, || file.try_clone())?
        {
            let path = dir.path().join(name::display(name));
            return Err(StoreError::Temporary(format!(
                "{} changed since it was listed, and is another message at the next login",
                path.display()
            )));
        }
        let plan = form::plan(folder.layout, &self.shared.config, name, &file)?;
        let digest = message.proof.as_deref().map(|proof| &proof.digest);
        let mark = identity::mark(name, stamp, digest);
        let reader = plan.reader(Snapshot::new((file, stamp)), stamp, &mark);
        Ok(Opened { reader, stamp })
    }

    /// Finds all messages that were renamed. False if none can have been since the last time.
    fn search(&mut self) -> Result<bool, StoreError> {
        let Some(folder) = &self.folder else {
            return Ok(false);
        };
        let stamps = folder.stamps()?;
        if stamps == self.searched && stamps.iter().all(is_past) {
            return Ok(false);
        }
        let now = folder.index()?;
        for message in &mut self.messages {
            if let Some(found) = now.get(folder.base(&message.found.name)) {
                message.found.clone_from(found);
            }
        }
        self.searched = stamps;
        Ok(true)
    }

    fn mark_seen(&mut self, indexes: impl Iterator<Item = Index>) -> Result<(), StoreError> {
        let mut result = Ok(());
        for index in indexes {
            let at = index.0 as usize;
            let marked = match self.try_mark_seen(at) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.search()?;
                    match self.try_mark_seen(at) {
                        // gone
                        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                        marked => marked,
                    }
                }
                marked => marked,
            };
            if let (Ok(()), Err(error)) = (&result, marked) {
                result = Err(error.into());
            }
        }
        result
    }

    fn try_mark_seen(&self, at: usize) -> io::Result<()> {
        let Some((folder, message)) = self.folder.as_ref().zip(self.messages.get(at)) else {
            return Ok(());
        };
        let Found { place, name } = &message.found;
        match (folder.cur(), name::seen(name)) {
            (Some(cur), Some(seen)) => folder.place(*place).rename(name, cur, &seen),
            (None, _) | (_, None) => Ok(()),
        }
    }
}

impl Mailbox for MaildirMailbox {
    fn access(&self) -> Access {
        self.access
    }

    fn account(&self) -> Option<&str> {
        Some(&self.account)
    }

    fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        let Some(folder) = &self.folder else {
            return Ok(Vec::new());
        };
        let Shared { config, memory } = &*self.shared;
        let writes = self.access == Access::ReadWrite;
        if writes && config.lock {
            self.held = Some(Held::take(&folder.home)?);
        }
        let manner = Manner {
            saves: writes,
            settled: true,
            counting: listing::COUNTING,
        };
        let told = listing::list(folder, config, memory, manner)?;
        let (messages, entries) = told
            .into_iter()
            .map(|told| {
                let Told {
                    message,
                    unique_id,
                    octets: size,
                } = told;
                (message, Entry { size, unique_id })
            })
            .unzip();
        self.messages = messages;
        Ok(entries)
    }

    fn message(&mut self, index: Index) -> Result<Box<dyn Read + Send>, StoreError> {
        let Opened { reader, stamp } = self.open_message(index)?;
        let layout = self.folder.as_ref().map(|folder| folder.layout);
        if let Some(message) = self.messages.get_mut(index.0 as usize)
            && layout == Some(Layout::Maildir)
        {
            // what the client has read it may delete
            message.stamp = stamp;
        }
        Ok(reader)
    }

    fn top(&mut self, index: Index, _: u64) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(self.open_message(index)?.reader)
    }

    fn remove(&mut self, indexes: &[Index]) -> Result<(), StoreError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let messages = indexes
            .iter()
            .filter_map(|index| self.messages.get(index.0 as usize));
        removal::remove(folder, &self.shared.config.deletion, messages)
    }

    fn update(&mut self, deleted: &[Index], retrieved: &[Index]) -> Result<(), StoreError> {
        let removed = match deleted {
            [] => Ok(()),
            _ => self.remove(deleted),
        };
        let config = &self.shared.config;
        let kept = config.deletion == Deletion::Keep;
        let marked = if config.mark_seen {
            let left = |index: &Index| kept || deleted.binary_search(index).is_err();
            self.mark_seen(retrieved.iter().copied().filter(left))
        } else {
            Ok(())
        };
        // before the client hears of it: it may come back at once
        self.held = None;
        removed.and(marked)
    }
}

/// Whether a change since then would show: clocks of file systems are coarse.
fn is_past(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    i64::try_from(now).is_ok_and(|now| stamp.changed.0 < now.saturating_sub(2))
}

impl fmt::Debug for MaildirMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaildirMailbox")
            .field("folder", &self.folder.as_ref().map(|f| f.home.path()))
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}
