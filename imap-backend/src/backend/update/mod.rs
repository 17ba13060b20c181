//! QUIT: the one place that changes anything upstream.
//!
//! Owns what becomes of the messages that the client deleted, step by step as the policy and the
//! server allow, and whether that may be called done. Four rules hold on every path:
//!
//! - a command names only UIDs that the client marked, one by one or as ranges without gaps;
//! - EXPUNGE without a set is only sent when a look at all flags, after ours were set, found no
//!   `\Deleted` that is not ours. What another client flags in the one round trip between that look
//!   and the EXPUNGE cannot be told apart; servers with UIDPLUS do not have this gap;
//! - `\Deleted` that we set and that led to nothing is taken back, as long as there is a connection;
//! - nothing is called done that the server has not confirmed. An OK is not enough: without the right to
//!   flag or to expunge, some servers say OK and keep the messages (RFC 4314 section 4). Each one that
//!   goes is told by an EXPUNGE (RFC 3501 section 6.4.3, RFC 6851 section 3.3), whose number says which it
//!   was: other clients remove messages, too. A look shows whether those are gone that were not told.

mod stage;
mod work;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use pop3_proto::backend::{Failure, FailureKind, Index};

use super::ImapBackend;
use super::link::Link;
use super::reply::Answer;
use crate::client::{Message, Notice, Step};
use crate::config::DeletePolicy;
use crate::error;
use crate::grammar::{Code, Kind};
use crate::text::printable;

pub(super) use stage::Update;
use stage::{Look, Stage};

impl ImapBackend {
    pub(super) fn start_update(&mut self, deleted: &[Index], retrieved: &[Index]) {
        if self.update.is_some() {
            // a session updates once
            return;
        }
        self.end_reading();
        if self.link == Link::Finished || self.opening.as_ref().is_some_and(|o| o.first) {
            return self.conclude_update(Answer::Failed(Failure::temporary("no maildrop is open")));
        }
        let uids = |indexes: &[Index]| -> Option<Vec<u64>> {
            let mut uids: Vec<u64> = indexes
                .iter()
                .map(|index| self.table.uid(index.0))
                .collect::<Option<_>>()?;
            uids.sort_unstable();
            uids.dedup();
            Some(uids)
        };
        let (Some(mut deleted), Some(mut seen)) = (uids(deleted), uids(retrieved)) else {
            let failure = Failure::permanent("no such message in the table");
            return self.conclude_update(Answer::Failed(failure));
        };
        let mut kept = false;
        match self.config.delete {
            DeletePolicy::Keep => {
                kept = !deleted.is_empty();
                deleted.clear();
            }
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
            return self.conclude_update(if kept { Answer::Kept } else { Answer::Updated });
        }
        self.update = Some(Box::new(Update {
            kept,
            by_uid_refused: false,
            hidden: Vec::new(),
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
            unconfirmed: Vec::new(),
            look: Look::default(),
            ours: Vec::new(),
        }));
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
            // there is another way
            Step::Expunge if notice.kind != Kind::Ok && update.stage == Stage::Remove => {
                update.by_uid_refused = true;
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
        if update.stage == Stage::Verify
            && let Some(uid) = message.uid
            && update.unconfirmed.binary_search(&uid).is_ok()
        {
            let detail = format!("upstream said OK, and message {uid} is still there");
            return update.fail(Failure::temporary(detail));
        }
        if matches!(update.stage, Stage::Flag | Stage::LookForFlag) {
            match (message.uid, message.watched) {
                (Some(uid), Some(true)) => update.hidden.push(uid),
                (Some(uid), Some(false))
                    if update.stage == Stage::LookForFlag
                        && update.unconfirmed.binary_search(&uid).is_ok() =>
                {
                    let detail =
                        format!("upstream said OK, and message {uid} did not keep its flag");
                    update.fail(Failure::temporary(detail));
                }
                (Some(_) | None, Some(_) | None) => {}
            }
            return;
        }
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
        self.conclude_update(if harmless {
            update.done()
        } else {
            Answer::Failed(failure)
        });
    }

    fn conclude_update(&mut self, answer: Answer) {
        self.update = None;
        self.answers.push_back(answer);
        self.finish();
    }
}
