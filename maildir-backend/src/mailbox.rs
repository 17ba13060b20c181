//! An open maildrop: one session's view of a folder.
//!
//! Owns what was listed, and finds it again when others rename it. Changes nothing before QUIT.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pop3_proto::backend::blocking::Mailbox;
use pop3_proto::backend::store::{Entry, StoreError};
use pop3_proto::backend::{Access, Index};

use crate::config::{Deletion, Layout};
use crate::folder::{Folder, Found};
use crate::form::{self, Form};
use crate::held::Held;
use crate::listing::{self, Files};
use crate::measure::Counting;
use crate::message::{Message, Told};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::stamp::Stamp;
use crate::suspects::Watched;
use crate::{identity, name, removal};

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
        let reader = self.reader(folder, message, file, stamp)?;
        Ok(Opened { reader, stamp })
    }

    /// The mail in a file. What may break off is read to its end before: POP3 cannot report an error
    /// in the middle, and one that is cut off comes back for the same message.
    fn reader(
        &self,
        folder: &Folder,
        message: &Message,
        file: File,
        stamp: Stamp,
    ) -> Result<Box<dyn Read + Send>, StoreError> {
        let Shared {
            config, suspects, ..
        } = &*self.shared;
        let name = &message.found.name;
        let named = |error: io::Error| {
            let path = folder.place(message.found.place).path();
            let path = path.join(name::display(name));
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        };
        let plan = form::plan(folder.layout, config, name, &file).map_err(named)?;
        let suspect = (folder.home.identity()?, Box::from(folder.base(name)));
        let is_suspect = suspects.has(&suspect);
        let counted = message.form == Some(plan.form()) && stamp.looks_like(message.stamp);
        if is_suspect || (plan.form() == Form::Packed && !counted) {
            let snapshot = Snapshot::new((file.try_clone()?, stamp));
            let whole = io::copy(&mut plan.reader(snapshot, stamp, ""), &mut io::sink());
            whole.map_err(named)?;
            suspects.forget(&suspect);
            (&file).rewind()?;
        }
        let digest = message.proof.as_deref().map(|proof| &proof.digest);
        let mark = identity::mark(name, stamp, digest);
        let reader = plan.reader(Snapshot::new((file, stamp)), stamp, &mark);
        Ok(Box::new(Watched::new(
            reader,
            suspect,
            Arc::clone(suspects),
        )))
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

    fn keeps_deleted(&self) -> bool {
        self.shared.config.deletion == Deletion::Keep
    }

    fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        let Some(folder) = &self.folder else {
            return Ok(Vec::new());
        };
        let Shared { config, memory, .. } = &*self.shared;
        let writes = self.access == Access::ReadWrite;
        if writes && config.lock {
            self.held = Some(Held::take(&folder.home)?);
        }
        let counting = Counting::for_session(writes);
        let told = listing::list(folder, config, memory, Files::Settled, counting)?;
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
            // the client may delete what it has read
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
        let kept = self.keeps_deleted();
        let marked = if config.mark_seen {
            let left = |index: &Index| kept || deleted.binary_search(index).is_err();
            self.mark_seen(retrieved.iter().copied().filter(left))
        } else {
            Ok(())
        };
        // before the client gets the answer: it may log in again at once
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use pop3_proto::backend::blocking::Store;
    use pop3_proto::backend::store::Accounts;
    use pop3_proto::backend::{Caller, Login, Open};
    use pop3_proto::secret::Secret;

    use super::*;
    use crate::disk::faults;
    use crate::{Config, MaildirStore};

    struct Anybody;

    impl Accounts for Anybody {
        fn check(&self, _: &Login, _: &Caller) -> Result<String, StoreError> {
            Ok("u".to_owned())
        }
    }

    fn open(store: &MaildirStore) -> (MaildirMailbox, usize) {
        let open = Open::new(Login::Password {
            user: "u".to_owned(),
            password: Secret::default(),
        })
        .access(Access::ReadOnly);
        let mut mailbox = store.open(&open).unwrap();
        let messages = mailbox.list().unwrap().len();
        (mailbox, messages)
    }

    fn read(mailbox: &mut MaildirMailbox, index: u32) -> Result<u64, StoreError> {
        let mut message = mailbox.message(Index(index))?;
        // from here on an error comes in the middle of an answer
        Ok(io::copy(&mut message, &mut io::sink()).unwrap_or(0))
    }

    fn stores() -> Vec<(tempfile::TempDir, MaildirStore)> {
        let one = |layout| {
            let root = tempfile::tempdir().unwrap();
            let mut config = Config::new(root.path());
            config.layout = layout;
            config.settle = std::time::Duration::ZERO;
            let place = match layout {
                Layout::Maildir => "new",
                Layout::Directory => ".",
            };
            fs::create_dir_all(root.path().join(place)).unwrap();
            for (name, length) in [("1.a", 10), ("2.b", 200_000), ("3.c", 10)] {
                let path = root.path().join(place).join(name);
                fs::write(path, vec![b'x'; length]).unwrap();
            }
            let store = MaildirStore::new(config, Arc::new(Anybody)).unwrap();
            (root, store)
        };
        vec![one(Layout::Maildir), one(Layout::Directory)]
    }

    /// A client is cut off in a message once. From then on it gets an error, and reaches the others.
    #[test]
    fn w007_a_bad_spot_within_a_message_cuts_one_session_and_no_other() {
        for (_root, store) in stores() {
            let (mut mailbox, messages) = open(&store);
            assert_eq!(messages, 3);
            faults::damage(Some(("an open file", 100_000)));
            assert_eq!(read(&mut mailbox, 1), Ok(0), "broken off");
            for _ in 0..2 {
                let (mut mailbox, messages) = open(&store);
                assert_eq!(messages, 3);
                assert_eq!(read(&mut mailbox, 0), Ok(10));
                let error = mailbox.message(Index(1)).map(drop).unwrap_err();
                assert!(matches!(error, StoreError::Temporary(_)), "{error:?}");
                assert!(error.to_string().contains("2.b"), "{error}");
                assert_eq!(read(&mut mailbox, 2), Ok(10));
            }
            // the disk is whole again
            faults::damage(None);
            let (mut mailbox, _) = open(&store);
            assert_eq!(read(&mut mailbox, 1), Ok(200_000));
        }
    }

    #[test]
    fn a_change_shows_in_a_folder_whose_last_is_some_time_ago() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let past = |seconds| {
            is_past(&Stamp {
                changed: (seconds, 0),
                ..Stamp::default()
            })
        };
        assert!(past(now - 10) && !past(now) && !past(now + 3600));
    }

    /// What could not be read when it was listed was not changed by that, and is counted by the next session.
    #[test]
    fn w007_a_bad_spot_that_is_mended_leaves_nothing() {
        for (root, store) in stores() {
            let place = root.path().join("new");
            let place = if place.is_dir() {
                place
            } else {
                root.path().into()
            };
            fs::write(place.join("4.d"), "x\n".repeat(100_000)).unwrap();
            faults::damage(Some(("an open file", 100_000)));
            let (mut mailbox, messages) = open(&store);
            assert_eq!(messages, 4);
            faults::damage(None);
            assert_eq!(read(&mut mailbox, 1), Ok(200_000));
            let (mut mailbox, _) = open(&store);
            assert_eq!(mailbox.list().unwrap()[3].size, 300_000);
        }
    }

    /// A file whose state the disk does not show is listed, and its owner gets the others.
    #[test]
    fn w007_a_file_of_which_nothing_is_known_leaves_the_others() {
        for (_root, store) in stores() {
            faults::damage(Some(("2.b", 0)));
            let (mut mailbox, messages) = open(&store);
            assert_eq!(messages, 3);
            let results: Vec<_> = (0..3).map(|at| read(&mut mailbox, at)).collect();
            assert_eq!(
                results.iter().filter(|result| **result == Ok(10)).count(),
                2
            );
            let error = results.into_iter().find_map(Result::err).unwrap();
            assert!(error.to_string().contains("bad spot"), "{error}");
            faults::damage(None);
        }
    }
}
