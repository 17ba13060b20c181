//! One step of the way: what was found, what is missing, and how both are said.

use std::fmt::Write as _;

use gateway_state::StateError;
use serde_json::{Value, json};

use crate::mailbox::kind::Problem;
use crate::oauth::Refusal;

/// One step of the way, and whether it can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub step: &'static str,
    /// Whose it is: a provider's or a mailbox's name; nothing if it is everybody's.
    pub of: Option<String>,
    /// Whether it can be taken.
    pub ok: bool,
    /// What was found.
    pub what: String,
    /// What to do about it, perhaps in several lines; nothing if it can be taken.
    pub remedy: Option<String>,
}

/// Why a step cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Missing {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl From<Refusal> for Missing {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.what, refusal.remedy)
    }
}

/// What was found, in order.
#[derive(Debug, Default)]
pub(super) struct Steps(pub(super) Vec<Step>);

impl Steps {
    /// Notes a step; its yield, if it can be taken.
    pub(super) fn take<T>(
        &mut self,
        step: &'static str,
        of: Option<&str>,
        found: Result<(String, T), Missing>,
    ) -> Option<T> {
        let (ok, what, remedy, yielded) = match found {
            Ok((what, yielded)) => (true, what, None, Some(yielded)),
            Err(missing) => (false, missing.what, Some(missing.remedy), None),
        };
        self.0.push(Step {
            step,
            of: of.map(str::to_owned),
            ok,
            what,
            remedy,
        });
        yielded
    }
}

pub(super) fn of_problem(problem: &Problem) -> Missing {
    match problem.downcast_ref::<StateError>() {
        Some(error) => of_state(error),
        None => Missing::new(
            problem.to_string(),
            "put the key back where [state] names it, readable for the gateway's user alone; if it is lost, move the \
             state away and let everybody sign in again",
        ),
    }
}

/// What to do about the state.
pub(super) fn of_state(error: &StateError) -> Missing {
    let remedy = match error {
        StateError::OtherKey { .. } => {
            "put the key back that this state was made with; if it is lost, \"pop3-gateway state forget-grants\" keeps the \
             accounts of devices, and everybody has to sign in again"
        }
        StateError::Newer { .. } => "use the newer program",
        StateError::Damaged(_) | StateError::Bound { .. } => {
            "sign in again with \"pop3-gateway sign-in MAILBOX\""
        }
        StateError::Unreadable { .. } => "restore the state from a copy, or move it away",
        StateError::Unavailable(_) | StateError::Refused(_) => {
            "check that the state's file and folder (or its database) can be read and written by the gateway's user, \
             and that the disk is not full"
        }
        StateError::Url(_) => "check url in [state]",
        StateError::AccountExists(_)
        | StateError::BadText { .. }
        | StateError::TooLarge { .. }
        | StateError::TooManySignIns(_)
        | _ => "nothing was changed; try again",
    };
    Missing::new(error.to_string(), remedy)
}

pub(super) fn as_json(step: &Step) -> Value {
    json!({
        "step": step.step,
        "of": step.of,
        "ok": step.ok,
        "what": step.what,
        "remedy": step.remedy,
    })
}

pub(super) fn as_text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let mark = if step.ok { "ok     " } else { "MISSING" };
        let of = step.of.as_ref().map(|of| format!(" of {of}"));
        // writing to a String does not fail
        let _ = writeln!(
            text,
            "{mark} {}{}: {}",
            step.step,
            of.unwrap_or_default(),
            step.what
        );
        for line in step.remedy.iter().flat_map(|remedy| remedy.lines()) {
            let _ = writeln!(text, "        {line}");
        }
    }
    text
}
