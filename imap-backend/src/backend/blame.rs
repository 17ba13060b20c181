//! Messages that the upstream could not send: finding the one to blame, and what becomes of it.
//!
//! Owns the blame. A message is blamed if its octets were on the way when the connection broke, or if it was
//! next, was asked for again alone, and did not come. No message is blamed for a connection that was lost
//! while nothing was asked for.

use alloc::format;
use alloc::sync::Arc;
use core::ops::Range;
use core::time::Duration;

use pop3_proto::backend::Failure;
use pop3_proto::time::Time;

use super::ImapBackend;
use super::reading::Plan;
use super::suspects::Suspects;
use crate::broken::{Memory, Standing};

/// A client that leaves after the upstream was silent for this long left because of it.
const PATIENCE: Duration = Duration::from_secs(10);

impl ImapBackend {
    /// Shares what is known of messages that cannot be sent with the other sessions of the process.
    #[must_use]
    pub fn remembering(mut self, memory: Arc<dyn Memory>) -> Self {
        self.suspects.share(memory);
        self
    }

    /// What is remembered, if anything is: most sessions have nothing to remember, and need no name.
    fn remembered(&mut self) -> Option<&mut Suspects> {
        (!self.suspects.is_empty()).then(|| self.named())
    }

    fn named(&mut self) -> &mut Suspects {
        if !self.suspects.has_name() {
            let validity = self.maildrop.uid_validity;
            let mailbox = self.asked.mailbox(&self.config, validity);
            self.suspects.name(mailbox);
        }
        &mut self.suspects
    }

    /// How to ask for this message, given what earlier sessions met.
    pub(super) fn plan(&mut self, index: u32, plan: Plan) -> (Plan, bool) {
        let uid = self.maildrop.uid(index).unwrap_or_default();
        let now = self.clock.now;
        let standing = self
            .remembered()
            .map_or(Standing::Good, |suspects| suspects.standing(now, uid));
        match standing {
            Standing::Good => (plan, false),
            Standing::Doubtful => (plan, true),
            Standing::RefusedUntil(until) => (Plan::Refused { until }, true),
        }
    }

    /// How many of these messages, from the first on, may be asked for in one command.
    pub(super) fn sound(&mut self, indexes: Range<u32>) -> Range<u32> {
        if self.remembered().is_none() {
            return indexes;
        }
        let table = &self.maildrop.table;
        self.suspects.sound(self.clock.now, table, indexes)
    }

    /// The message was sent whole.
    pub(super) fn sent_whole(&mut self, uid: u64) {
        if let Some(suspects) = self.remembered() {
            suspects.sent(uid);
        }
    }

    /// Why a message is refused without being asked for.
    pub(super) fn refused(&self, until: Time) -> Failure {
        let minutes = until.since(self.clock.now).as_secs().div_ceil(60);
        Failure::temporary(format!(
            "not asked for: the upstream could not send it several times; it is tried again in {minutes} min"
        ))
    }

    /// The connection broke: remembers the message that was on its way, unless it gets another try.
    pub(super) fn blame(&mut self) {
        if let Some(index) = self.reading.to_blame()
            && let Some(uid) = self.maildrop.uid(index)
        {
            let now = self.clock.now;
            self.named().failed(now, uid);
        }
    }

    /// The session ends after the upstream was silent for this long.
    pub(super) fn left_waiting(&mut self, waited: Duration) {
        let listens = self.link.is_ready() && !self.reading.has_body(&self.wire);
        let patience = PATIENCE.min(self.config.response_timeout);
        if listens
            && waited >= patience
            && let Some(index) = self.reading.awaited()
            && let Some(uid) = self.maildrop.uid(index)
        {
            let now = self.clock.now;
            self.named().failed(now, uid);
        }
    }
}
