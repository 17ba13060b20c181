//! QUIT: the one place that changes anything upstream.
//!
//! Owns what becomes of the messages that the client deleted, step by step as the policy and the
//! server allow, and whether that may be reported as done. Four rules hold on every path:
//!
//! - a command names only UIDs that the client marked, one by one or as ranges without gaps;
//! - EXPUNGE without a set is only sent when a look at all flags, after ours were set, found no
//!   `\Deleted` that is not ours. What another client flags in the one round trip between that look
//!   and the EXPUNGE cannot be told apart; servers with UIDPLUS do not have this gap;
//! - a `\Deleted` that we set in vain is taken back, as long as there is a connection;
//! - nothing is reported as done that the server has not confirmed. An OK is not enough: without the right to
//!   flag or to expunge, some servers say OK and keep the messages (RFC 4314 section 4). Each one that goes is
//!   reported by an EXPUNGE (RFC 3501 section 6.4.3, RFC 6851 section 3.3), whose number shows which one it
//!   was, since other clients remove messages, too. Those without a report are looked for.

mod plan;
mod stage;
mod work;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use pop3_proto::backend::{Failure, FailureKind, Index};

use super::ImapBackend;
use super::reply::Answer;
use crate::error;
use crate::grammar::{Code, Kind};
use crate::text::printable;
use crate::wire::{Errand, Message, Notice};

pub(super) use plan::Plan;
use plan::{Stage, Way};
pub(super) use stage::Update;

impl ImapBackend {
    /// What becomes of deleted messages here, as far as the server's capabilities are known by now.
    pub(super) fn plan_of_deletion(&self) -> Plan<'_> {
        Plan::new(&self.config.delete, |what| self.wire.can(what))
    }

    pub(super) fn start_update(&mut self, deleted: &[Index], retrieved: &[Index]) {
        if self.update.is_some() {
            // a session updates once
            return;
        }
        self.end_reading();
        if self.link.is_finished() || self.link.is_first() {
            return self.conclude_update(Answer::failed(Failure::temporary("no maildrop is open")));
        }
        let uids = |indexes: &[Index]| -> Option<Vec<u64>> {
            let mut uids: Vec<u64> = indexes
                .iter()
                .map(|index| self.maildrop.uid(index.0))
                .collect::<Option<_>>()?;
            uids.sort_unstable();
            uids.dedup();
            Some(uids)
        };
        let (Some(mut deleted), Some(mut seen)) = (uids(deleted), uids(retrieved)) else {
            let failure = Failure::permanent("no such message in the table");
            return self.conclude_update(Answer::failed(failure));
        };
        let plan = self.plan_of_deletion();
        let kept = plan.keeps() && !deleted.is_empty();
        if plan.keeps() {
            deleted.clear();
        }
        if plan.removes {
            // these will be gone in a moment
            seen.retain(|uid| deleted.binary_search(uid).is_err());
        }
        if !self.config.mark_seen || self.maildrop.read_only {
            seen.clear();
        }
        if deleted.is_empty() && seen.is_empty() {
            return self.conclude_update(if kept { Answer::Kept } else { Answer::Updated });
        }
        self.maildrop.differs();
        self.update = Some(Box::new(Update::new(deleted, seen, kept)));
    }

    /// Sends what can be sent, and goes on when a stage is answered.
    pub(super) fn work(&mut self) {
        let Some(update) = &mut self.update else {
            return;
        };
        if self.link.is_ready() {
            let may_speak = self.link.may_speak();
            let done = update.work(&mut self.wire, &self.config, &self.maildrop, may_speak);
            if let Some(answer) = done {
                self.conclude_update(answer);
            }
        }
    }

    /// The connection was lost.
    pub(super) fn update_interrupted(&mut self, failure: &Failure) {
        let ended = self.update.as_mut().and_then(|u| u.interrupted(failure));
        if let Some(answer) = ended {
            self.conclude_update(answer);
        }
    }

    /// The update cannot be carried out, or not to its end.
    pub(super) fn update_failed(&mut self, failure: Failure) {
        if let Some(update) = &self.update {
            let answer = update.failed(failure);
            self.conclude_update(answer);
        }
    }

    fn conclude_update(&mut self, answer: Answer) {
        self.update = None;
        let is_done = match &answer {
            Answer::Updated | Answer::Kept => true,
            Answer::Challenge(_)
            | Answer::Authenticated
            | Answer::Refused(_)
            | Answer::BodyStart(..)
            | Answer::BodyEnd(_)
            | Answer::BodyFailed(..)
            | Answer::Failed(_) => false,
        };
        self.answers.push(answer);
        if is_done {
            self.leave();
        } else {
            self.finish();
        }
    }
}

