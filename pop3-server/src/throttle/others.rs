//! What other processes know of failed logins.
//!
//! Owns the asking: one question for each login that this process would let through, and again when the wait that it
//! brought is over. What is asked is the trait's matter. Never waits for ever: without an answer in time this
//! process's own memory decides, as it does alone.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::backend::Login;
use pop3_proto::failed_login::Scope;
use pop3_proto::time::Time;

use crate::delay::{Delay, Fault};
use crate::limit::Origin;
use crate::runtime::Boxed;

use super::subjects::{NAME, Place, Subjects};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The failed logins of all processes together.
pub trait Others: fmt::Debug + Send + Sync + 'static {
    /// For how long a login of these subjects has still to wait. If it need not and one of them has failures, it
    /// has their turn. Must not block.
    fn look(&self, rules: &Delay, subjects: &[Subject]) -> Boxed<Looked>;

    /// A login of these subjects failed here; it came from this source. Must not block.
    fn failed(&self, rules: &Delay, subjects: &[Subject], source: &[u8], fault: Fault);
}

/// What others say of a login.
#[non_exhaustive]
pub struct Looked {
    /// How long it has to wait; zero: it may be looked at now.
    pub wait: Duration,
    /// The turn. It is given back when this is dropped, at the end of the login.
    pub turn: Option<Turn>,
}

/// Something that is given back when it is dropped.
pub type Turn = Box<dyn Any + Send + Sync>;

impl Looked {
    /// It has to wait.
    pub fn later(wait: Duration) -> Self {
        Self { wait, turn: None }
    }

    /// It may be looked at.
    pub fn now(turn: Option<Turn>) -> Self {
        Self {
            wait: Duration::ZERO,
            turn,
        }
    }
}

impl fmt::Debug for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looked")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// What failures are counted for: the same octets in every process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// `address`, `network` or `name`.
    pub kind: &'static str,
    /// Which one.
    pub octets: Box<[u8]>,
    /// When its failures matter.
    pub scope: Scope,
}

impl Subject {
    fn of_place(place: Place) -> Self {
        let (kind, octets) = match place {
            Place::Origin(origin) => ("address", origin.octets().into()),
            Place::Site(site) => ("network", site.octets().into()),
        };
        let scope = place.scope();
        Self {
            kind,
            octets,
            scope,
        }
    }

    fn of_name(name: &str) -> Self {
        Self {
            kind: "name",
            octets: name.as_bytes().into(),
            scope: NAME,
        }
    }
}

/// A login as others know it.
pub(super) struct Shared {
    others: Arc<dyn Others>,
    subjects: Box<[Subject]>,
    source: [u8; 16],
}

impl Shared {
    pub(super) fn new(others: &Arc<dyn Others>, login: &Login, origin: Origin) -> Self {
        let places = Subjects { origin, name: None };
        let name = login.identity().map(super::devices::one_form);
        let subjects = places.places().map(Subject::of_place);
        Self {
            others: Arc::clone(others),
            subjects: subjects
                .chain(name.as_deref().map(Subject::of_name))
                .collect(),
            source: origin.octets(),
        }
    }

    pub(super) fn ask(&self, rules: &Delay, now: Time) -> Asking {
        Asking {
            answer: self.others.look(rules, &self.subjects),
            looked: None,
            until: now + PATIENCE,
        }
    }

    pub(super) fn failed(&self, rules: &Delay, fault: Fault) {
        self.others
            .failed(rules, &self.subjects, &self.source, fault);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A question under way.
pub(super) struct Asking {
    answer: Boxed<Looked>,
    looked: Option<Looked>,
    until: Time,
}

impl Asking {
    /// Ready, once, when the answer is there.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.looked.is_some() {
            return Poll::Pending;
        }
        let answer = self.answer.as_mut().poll(cx);
        answer.map(|looked| self.looked = Some(looked))
    }

    pub(super) fn is_answered(&self) -> bool {
        self.looked.is_some()
    }

    /// The answer; until when it may come, if it is not there yet.
    pub(super) fn take(&mut self, now: Time) -> Result<Looked, Time> {
        match self.looked.take() {
            Some(looked) => Ok(looked),
            None if self.until <= now => Ok(Looked::now(None)),
            None => Err(self.until),
        }
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("looked", &self.looked)
            .finish_non_exhaustive()
    }
}
