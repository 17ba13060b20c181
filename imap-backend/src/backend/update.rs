//! QUIT: the one place that changes anything upstream.
//!
//! Owns what becomes of the messages that the client deleted, step by step as the policy and the
//! server allow, and whether that may be called done. Three rules hold on every path:
//!
//! - a command names only UIDs that the client marked, one by one or as ranges without gaps;
//! - EXPUNGE without a set is only sent when a look at all flags, after ours were set, found no
//!   `\Deleted` that is not ours. What another client flags in the one round trip between that look
//!   and the EXPUNGE cannot be told apart; servers with UIDPLUS do not have this gap;
//! - nothing is called done that the server has not confirmed.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::{Failure, FailureKind, Index};

use super::link::Link;
use super::{Answer, ImapBackend};
use crate::capability::Capability;
use crate::client::{Message, Notice, Purpose, Step};
use crate::command::{Command, Flag};
use crate::config::DeletePolicy;
use crate::error;
use crate::grammar::{Code, Kind};
use crate::text::printable;
use crate::uid_set;

/// How many commands may await their answer.
const WINDOW: u32 = 16;

/// What an update is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Capability,
    /// Find the folder that is the trash.
    List,
    Create,
    Move,
    Copy,
    /// Flag and expunge by UID.
    Remove,
    /// Set the flag that hides.
    Flag,
    /// Without UIDPLUS: look for foreign flags, set ours, look again, expunge.
    LookBefore,
    Mark,
    LookAfter,
    Expunge,
    /// Take our flags back.
    Undo,
    End,
}

/// An update under way.
#[derive(Debug)]
pub(super) struct Update {
    /// The UIDs that the client marked, ascending.
    deleted: Vec<u32>,
    /// The UIDs to be marked as read, ascending.
    seen: Vec<u32>,
    /// How many connections were lost over it.
    losses: u32,
    stage: Stage,
    /// How much of the stage's list was sent; 1 for a stage with one command.
    sent: usize,
    seen_sent: usize,
    /// Commands of this stage that await their answer.
    pending: u32,
    seen_pending: u32,
    /// Why it will not succeed.
    failure: Option<Failure>,
    /// Where the messages go.
    folder: Vec<u8>,
    /// That folder has to be made, or was.
    create: bool,
    created: bool,
    copied: bool,
    look: Look,
    /// The UIDs whose `\Deleted` is ours.
    ours: Vec<u32>,
}

/// What a look at all flags found.
#[derive(Debug, Default)]
struct Look {
    /// The messages whose flags were told.
    uids: Vec<u32>,
    /// A message with `\Deleted` that the client did not mark.
    foreign: Option<u32>,
    /// Marked messages that have `\Deleted` already.
    flagged: Vec<u32>,
}

impl ImapBackend {
    pub(super) fn start_update(&mut self, deleted: &[Index], retrieved: &[Index]) {
        if self.update.is_some() {
            // a session updates once
            return;
        }
        self.end_reading();
        if self.link == Link::Finished || self.opening.as_ref().is_some_and(|o| o.first) {
            return self.conclude_update(Err(Failure::temporary("no maildrop is open")));
        }
        let uids = |indexes: &[Index]| -> Option<Vec<u32>> {
            let mut uids: Vec<u32> = indexes
                .iter()
                .map(|index| self.table.uid(index.0))
                .collect::<Option<_>>()?;
            uids.sort_unstable();
            uids.dedup();
            Some(uids)
        };
        let (Some(mut deleted), Some(mut seen)) = (uids(deleted), uids(retrieved)) else {
            return self.conclude_update(Err(Failure::permanent("no such message in the table")));
        };
        match self.config.delete {
            DeletePolicy::Keep => deleted.clear(),
            // these are gone in a moment
            DeletePolicy::Expunge => seen.retain(|uid| deleted.binary_search(uid).is_err()),
            DeletePolicy::Trash { .. }
            | DeletePolicy::Move(_)
            | DeletePolicy::Seen
            | DeletePolicy::Keyword(_) => {}
        }
        if !self.config.mark_seen || self.read_only {
            seen.clear();
        }
        if deleted.is_empty() && seen.is_empty() {
            return self.conclude_update(Ok(()));
        }
        self.update = Some(Update {
            deleted,
            seen,
            losses: 0,
            stage: Stage::Start,
            sent: 0,
            seen_sent: 0,
            pending: 0,
            seen_pending: 0,
            failure: None,
            folder: Vec::new(),
            create: false,
            created: false,
            copied: false,
            look: Look::default(),
            ours: Vec::new(),
        });
    }

