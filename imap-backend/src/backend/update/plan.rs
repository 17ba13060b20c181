//! What becomes of the messages that the client deleted: the policy as a list of stages.
//!
//! Owns the one match over the policies: what a login has to check, what a server would need and what
//! QUIT does all come from the same plan. Never sends anything, and never knows how far an update is.

use alloc::vec::Vec;

use crate::capability::Capability;
use crate::command::Flag;
use crate::config::DeletePolicy;

/// A step of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum Stage {
    /// No plan is made yet on this connection.
    Start,
    /// Ask what the server can do after the login: then the plan is made.
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
    /// Find out which messages have the flag, among those that the server has not reported to have it.
    LookForFlag,
    /// Without UIDPLUS: look for foreign flags, set ours, look again, expunge.
    LookBefore,
    Mark,
    LookAfter,
    Expunge,
    /// Find out which messages are still there, among those that the server has not reported as gone.
    Verify,
    /// Take our flags back.
    Undo,
    End,
}

const BY_UID: [Stage; 1] = [Stage::Remove];
const WITHOUT_UIDPLUS: [Stage; 4] = [
    Stage::LookBefore,
    Stage::Mark,
    Stage::LookAfter,
    Stage::Expunge,
];

/// What becomes of deleted messages on a server.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::backend) struct Plan<'a> {
    /// Whether the messages are gone from the server in the end.
    pub(in crate::backend) removes: bool,
    /// The flag that hides messages from the client.
    pub(in crate::backend) hides: Option<Flag<'a>>,
    /// The folder that they go to, or where a server has no trash.
    pub(super) folder: Option<&'a str>,
    /// Whether no capability that a server may add after the login could lead to a shorter way.
    pub(super) settled: bool,
    stages: Vec<Stage>,
}

impl<'a> Plan<'a> {
    /// The plan for a server that can do what `can` says.
    pub(in crate::backend) fn new(
        policy: &'a DeletePolicy,
        can: impl Fn(Capability) -> bool,
    ) -> Self {
        let (moves, by_uid) = (can(Capability::Move), can(Capability::UidPlus));
        let remove: &[Stage] = if by_uid { &BY_UID } else { &WITHOUT_UIDPLUS };
        let transfer = if moves {
            [Stage::Move].to_vec()
        } else {
            [&[Stage::Copy], remove].concat()
        };
        let verified = |stages: &[Stage]| [stages, &[Stage::Verify]].concat();
        let hidden = |flag| Self {
            hides: Some(flag),
            ..Self::nothing([Stage::Flag, Stage::LookForFlag].into())
        };
        match policy {
            DeletePolicy::Expunge => Self {
                removes: true,
                settled: by_uid,
                ..Self::nothing(verified(remove))
            },
            // servers show attributes in a plain LIST, too, whether they announce it or not (RFC 6154 section 2)
            DeletePolicy::Trash { fallback } => Self {
                folder: Some(fallback),
                settled: moves && can(Capability::SpecialUse),
                ..Self::nothing([&[Stage::List], &*verified(&transfer)].concat())
            },
            DeletePolicy::Move(folder) => Self {
                folder: Some(folder),
                settled: moves,
                ..Self::nothing(verified(&transfer))
            },
            DeletePolicy::Seen => hidden(Flag::Seen),
            DeletePolicy::Keyword(name) => hidden(Flag::Keyword(name)),
            DeletePolicy::Keep => Self::nothing(Vec::new()),
        }
    }

    fn nothing(stages: Vec<Stage>) -> Self {
        Self {
            removes: false,
            hides: None,
            folder: None,
            settled: true,
            stages,
        }
    }

    /// Whether deleted messages stay as they are.
    pub(in crate::backend) fn keeps(&self) -> bool {
        self.stages.is_empty()
    }

    /// What the server would need so that only the marked messages can go.
    pub(in crate::backend) fn lacks(&self) -> Option<&'static str> {
        let has = |stage| self.stages.contains(&stage);
        match (has(Stage::Expunge), has(Stage::Copy)) {
            (true, true) => Some("neither MOVE nor UIDPLUS"),
            (true, false) => Some("no UIDPLUS"),
            (false, _) => None,
        }
    }

    /// The stages, to be gone through.
    pub(super) fn way(self) -> Way {
        let mut stages = self.stages;
        stages.push(Stage::End);
        Way { stages, at: 0 }
    }
}

/// The stages of an update, and which of them it is at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    stages: Vec<Stage>,
    at: usize,
}

