//! Messages that the upstream could not send: which one it was, and what becomes of it.
//!
//! Owns the blame. A message is blamed where its octets were on the way when the connection broke, or
//! where it was the next to come, was asked for once more alone, and did not come. Not for a connection that
//! was lost while nothing was asked for.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Range;
use core::time::Duration;

use pop3_proto::backend::{Failure, FailureKind};
use pop3_proto::time::Time;

use super::ImapBackend;
use super::reading::{Plan, What};
use crate::broken::{BrokenMessages, Memory, Standing};

/// A client that leaves after so long a silence of the upstream left because of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is remembered, here or for all sessions.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    shared: Option<Arc<dyn Memory>>,
    /// For sessions that share nothing, or whose user is not known.
    own: BrokenMessages,
    /// The name by which its messages are remembered; made when there is something to remember.
    mailbox: Option<Arc<str>>,
}

impl Trouble {
    pub(super) fn share(&mut self, memory: Arc<dyn Memory>) {
        self.shared = Some(memory);
    }

    /// Whether nothing is remembered of any message.
    fn is_empty(&mut self) -> bool {
        let mut empty = self.own.is_empty();
        if let Some(shared) = &self.shared {
            shared.lend(&mut |memory| empty &= memory.is_empty());
        }
        empty
    }

    /// Without a name its messages concern this session alone.
    fn name(&mut self, mailbox: Option<String>) {
        if mailbox.is_none() {
            self.shared = None;
        }
        self.mailbox = Some(mailbox.unwrap_or_default().into());
    }

    fn with<R>(&mut self, with: impl FnOnce(&mut BrokenMessages, &Arc<str>) -> R) -> Option<R> {
        let mailbox = self.mailbox.as_ref()?;
        let (mut with, mut result) = (Some(with), None);
        let mut lent = |memory: &mut BrokenMessages| {
            result = with.take().map(|with| with(memory, mailbox));
        };
        match &self.shared {
            Some(shared) => shared.lend(&mut lent),
            None => lent(&mut self.own),
        }
        result
    }

    fn standing(&mut self, now: Time, uid: u64) -> Standing {
        self.with(|memory, mailbox| memory.standing(now, mailbox, uid))
            .unwrap_or(Standing::Good)
    }

    fn sent(&mut self, uid: u64) {
        self.with(|memory, mailbox| memory.sent(mailbox, uid));
    }

    fn failed(&mut self, now: Time, uid: u64) {
        self.with(|memory, mailbox| memory.failed(now, mailbox, uid));
    }
}

impl ImapBackend {
    /// Shares what is known of messages that cannot be sent with the other sessions of the process.
    #[must_use]
    pub fn remembering(mut self, memory: Arc<dyn Memory>) -> Self {
        self.trouble.share(memory);
        self
    }

    /// What is remembered, where there is something: else most sessions would hold a name in vain.
    fn remembered(&mut self) -> Option<&mut Trouble> {
        (!self.trouble.is_empty()).then(|| self.named())
    }

    fn named(&mut self) -> &mut Trouble {
        if self.trouble.mailbox.is_none() {
            let mailbox = self.mailbox();
            self.trouble.name(mailbox);
        }
        &mut self.trouble
    }

    /// All that makes a UID unique. A line end stands in no name.
    fn mailbox(&self) -> Option<String> {
        let login = &self.open.as_ref()?.login;
        let user = self.user.as_deref().or_else(|| login.user())?;
        let (endpoint, folder) = (&self.config.endpoint, &self.config.folder);
        let validity = self.maildrop.uid_validity;
        let name = format!(
            "{}:{}\n{user}\n{folder}\n{validity}",
            endpoint.host, endpoint.port
        );
        (!user.is_empty() && name.len() <= 1024).then_some(name)
    }

    /// How this message is to be asked for, as far as others have shown.
    pub(super) fn plan(&mut self, index: u32, plan: Plan) -> (Plan, bool) {
        let uid = self.maildrop.uid(index).unwrap_or_default();
        let now = self.clock.now;
        let standing = self
            .remembered()
            .map_or(Standing::Good, |trouble| trouble.standing(now, uid));
        match standing {
            Standing::Good => (plan, false),
            Standing::Doubtful => (plan, true),
            Standing::RefusedUntil(until) => (Plan::Refused { until }, true),
        }
    }

    /// As far as these messages may be asked for in one command.
    pub(super) fn sound(&mut self, indexes: Range<u32>) -> Range<u32> {
        if self.remembered().is_none() {
            return indexes;
        }
        let (table, now) = (&self.maildrop.table, self.clock.now);
        let end = self.trouble.with(|memory, mailbox| {
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

    /// The message was sent whole.
    pub(super) fn sent_whole(&mut self, uid: u64) {
        if let Some(trouble) = self.remembered() {
            trouble.sent(uid);
        }
    }

    /// A failure of a message, with what an operator looks for it by.
    pub(super) fn about(&self, index: u32, kind: FailureKind, detail: &str) -> Failure {
        let number = u64::from(index) + 1;
        let detail = match self.maildrop.uid(index) {
            Some(uid) => format!("{detail} (message {number}, UID {uid})"),
            None => format!("{detail} (message {number})"),
        };
        Failure::new(kind, detail)
    }

    /// Why a message is refused that was not even asked for.
    pub(super) fn refused(&self, until: Time) -> Failure {
        let minutes = until.since(self.clock.now).as_secs().div_ceil(60);
        Failure::temporary(format!(
            "not asked for: the upstream could not send it several times; it is tried again in {minutes} min"
        ))
    }

    /// Whether the message that the session waits for is on its way, and next in what was asked for.
    fn awaited(&self) -> Option<u32> {
        let index = self.reading.wanted.front()?.index;
        let brings = |what: &What| match what {
            What::Whole { next, .. } => *next == index,
            What::Header { index: asked } | What::Window { index: asked, .. } => *asked == index,
            What::Spent => false,
        };
        let mut fetches = self.reading.fetches.iter();
        let comes = self.reading.stream.is_some() || fetches.any(|fetch| brings(&fetch.what));
        comes.then_some(index)
    }

    /// The connection broke: remembers the message that was on its way, unless it gets another try.
    pub(super) fn blame(&mut self) {
        if let Some(index) = self.awaited()
            && let Some(first) = self.reading.wanted.front()
            && (first.started || first.retried)
            && let Some(uid) = self.maildrop.uid(index)
        {
            let now = self.clock.now;
            self.named().failed(now, uid);
        }
    }

    /// The session ends after the upstream said nothing for so long.
    pub(super) fn left_waiting(&mut self, waited: Duration) {
        let listens = self.link.is_ready() && !self.reading.awaits_client(&self.client);
        let patience = PATIENCE.min(self.config.response_timeout);
        if listens
            && waited >= patience
            && let Some(index) = self.awaited()
            && let Some(uid) = self.maildrop.uid(index)
        {
            let now = self.clock.now;
            self.named().failed(now, uid);
        }
    }
}
