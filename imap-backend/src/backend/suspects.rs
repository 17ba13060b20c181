//! Messages that an upstream could not send, as this session remembers them: alone or together with all others.
//!
//! Owns the memory and the name of this mailbox in it. Never decides which message is to blame.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Range;

use pop3_proto::time::Time;

use crate::broken::{BrokenMessages, Memory, Standing};
use crate::table::Table;

/// What is remembered, here or for all sessions.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    shared: Option<Arc<dyn Memory>>,
    /// Made when there is something to remember.
    known: Option<Box<Known>>,
}

#[derive(Debug)]
struct Known {
    /// The name by which its messages are remembered.
    mailbox: Arc<str>,
    /// For sessions that share nothing, or whose user is not known.
    own: BrokenMessages,
}

impl Suspects {
    pub(super) fn share(&mut self, memory: Arc<dyn Memory>) {
        self.shared = Some(memory);
    }

    /// Whether nothing is remembered of any message.
    pub(super) fn is_empty(&self) -> bool {
        let (own, shared) = (self.known.as_ref(), self.shared.as_ref());
        own.is_none_or(|known| known.own.is_empty())
            && shared.is_none_or(|shared| shared.is_empty())
    }

    pub(super) fn has_name(&self) -> bool {
        self.known.is_some()
    }

    /// Without a name its messages concern this session only.
    pub(super) fn name(&mut self, mailbox: Option<String>) {
        if mailbox.is_none() {
            self.shared = None;
        }
        let (mailbox, own) = (
            mailbox.unwrap_or_default().into(),
            BrokenMessages::default(),
        );
        self.known = Some(Box::new(Known { mailbox, own }));
    }

    fn with<R>(&mut self, with: impl FnOnce(&mut BrokenMessages, &Arc<str>) -> R) -> Option<R> {
        let Known { mailbox, own } = self.known.as_deref_mut()?;
        let (mut with, mut result) = (Some(with), None);
        let mut lent = |memory: &mut BrokenMessages| {
            result = with.take().map(|with| with(memory, mailbox));
        };
        match &self.shared {
            Some(shared) => shared.lend(&mut lent),
            None => lent(own),
        }
        result
    }

    pub(super) fn standing(&mut self, now: Time, uid: u64) -> Standing {
        self.with(|memory, mailbox| memory.standing(now, mailbox, uid))
            .unwrap_or(Standing::Good)
    }

    pub(super) fn sent(&mut self, uid: u64) {
        self.with(|memory, mailbox| memory.sent(mailbox, uid));
    }

    pub(super) fn failed(&mut self, now: Time, uid: u64) {
        self.with(|memory, mailbox| memory.failed(now, mailbox, uid));
    }

    /// How many of these messages, from the first on, may be asked for in one command.
    pub(super) fn sound(&mut self, now: Time, table: &Table, indexes: Range<u32>) -> Range<u32> {
        let end = self.with(|memory, mailbox| {
            if memory.is_empty() {
                return None;
            }
            let is_good = |index: &u32| {
                let uid = table.uid(*index).unwrap_or_default();
                memory.standing(now, mailbox, uid) == Standing::Good
            };
            indexes.clone().find(|index| !is_good(index))
        });
        indexes.start..end.flatten().unwrap_or(indexes.end)
    }
}
