//! An update under way: its messages, how far it has come, and what a look at the flags found.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::Failure;

use super::plan::{Stage, Way};
use crate::backend::reply::Answer;

/// An update under way.
#[derive(Debug)]
pub(in crate::backend) struct Update {
    /// The UIDs that the client marked, ascending.
    pub(super) deleted: Vec<u64>,
    /// The UIDs to be marked as read, ascending.
    pub(super) seen: Vec<u64>,
    /// How many connections were lost over it.
    pub(super) losses: u32,
    /// What is still to be done.
    pub(super) way: Way,
    /// How much of the stage's list was sent; 1 for a stage with one command.
    pub(super) sent: usize,
    pub(super) seen_sent: usize,
    /// Commands of this stage that await their answer.
    pub(super) pending: u32,
    pub(super) seen_pending: u32,
    /// Why it will fail, if that is known.
    pub(super) failure: Option<Failure>,
    /// Where the messages go: the trash that the server named, else the folder that the policy names.
    pub(super) found: Vec<u8>,
    pub(super) named: Vec<u8>,
    /// That folder has to be made, or was.
    pub(super) create: bool,
    pub(super) created: bool,
    pub(super) copied: bool,
    /// The flag that hides messages, if the policy sets one.
    pub(super) hides: Option<String>,
    /// The marked UIDs that the server has not reported as gone, ascending; known when it has finished.
    pub(super) unconfirmed: Vec<u64>,
    pub(super) look: Look,
    /// The UIDs whose `\Deleted` is ours.
    pub(super) ours: Vec<u64>,
    /// The server announced UIDPLUS and refused UID EXPUNGE.
    pub(super) by_uid_refused: bool,
    /// The UIDs that the server has reported to have the flag that hides.
    pub(super) hidden: Vec<u64>,
    /// There were marks, and the policy is to keep what was marked.
    pub(super) kept: bool,
}

/// What a look at all flags found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The messages whose flags came.
    pub(super) uids: Vec<u64>,
    /// A message with `\Deleted` that the client did not mark.
    pub(super) foreign: Option<u64>,
    /// Marked messages that have `\Deleted` already.
    pub(super) flagged: Vec<u64>,
}

impl Update {
    /// An update of which nothing is done yet. `kept` says that there were marks, and that what is marked
    /// stays.
    pub(super) fn new(deleted: Vec<u64>, seen: Vec<u64>, kept: bool) -> Self {
        Self {
            deleted,
            seen,
            losses: 0,
            way: Way::only(Stage::Start),
            sent: 0,
            seen_sent: 0,
            pending: 0,
            seen_pending: 0,
            failure: None,
            found: Vec::new(),
            named: Vec::new(),
            create: false,
            created: false,
            copied: false,
            hides: None,
            unconfirmed: Vec::new(),
            look: Look::default(),
            ours: Vec::new(),
            by_uid_refused: false,
            hidden: Vec::new(),
            kept,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.way.stage()
    }

    /// Where the messages go.
    pub(super) fn folder(&self) -> &[u8] {
        if self.found.is_empty() {
            &self.named
        } else {
            &self.found
        }
    }

    /// What the stage goes through piece by piece.
    pub(super) fn list(&self) -> &[u64] {
        match self.stage() {
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
        match self.stage() {
            Stage::Start => true,
            // LOGOUT is sent when everything is answered
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

    /// Whether flags of ours are left if it goes wrong now.
    pub(super) fn leaves_flags(&self) -> bool {
        self.stage() != Stage::Undo && !self.ours.is_empty()
    }

    /// The reply when everything is confirmed.
    pub(super) fn done(&self) -> Answer {
        if self.kept {
            Answer::Kept
        } else {
            Answer::Updated
        }
    }

    /// Goes another way from here.
    pub(super) fn take(&mut self, way: Way) {
        self.way = way;
        self.sent = 0;
    }

    /// The marked messages that are not known to be done.
    pub(super) fn marked_but(&self, is_done: impl Fn(u64) -> bool) -> Vec<u64> {
        let marked = self.deleted.iter().copied();
        marked.filter(|&uid| !is_done(uid)).collect()
    }

    /// The first reason counts.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Refuses to go on if a bare EXPUNGE could remove messages that the client did not mark.
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
            let detail = format!("upstream reported the flags of {told} of {exists} messages only");
            self.fail(Failure::temporary(detail));
        }
    }

    /// Notes which flags will be ours: those that were not there, and those that we set before the
    /// connection was lost.
    pub(super) fn claim_flags(&mut self) {
        let mut flagged = mem::take(&mut self.look.flagged);
        flagged.sort_unstable();
        let before = mem::take(&mut self.ours);
        let is_ours =
            |uid: &u64| flagged.binary_search(uid).is_err() || before.binary_search(uid).is_ok();
        self.ours = self.deleted.iter().copied().filter(is_ours).collect();
    }
}
