//! How far an update is: its stages, what each goes through, and what a look at the flags found.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::Failure;

use crate::backend::reply::Answer;

/// What an update is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
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
    /// The server did not tell that all marked have it: look which have.
    LookForFlag,
    /// Without UIDPLUS: look for foreign flags, set ours, look again, expunge.
    LookBefore,
    Mark,
    LookAfter,
    Expunge,
    /// The server did not tell all that were marked to be gone: look whether those are there.
    Verify,
    /// Take our flags back.
    Undo,
    End,
}

/// An update under way.
#[derive(Debug)]
pub(in crate::backend) struct Update {
    /// The UIDs that the client marked, ascending.
    pub(super) deleted: Vec<u64>,
    /// The UIDs to be marked as read, ascending.
    pub(super) seen: Vec<u64>,
    /// How many connections were lost over it.
    pub(super) losses: u32,
    pub(super) stage: Stage,
    /// How much of the stage's list was sent; 1 for a stage with one command.
    pub(super) sent: usize,
    pub(super) seen_sent: usize,
    /// Commands of this stage that await their answer.
    pub(super) pending: u32,
    pub(super) seen_pending: u32,
    /// Why it will not succeed.
    pub(super) failure: Option<Failure>,
    /// Where the messages go.
    pub(super) folder: Vec<u8>,
    /// That folder has to be made, or was.
    pub(super) create: bool,
    pub(super) created: bool,
    pub(super) copied: bool,
    /// The marked UIDs that the server did not tell to be gone, ascending; known when it was done with all.
    pub(super) unconfirmed: Vec<u64>,
    pub(super) look: Look,
    /// The UIDs whose `\Deleted` is ours.
    pub(super) ours: Vec<u64>,
    /// The server announced UIDPLUS and refused UID EXPUNGE.
    pub(super) by_uid_refused: bool,
    /// The UIDs of which the server told that they have the flag that hides.
    pub(super) hidden: Vec<u64>,
    /// There were marks, and the policy is to keep what was marked.
    pub(super) kept: bool,
}

/// What a look at all flags found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The messages whose flags were told.
    pub(super) uids: Vec<u64>,
    /// A message with `\Deleted` that the client did not mark.
    pub(super) foreign: Option<u64>,
    /// Marked messages that have `\Deleted` already.
    pub(super) flagged: Vec<u64>,
}

impl Update {
    /// What the stage goes through piece by piece.
    pub(super) fn list(&self) -> &[u64] {
        match self.stage {
            Stage::Move | Stage::Copy | Stage::Remove | Stage::Flag => &self.deleted,
            Stage::Verify | Stage::LookForFlag => &self.unconfirmed,
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
    pub(super) fn is_sent(&self) -> bool {
        match self.stage {
            Stage::Start => true,
            // good-bye is said when everything is answered
            Stage::End => self.seen_sent == self.seen.len() && self.seen_pending == 0,
            Stage::Move
            | Stage::Copy
            | Stage::Remove
            | Stage::Flag
            | Stage::Mark
            | Stage::LookForFlag
            | Stage::Verify => self.failure.is_some() || self.sent >= self.list().len(),
            Stage::Undo => self.sent >= self.list().len(),
            Stage::Capability
            | Stage::List
            | Stage::Create
            | Stage::LookBefore
            | Stage::LookAfter
            | Stage::Expunge => self.failure.is_some() || self.sent > 0,
        }
    }

    /// Whether flags of ours are left behind if it goes wrong now.
    pub(super) fn leaves_flags(&self) -> bool {
        self.stage != Stage::Undo && !self.ours.is_empty()
    }

    /// What is said when all is confirmed.
    pub(super) fn done(&self) -> Answer {
        if self.kept {
            Answer::Kept
        } else {
            Answer::Updated
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.sent = 0;
    }

    /// The first reason counts.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Refuses to go on if a bare EXPUNGE could remove what the client did not mark.
    pub(super) fn judge_look(&mut self, exists: u32) {
        let mut uids = mem::take(&mut self.look.uids);
        uids.sort_unstable();
        uids.dedup();
        if let Some(uid) = self.look.foreign {
            let detail = format!(
                "upstream has no UIDPLUS that works, and message {uid} is flagged \\Deleted by somebody else"
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
    pub(super) fn claim_flags(&mut self) {
        let mut flagged = mem::take(&mut self.look.flagged);
        flagged.sort_unstable();
        let before = mem::take(&mut self.ours);
        let is_ours =
            |uid: &u64| flagged.binary_search(uid).is_err() || before.binary_search(uid).is_ok();
        self.ours = self.deleted.iter().copied().filter(is_ours).collect();
    }
}
