//! A login that waits for its turn, or is looked at.
//!
//! Owns the credentials while it waits, and the throttle's view of it. What it counts for in the end is decided in
//! `login`.

use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::backend::Open;
use pop3_proto::time::Time;

use crate::delay::Fault;
use crate::throttle::Look;

pub(super) struct Attempt {
    look: Look,
    /// The login, while it waits.
    open: Option<Open>,
    /// When the throttle is to be asked again.
    again: Time,
    /// It is known that it waits.
    told: bool,
    /// Since when it is looked at.
    since: Time,
    /// The session gave it up.
    given_up: bool,
}

/// What the throttle says of a login that waits.
pub(super) enum Turn {
    /// It waits until then, which is new.
    Waits {
        until: Time,
    },
    Comes(Open),
}

impl Attempt {
    pub(super) fn new(look: Look, open: Open, now: Time) -> Self {
        Self {
            look,
            open: Some(open),
            again: now,
            told: false,
            since: now,
            given_up: false,
        }
    }

    /// Asks the throttle if it is time. `None`: nothing is new.
    pub(super) fn turn(&mut self, now: Time) -> Option<Turn> {
        self.open.as_ref()?;
        if self.again > now && !self.look.is_called() {
            return None;
        }
        if let Some(again) = self.look.poll(now) {
            self.again = again;
            // an answer that comes at once is no wait
            let first = !self.told && !self.look.is_asking();
            self.told |= first;
            return first.then_some(Turn::Waits { until: again });
        }
        self.since = now;
        self.open.take().map(Turn::Comes)
    }

    pub(super) fn deadline(&self) -> Option<(Time, &'static str)> {
        self.open.as_ref()?;
        Some((self.again, "the turn of a login"))
    }

    pub(super) fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.look.poll_called(cx)
    }

    /// Whether nothing has looked at it yet.
    pub(super) fn waits(&self) -> bool {
        self.open.is_some()
    }

    /// For how long it has been looked at.
    pub(super) fn age(&self, now: Time) -> Duration {
        now.since(self.since)
    }

    /// The session gives it up.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// The credentials were found good.
    pub(super) fn right(self, now: Time) {
        self.look.right(now);
    }

    /// It did not succeed, for this reason if it counts for anything.
    pub(super) fn failed(self, fault: Option<Fault>, now: Time) {
        match fault {
            Some(fault) => self.look.wrong(fault, now),
            None => self.look.nothing(now),
        }
    }
}