    /// Sends what can be sent, and goes on when a stage is answered.
    pub(super) fn work(&mut self) {
        while self.link == Link::Ready {
            let Some(update) = &mut self.update else {
                return;
            };
            let may_speak = self.gone.is_none() && self.bye.is_none();
            if may_speak && (update.failure.is_none() || update.stage == Stage::Undo) {
                self.send_stage();
            }
            let Some(update) = &mut self.update else {
                return;
            };
            if update.pending > 0 || !update.is_sent() {
                return;
            }
            match update.failure.take() {
                None => self.next_stage(),
                Some(failure) if update.stage.leaves_flags() => {
                    update.failure = Some(failure);
                    update.enter(Stage::Undo);
                }
                Some(failure) => return self.conclude_update(Err(failure)),
            }
        }
    }

    fn send_stage(&mut self) {
        self.send_seen();
        while let Some(update) = &self.update
            && update.pending < WINDOW
            && !update.is_sent()
            && self.send_piece().is_some()
        {}
    }

    fn send_seen(&mut self) {
        while let Some(update) = &mut self.update
            && update.seen_pending < WINDOW
            && update.seen_sent < update.seen.len()
        {
            let (set, count) = uid_set::piece(update.seen[update.seen_sent..].iter().copied());
            update.seen_sent += count;
            update.seen_pending += 1;
            let store = Command::Store {
                set: &set,
                add: true,
                flag: Flag::Seen,
            };
            // numbers and a fixed name cannot be unsendable
            let _ = self.client.send(store, Purpose::Update(Step::Seen));
        }
    }

    /// Sends the next command or pair of commands of the stage.
    fn send_piece(&mut self) -> Option<()> {
        let update = self.update.as_mut()?;
        let hiding = match &self.config.delete {
            DeletePolicy::Keyword(name) => Flag::Keyword(name),
            DeletePolicy::Seen
            | DeletePolicy::Expunge
            | DeletePolicy::Trash { .. }
            | DeletePolicy::Move(_)
            | DeletePolicy::Keep => Flag::Seen,
        };
        let (set, count) = uid_set::piece(update.list()[update.sent..].iter().copied());
        let set = set.as_str();
        let folder = update.folder.clone();
        let folder = folder.as_slice();
        let store = |add, flag| Command::Store { set, add, flag };
        let special_use = self.client.can(Capability::ListExtended);
        let (command, step) = match update.stage {
            Stage::Capability => (Command::Capability, Step::Capability),
            Stage::List => (Command::List { special_use }, Step::List),
            Stage::Create => (Command::Create { folder }, Step::Create),
            Stage::Move => (Command::Move { set, folder }, Step::Move),
            Stage::Copy => (Command::Copy { set, folder }, Step::Copy),
            Stage::Remove | Stage::Mark => (store(true, Flag::Deleted), Step::Flag),
            Stage::Flag => (store(true, hiding), Step::Flag),
            Stage::Undo => (store(false, Flag::Deleted), Step::Undo),
            Stage::LookBefore | Stage::LookAfter => {
                update.look = Look::default();
                self.client.watch = Some(Flag::Deleted.name().into());
                (Command::FetchFlags, Step::Look)
            }
            Stage::Expunge => (Command::Expunge, Step::Expunge),
            Stage::Start | Stage::End => return None,
        };
        update.sent += count.max(1);
        let mut sent = self.client.send(command, Purpose::Update(step));
        update.pending += u32::from(sent.is_ok());
        if update.stage == Stage::Remove && sent.is_ok() {
            let expunge = Command::UidExpunge { set };
            sent = self.client.send(expunge, Purpose::Update(Step::Expunge));
            update.pending += u32::from(sent.is_ok());
        }
        if sent.is_err() {
            update.fail(Failure::permanent("the folder's name cannot be sent"));
            return None;
        }
        Some(())
    }

    /// Goes on after a stage that was confirmed.
    fn next_stage(&mut self) {
        let Some(update) = &mut self.update else {
            return;
        };
        match update.stage {
            Stage::Start => {
                if self.read_only && !update.deleted.is_empty() {
                    update.fail(Failure::permanent("the folder is open read-only"));
                } else if !self.capabilities_settled && !self.has_what_it_takes() {
                    self.enter(Stage::Capability);
                } else {
                    self.choose_way();
                }
            }
            Stage::Capability => {
                self.capabilities_settled = true;
                self.choose_way();
            }
            Stage::List => {
                if update.folder.is_empty()
                    && let DeletePolicy::Trash { fallback } = &self.config.delete
                {
                    let folder = self.folder_name(fallback);
                    self.set_folder(folder);
                }
                self.transfer();
            }
            Stage::Create => {
                update.created = true;
                self.transfer();
            }
            Stage::Move | Stage::Copy if mem::take(&mut update.create) => {
                self.enter(Stage::Create);
            }
            Stage::Copy => {
                update.copied = true;
                self.remove();
            }
            Stage::LookBefore => {
                update.judge_look(self.exists);
                if update.failure.is_none() {
                    update.claim_flags();
                    update.enter(Stage::Mark);
                }
            }
            Stage::Mark => self.enter(Stage::LookAfter),
            Stage::LookAfter => {
                update.judge_look(self.exists);
                if update.failure.is_none() {
                    self.enter(Stage::Expunge);
                }
            }
            Stage::Move | Stage::Remove | Stage::Flag | Stage::Expunge => self.enter(Stage::End),
            Stage::Undo => {}
            Stage::End => self.conclude_update(Ok(())),
        }
    }