impl Update {
    /// A command of the update is answered.
    pub(super) fn answered(&mut self, errand: Errand, notice: &Notice) {
        if errand == Errand::Seen {
            // that a message counts as unread is no reason to call a deletion failed
            self.seen_pending = self.seen_pending.saturating_sub(1);
            return;
        }
        self.pending = self.pending.saturating_sub(1);
        let partly = matches!(notice.code, Code::MessageLimit(_));
        match errand {
            Errand::Capability | Errand::List | Errand::Undo => {}
            Errand::Move | Errand::Copy
                if notice.kind != Kind::Ok && notice.code == Code::TryCreate && !self.created =>
            {
                self.create = true;
            }
            // there is another way
            Errand::Expunge if notice.kind != Kind::Ok && self.stage() == Stage::Remove => {
                self.by_uid_refused = true;
            }
            Errand::Copy
            | Errand::Create
            | Errand::Expunge
            | Errand::Flag
            | Errand::Look
            | Errand::Move
            | Errand::Seen => {
                if notice.kind != Kind::Ok || partly {
                    let mut failure = error::command("update", notice);
                    if matches!(errand, Errand::Copy | Errand::Create | Errand::Move) {
                        let folder = printable(self.folder());
                        failure
                            .detail
                            .insert_str(0, &format!("deleted mail to {folder}: "));
                    }
                    if errand == Errand::Create && notice.kind == Kind::No {
                        // every QUIT will be refused, until the operator names another folder
                        failure.kind = FailureKind::Permanent;
                    }
                    self.fail(failure);
                }
            }
        }
    }

    /// The server reported the flags of a message.
    pub(super) fn saw_flags(&mut self, message: Message, max_messages: u32) {
        if self.stage() == Stage::Verify
            && let Some(uid) = message.uid
            && self.unconfirmed.binary_search(&uid).is_ok()
        {
            let detail = format!("upstream said OK, and message {uid} is still there");
            return self.fail(Failure::temporary(detail));
        }
        if matches!(self.stage(), Stage::Flag | Stage::LookForFlag) {
            match (message.uid, message.watched) {
                (Some(uid), Some(true)) => self.hidden.push(uid),
                (Some(uid), Some(false))
                    if self.stage() == Stage::LookForFlag
                        && self.unconfirmed.binary_search(&uid).is_ok() =>
                {
                    let detail =
                        format!("upstream said OK, and message {uid} did not keep its flag");
                    self.fail(Failure::temporary(detail));
                }
                (Some(_) | None, Some(_) | None) => {}
            }
            return;
        }
        if !matches!(self.stage(), Stage::LookBefore | Stage::LookAfter) || self.sent == 0 {
            return;
        }
        if let (Some(uid), Some(deleted)) = (message.uid, message.watched) {
            if self.look.uids.len() >= max_messages as usize {
                return self.fail(Failure::permanent("too many messages to look at"));
            }
            self.look.uids.push(uid);
            if deleted && self.deleted.binary_search(&uid).is_err() {
                self.look.foreign = Some(uid);
            } else if deleted {
                self.look.flagged.push(uid);
            }
        }
    }

    /// The server listed a folder.
    pub(super) fn saw_folder(&mut self, trash: bool, name: Vec<u8>) {
        if self.stage() == Stage::List && trash && self.found.is_empty() {
            self.found = name;
        }
    }

    /// The connection was lost: one more try, unless it is clear already that it fails.
    fn interrupted(&mut self, failure: &Failure) -> Option<Answer> {
        self.losses += 1;
        let known = self.failure.take();
        if known.is_some() || self.losses > 1 {
            return Some(self.failed(known.unwrap_or_else(|| failure.clone())));
        }
        self.take(Way::only(Stage::Start));
        self.pending = 0;
        self.seen_pending = 0;
        self.seen_sent = 0;
        self.create = false;
        self.found = Vec::new();
        None
    }

    fn failed(&self, failure: Failure) -> Answer {
        // the client need not learn that messages count as unread
        if self.deleted.is_empty() {
            self.done()
        } else {
            Answer::failed(failure)
        }
    }
}
