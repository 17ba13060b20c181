//! What an update sends, and which stage follows which.

use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::Failure;

use super::stage::{Look, Stage};
use crate::backend::ImapBackend;
use crate::backend::link::Link;
use crate::backend::reply::Answer;
use crate::capability::Capability;
use crate::client::{Purpose, Step};
use crate::command::{Command, Flag};
use crate::config::DeletePolicy;
use crate::uid_set;

/// How many commands may await their answer.
const WINDOW: u32 = 16;

impl ImapBackend {
    /// Sends what can be sent, and goes on when a stage is answered.
    pub(in crate::backend) fn work(&mut self) {
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
                Some(failure) if update.leaves_flags() => {
                    update.failure = Some(failure);
                    update.enter(Stage::Undo);
                }
                Some(failure) => return self.conclude_update(Answer::Failed(failure)),
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
                silent: true,
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
        let store = |add, flag| Command::Store {
            set,
            add,
            flag,
            silent: true,
        };
        let special_use =
            self.client.can(Capability::SpecialUse) && self.client.can(Capability::ListExtended);
        let (command, step) = match update.stage {
            Stage::Capability => (Command::Capability, Step::Capability),
            Stage::List => (Command::List { special_use }, Step::List),
            Stage::Create => (Command::Create { folder }, Step::Create),
            Stage::Move => (Command::Move { set, folder }, Step::Move),
            Stage::Copy => (Command::Copy { set, folder }, Step::Copy),
            Stage::Remove | Stage::Mark => (store(true, Flag::Deleted), Step::Flag),
            Stage::Flag => {
                self.client.watch = Some(hiding.name().into());
                let store = Command::Store {
                    set,
                    add: true,
                    flag: hiding,
                    silent: false,
                };
                (store, Step::Flag)
            }
            Stage::LookForFlag => (Command::FetchFlags { set }, Step::Look),
            Stage::Undo => (store(false, Flag::Deleted), Step::Undo),
            Stage::LookBefore | Stage::LookAfter => {
                update.look = Look::default();
                self.client.watch = Some(Flag::Deleted.name().into());
                (Command::FetchFlags { set: "1:*" }, Step::Look)
            }
            Stage::Expunge => (Command::Expunge, Step::Expunge),
            Stage::Verify => (Command::FetchUids { set }, Step::Look),
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
            Stage::Remove if update.by_uid_refused => update.enter(Stage::LookBefore),
            Stage::Move | Stage::Remove | Stage::Expunge => {
                let (table, presence) = (&self.table, &self.presence);
                let is_gone = |uid: u64| table.find(uid).is_some_and(|at| presence.is_gone(at));
                let marked = update.deleted.iter().copied();
                update.unconfirmed = marked.filter(|&uid| !is_gone(uid)).collect();
                let all_told = update.unconfirmed.is_empty();
                update.enter(if all_told { Stage::End } else { Stage::Verify });
            }
            Stage::Flag => {
                update.hidden.sort_unstable();
                let lacks = |uid: &u64| update.hidden.binary_search(uid).is_err();
                let marked = update.deleted.iter().copied();
                update.unconfirmed = marked.filter(lacks).collect();
                let all_told = update.unconfirmed.is_empty();
                update.enter(if all_told {
                    Stage::End
                } else {
                    Stage::LookForFlag
                });
            }
            Stage::LookForFlag | Stage::Verify => self.enter(Stage::End),
            Stage::Undo => {}
            Stage::End => {
                let done = update.done();
                self.conclude_update(done);
            }
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
            // servers tell attributes in a plain LIST, too, whether they announce it or not (RFC 6154 section 2)
            DeletePolicy::Trash { .. } => self.enter(Stage::List),
            DeletePolicy::Move(folder) => {
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
        let Some(update) = &mut self.update else {
            return;
        };
        if by_uid && !update.by_uid_refused {
            // which of them had the flag before is not known: it goes with ours, and a message stays
            update.ours = update.deleted.clone();
            update.enter(Stage::Remove);
        } else {
            update.enter(Stage::LookBefore);
        }
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
}