    /// Whether what was heard before login says already that the straight way is open.
    fn has_what_it_takes(&self) -> bool {
        match self.config.delete {
            DeletePolicy::Expunge => self.client.can(Capability::UidPlus),
            DeletePolicy::Move(_) => self.client.can(Capability::Move),
            DeletePolicy::Trash { .. } => {
                self.client.can(Capability::Move) && self.client.can(Capability::SpecialUse)
            }
            DeletePolicy::Seen | DeletePolicy::Keyword(_) | DeletePolicy::Keep => true,
        }
    }

    fn choose_way(&mut self) {
        if self
            .update
            .as_ref()
            .is_some_and(|update| update.deleted.is_empty())
        {
            return self.enter(Stage::End);
        }
        match &self.config.delete {
            DeletePolicy::Expunge => self.remove(),
            DeletePolicy::Trash { .. } if self.client.can(Capability::SpecialUse) => {
                self.enter(Stage::List);
            }
            DeletePolicy::Trash { fallback: folder } | DeletePolicy::Move(folder) => {
                let folder = self.folder_name(folder);
                self.set_folder(folder);
                self.transfer();
            }
            DeletePolicy::Seen | DeletePolicy::Keyword(_) => self.enter(Stage::Flag),
            DeletePolicy::Keep => self.enter(Stage::End),
        }
    }

    fn transfer(&mut self) {
        let own = self.folder_name(&self.config.folder);
        let can_move = self.client.can(Capability::Move);
        let Some(update) = &mut self.update else {
            return;
        };
        if update.folder.eq_ignore_ascii_case(&own) {
            update.fail(Failure::permanent(
                "messages cannot be moved to where they are",
            ));
        } else if can_move {
            update.enter(Stage::Move);
        } else if update.copied {
            self.remove();
        } else {
            update.enter(Stage::Copy);
        }
    }

    fn remove(&mut self) {
        let by_uid = self.client.can(Capability::UidPlus);
        self.enter(if by_uid {
            Stage::Remove
        } else {
            Stage::LookBefore
        });
    }

    fn set_folder(&mut self, folder: Vec<u8>) {
        if let Some(update) = &mut self.update {
            update.folder = folder;
        }
    }

    fn enter(&mut self, stage: Stage) {
        if let Some(update) = &mut self.update {
            update.enter(stage);
        }
    }

    /// A command of the update is answered.
    pub(super) fn update_done(&mut self, step: Step, notice: &Notice) {
        let Some(update) = &mut self.update else {
            return;
        };
        if step == Step::Seen {
            // that a message counts as unread is no reason to call a deletion failed
            update.seen_pending = update.seen_pending.saturating_sub(1);
            return;
        }
        update.pending = update.pending.saturating_sub(1);
        let partly = matches!(notice.code, Code::MessageLimit(_));
        match step {
            Step::Capability | Step::List | Step::Undo => {}
            Step::Move | Step::Copy
                if notice.kind != Kind::Ok && notice.code == Code::TryCreate && !update.created =>
            {
                update.create = true;
            }
            Step::Copy
            | Step::Create
            | Step::Expunge
            | Step::Flag
            | Step::Look
            | Step::Move
            | Step::Seen => {
                if notice.kind != Kind::Ok || partly {
                    let mut failure = error::command("update", notice);
                    if matches!(step, Step::Copy | Step::Create | Step::Move) {
                        let folder = printable(&update.folder);
                        failure
                            .detail
                            .insert_str(0, &format!("deleted mail to {folder}: "));
                    }
                    if step == Step::Create && notice.kind == Kind::No {
                        // it will be refused at every QUIT, until somebody names another folder
                        failure.kind = FailureKind::Permanent;
                    }
                    update.fail(failure);
                }
            }
        }
    }