impl Way {
    /// A single stage, after which a new plan is made.
    pub(super) fn only(stage: Stage) -> Self {
        let stages = [stage].into();
        Self { stages, at: 0 }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stages.get(self.at).copied().unwrap_or(Stage::End)
    }

    pub(super) fn go_on(&mut self) {
        self.at += 1;
    }

    /// Puts a stage before the current one, which is then done again.
    pub(super) fn first(&mut self, stage: Stage) {
        self.stages.insert(self.at, stage);
    }

    /// The messages are copied already.
    pub(super) fn without_copy(&mut self) {
        self.stages.retain(|stage| *stage != Stage::Copy);
    }

    /// The server refuses UID EXPUNGE.
    pub(super) fn without_uidplus(&mut self) {
        if let Some(at) = self.stages.iter().position(|s| *s == Stage::Remove) {
            self.stages.splice(at..=at, WITHOUT_UIDPLUS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stage::{
        Copy, Create, End, Expunge, Flag, List, LookAfter, LookBefore, LookForFlag, Mark, Move,
        Remove, Verify,
    };
    use super::{Capability, DeletePolicy, Plan, Stage, Vec};

    fn stages(policy: &DeletePolicy, has: &[Capability]) -> Vec<Stage> {
        Plan::new(policy, |capability| has.contains(&capability)).stages
    }

    /// Each policy with each server: nothing is expunged without a look where there is UIDPLUS or MOVE.
    #[test]
    fn w009_the_stages_follow_from_policy_and_capabilities() {
        let (uidplus, moves) = (Capability::UidPlus, Capability::Move);
        let bare = [LookBefore, Mark, LookAfter, Expunge, Verify];
        let expunge = DeletePolicy::Expunge;
        assert_eq!(stages(&expunge, &[uidplus]), [Remove, Verify]);
        assert_eq!(stages(&expunge, &[moves]), bare);
        let target = DeletePolicy::Move("Old".into());
        assert_eq!(stages(&target, &[moves]), [Move, Verify]);
        assert_eq!(stages(&target, &[uidplus]), [Copy, Remove, Verify]);
        assert_eq!(stages(&target, &[]), [&[Copy], &bare[..]].concat());
        let fallback = "Trash".into();
        let trash = DeletePolicy::Trash { fallback };
        assert_eq!(stages(&trash, &[moves, uidplus]), [List, Move, Verify]);
        assert_eq!(stages(&trash, &[]), [&[List, Copy], &bare[..]].concat());
        for hides in [DeletePolicy::Seen, DeletePolicy::Keyword("x".into())] {
            assert_eq!(stages(&hides, &[]), [Flag, LookForFlag]);
            assert_eq!(stages(&hides, &[moves, uidplus]), [Flag, LookForFlag]);
        }
        assert!(stages(&DeletePolicy::Keep, &[]).is_empty());
    }

    /// What a server lacks is what leads to an EXPUNGE without a set, and the way says what to do about it.
    #[test]
    fn w009_what_lacks_is_what_makes_the_way_longer() {
        let target = DeletePolicy::Move("Old".into());
        for (policy, has, lacks, settled) in [
            (&DeletePolicy::Expunge, &[][..], Some("no UIDPLUS"), false),
            (&DeletePolicy::Expunge, &[Capability::UidPlus], None, true),
            (&target, &[], Some("neither MOVE nor UIDPLUS"), false),
            (&target, &[Capability::UidPlus], None, false),
            (&target, &[Capability::Move], None, true),
            (&DeletePolicy::Keep, &[], None, true),
        ] {
            let plan = Plan::new(policy, |capability| has.contains(&capability));
            assert_eq!((plan.lacks(), plan.settled), (lacks, settled), "{policy:?}");
        }
    }

    #[test]
    fn a_way_takes_in_what_turns_out_on_it() {
        let target = DeletePolicy::Move("Old".into());
        let mut way = Plan::new(&target, |can| can == Capability::UidPlus).way();
        way.first(Create);
        assert_eq!(way.stage(), Create);
        way.go_on();
        assert_eq!(way.stage(), Copy);
        way.go_on();
        way.without_uidplus();
        let mut left = Vec::new();
        while way.stage() != End {
            left.push(way.stage());
            way.go_on();
        }
        assert_eq!(left, [LookBefore, Mark, LookAfter, Expunge, Verify]);
        let mut way = Plan::new(&target, |can| can == Capability::UidPlus).way();
        way.without_copy();
        assert_eq!(way.stage(), Remove);
    }
}
