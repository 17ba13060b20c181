//! One login of a connection, from the command to the verdict: when it is looked at, and what it counts for.
//!
//! While it waits it holds the credentials and its place, and nothing else: no backend is made, no thread and
//! no upstream connection taken. Every login that does not succeed is logged. What it counts for depends on
//! how far its credentials came:
//!
//! | what happened | counts as |
//! |---|---|
//! | the store or the upstream refused the credentials | wrong |
//! | the client left while they were looked at, or the upstream was being connected to | left: wrong, after the first few; doubtful if the answer took longer than [`PATIENT`] |
//! | any other refusal or failure, or no answer within the login grace | doubtful |
//! | the client left while it waited | unseen |
//! | the upstream could not be connected to; the server went down or wanted the place | nothing |
//! | the credentials were found good, whatever came after it | nothing |

use std::time::Duration;

use pop3_proto::backend::{Failure, Open, Refusal, RefusalKind, Reply};
use pop3_proto::server::Reason;
use pop3_proto::time::Time;

use super::attempt::{Attempt, Turn};
use super::report::tells_secret;
use super::standing::Connection;
use crate::delay::Fault;
use crate::observer::Event;
use crate::service::Service;

/// A client that leaves after this time may have given up on a slow upstream.
const PATIENT: Duration = Duration::from_secs(10);

const GOES_DOWN: &str = "the server is shutting down";

/// How the log shows a login that failed before the backend said anything.
fn unseen(detail: &str) -> Refusal {
    Refusal::new(RefusalKind::Credentials, detail)
}

impl<S: Service> Connection<S> {
    /// Takes a login in. It may have to wait.
    pub(super) fn asks(&mut self, now: Time, open: Open) {
        self.given_up(now);
        self.dismiss();
        if !self.peer.encrypted && tells_secret(&open.login) {
            let user = open.login.user();
            self.tell(&Event::InTheClear { user });
        }
        let (rules, address) = (&self.settings.delay, self.peer.address.ip());
        let look = self.server.throttle().ask(rules, &open.login, address, now);
        self.attempt = Some(Box::new(Attempt::new(look, open, now)));
    }

    /// Returns the login that waited, once it is its turn.
    pub(super) fn due(&mut self, now: Time) -> Option<Open> {
        match self.attempt.as_mut()?.turn(now)? {
            Turn::Comes(open) => Some(open),
            Turn::Waits { until } => {
                self.tell(&Event::Waits { until });
                None
            }
        }
    }

    /// The credentials were found good.
    pub(super) fn right(&mut self, now: Time) {
        if let Some(attempt) = self.attempt.take() {
            attempt.right(now);
        }
        if let Some(place) = &mut self.place {
            place.logged_in();
        }
    }

    /// The login was refused. The client hears it at once; it is the next login that waits.
    pub(super) fn refuse(&mut self, now: Time, refusal: Refusal) {
        self.tell(&Event::Refused(&refusal));
        self.answered();
        let fault = match refusal.kind {
            RefusalKind::Credentials => Fault::Wrong,
            RefusalKind::InUse | RefusalKind::LoginDelay | RefusalKind::Policy => Fault::Doubtful,
        };
        self.verdict(now, Some(fault));
        self.session.handle_reply(now, Reply::Refused(refusal));
    }

    /// The login, or an update, could not be carried out.
    pub(super) fn login_failed(&mut self, now: Time, failure: Failure) {
        self.tell(&Event::Failed(&failure));
        self.answered();
        let fault = self.is_out().then_some(Fault::Doubtful);
        self.verdict(now, fault);
        self.session.handle_reply(now, Reply::Failed(failure));
    }

    /// The server goes down: a login that waits is answered instead of looked at.
    pub(super) fn waits_no_more(&mut self, now: Time) {
        let waits = |attempt: &Attempt| attempt.waits() && !attempt.is_given_up();
        if self.attempt.as_deref().is_some_and(waits) {
            self.tell(&Event::GivenUp(&unseen(GOES_DOWN)));
            self.verdict(now, None);
            let failure = Failure::temporary(GOES_DOWN);
            self.session.handle_reply(now, Reply::Failed(failure));
        }
    }

    /// The session gives its backend up. The reason is known a moment later.
    pub(super) fn leaves(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.give_up();
        }
    }

    /// Counts a login that the session gave up, now that the reason is known.
    pub(super) fn given_up(&mut self, now: Time) {
        let Some(attempt) = self
            .attempt
            .as_ref()
            .filter(|attempt| attempt.is_given_up())
        else {
            return;
        };
        let waits = attempt.waits();
        let patient = attempt.age(now) >= PATIENT;
        let out = self.is_out();
        let (fault, detail) = match self.report.reason {
            Some(Reason::ShutDown) => (None, GOES_DOWN),
            Some(Reason::TurnedOut) => (None, "made room for another client"),
            Some(Reason::LoginTimeout | Reason::BackendSilent) if waits => {
                (None, "it was still waiting when the login time was over")
            }
            Some(Reason::LoginTimeout | Reason::BackendSilent) => (
                out.then_some(Fault::Doubtful),
                "there was no answer in time",
            ),
            _ if waits => (
                Some(Fault::Unseen),
                "the client left while the login waited",
            ),
            _ if !out => (
                Some(Fault::Left),
                "the client left before the upstream was asked",
            ),
            _ if patient => (
                Some(Fault::Doubtful),
                "the client left before the answer, which was slow",
            ),
            _ => (Some(Fault::Left), "the client left before the answer"),
        };
        self.tell(&Event::GivenUp(&unseen(detail)));
        self.verdict(now, fault);
    }

    /// Whether the credentials may have been looked at.
    fn is_out(&self) -> bool {
        self.upstream
            .as_ref()
            .is_some_and(|upstream| upstream.was_reached())
    }

    fn verdict(&mut self, now: Time, fault: Option<Fault>) {
        if let Some(attempt) = self.attempt.take() {
            attempt.failed(fault, now);
        }
        if let Some(place) = &mut self.place {
            place.login_failed(now);
        }
    }
}