    /// The server told the flags of a message.
    pub(super) fn saw_flags(&mut self, message: Message) {
        let Some(update) = &mut self.update else {
            return;
        };
        if !matches!(update.stage, Stage::LookBefore | Stage::LookAfter) || update.sent == 0 {
            return;
        }
        if let (Some(uid), Some(deleted)) = (message.uid, message.watched) {
            let look = &mut update.look;
            if look.uids.len() >= self.config.max_messages as usize {
                return update.fail(Failure::permanent("too many messages to look at"));
            }
            look.uids.push(uid);
            if deleted && update.deleted.binary_search(&uid).is_err() {
                look.foreign = Some(uid);
            } else if deleted {
                look.flagged.push(uid);
            }
        }
    }

    /// The server told of a folder.
    pub(super) fn saw_folder(&mut self, trash: bool, name: Vec<u8>) {
        if let Some(update) = &mut self.update
            && update.stage == Stage::List
            && trash
            && update.folder.is_empty()
        {
            update.folder = name;
        }
    }

    /// The connection was lost: one more try, unless it is clear already that it fails.
    pub(super) fn update_interrupted(&mut self, failure: &Failure) {
        let Some(update) = &mut self.update else {
            return;
        };
        update.losses += 1;
        let known = update.failure.take();
        if known.is_some() || update.losses > 1 {
            self.update_failed(known.unwrap_or_else(|| failure.clone()));
            return;
        }
        update.enter(Stage::Start);
        update.pending = 0;
        update.seen_pending = 0;
        update.seen_sent = 0;
        update.create = false;
        update.folder = Vec::new();
    }

    /// The update cannot be carried out, or not to its end.
    pub(super) fn update_failed(&mut self, failure: Failure) {
        let Some(update) = &self.update else { return };
        // that messages count as unread is nothing that the client has to know
        let harmless = update.deleted.is_empty();
        self.conclude_update(if harmless { Ok(()) } else { Err(failure) });
    }

    fn conclude_update(&mut self, result: Result<(), Failure>) {
        self.update = None;
        self.answers.push_back(match result {
            Ok(()) => Answer::Updated,
            Err(failure) => Answer::Failed(failure),
        });
        self.finish();
    }
}

impl Update {
    /// What the stage goes through piece by piece.
    fn list(&self) -> &[u32] {
        match self.stage {
            Stage::Move | Stage::Copy | Stage::Remove | Stage::Flag => &self.deleted,
            Stage::Mark | Stage::Undo => &self.ours,
            Stage::Start
            | Stage::Capability
            | Stage::List
            | Stage::Create
            | Stage::LookBefore
            | Stage::LookAfter
            | Stage::Expunge
            | Stage::End => &[],
        }
    }

    /// Whether all commands of the stage are sent, or none will be any more.
    fn is_sent(&self) -> bool {
        match self.stage {
            Stage::Start => true,
            // good-bye is said when everything is answered
            Stage::End => self.seen_sent == self.seen.len() && self.seen_pending == 0,
            Stage::Move | Stage::Copy | Stage::Remove | Stage::Flag | Stage::Mark => {
                self.failure.is_some() || self.sent >= self.list().len()
            }
            Stage::Undo => self.sent >= self.list().len(),
            Stage::Capability
            | Stage::List
            | Stage::Create
            | Stage::LookBefore
            | Stage::LookAfter
            | Stage::Expunge => self.failure.is_some() || self.sent > 0,
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.sent = 0;
    }

    /// The first reason counts.
    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Refuses to go on if a bare EXPUNGE could remove what the client did not mark.
    fn judge_look(&mut self, exists: u32) {
        let mut uids = mem::take(&mut self.look.uids);
        uids.sort_unstable();
        uids.dedup();
        if let Some(uid) = self.look.foreign {
            let detail = format!(
                "upstream has no UIDPLUS, and message {uid} is flagged \\Deleted by somebody else"
            );
            self.fail(Failure::permanent(detail));
        } else if (uids.len() as u64) < u64::from(exists) {
            let told = uids.len();
            let detail = format!("upstream told the flags of {told} of {exists} messages");
            self.fail(Failure::temporary(detail));
        }
    }

    /// Notes which flags are going to be ours: those that were not there, or were set by us before
    /// the connection was lost.
    fn claim_flags(&mut self) {
        let mut flagged = mem::take(&mut self.look.flagged);
        flagged.sort_unstable();
        let before = mem::take(&mut self.ours);
        let is_ours =
            |uid: &u32| flagged.binary_search(uid).is_err() || before.binary_search(uid).is_ok();
        self.ours = self.deleted.iter().copied().filter(is_ours).collect();
    }
}

impl Stage {
    /// Whether flags of ours are left behind if it goes wrong here.
    fn leaves_flags(self) -> bool {
        matches!(self, Self::Mark | Self::LookAfter | Self::Expunge)
    }
}
