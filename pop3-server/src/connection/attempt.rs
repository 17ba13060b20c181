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

use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::backend::{Failure, Open, Refusal, RefusalKind, Reply};
use pop3_proto::server::Reason;
use pop3_proto::time::Time;

use super::Connection;
use super::report::tells_secret;
use crate::delay::Fault;
use crate::observer::Event;
use crate::service::Service;
use crate::throttle::Look;

/// A client that leaves after this time may have given up on a slow upstream.
const PATIENT: Duration = Duration::from_secs(10);

const GOES_DOWN: &str = "the server is shutting down";

/// How the log shows a login that failed before the backend said anything.
fn unseen(detail: &str) -> Refusal {
    Refusal::new(RefusalKind::Credentials, detail)
}

pub(super) struct Attempt {
    look: Look,
    /// The login, while it waits.
    open: Option<Open>,
    /// When the throttle is to be asked again.
    again: Time,
    /// Since when it is looked at.
    since: Time,
    /// The session gave it up.
    given_up: bool,
}

impl Attempt {
    pub(super) fn deadline(&self) -> Option<(Time, &'static str)> {
        self.open.as_ref()?;
        Some((self.again, "the turn of a login"))
    }

    pub(super) fn poll_called(&self, cx: &Context<'_>) -> Poll<()> {
        self.look.poll_called(cx)
    }
}

impl<S: Service> Connection<S> {
    /// Begins a login. It may have to wait.
    pub(super) fn asks(&mut self, now: Time, open: Open) {
        self.given_up(now);
        self.dismiss();
        if !self.peer.encrypted && tells_secret(&open.login) {
            let user = open.login.user();
            self.tell(&Event::InTheClear { user });
        }
        let (rules, address) = (&self.settings.delay, self.peer.address.ip());
        let look = self.server.throttle().ask(rules, &open.login, address, now);
        self.attempt = Some(Box::new(Attempt {
            look,
            open: Some(open),
            again: now,
            since: now,
            given_up: false,
        }));
        self.turn(now);
    }

    /// Begins a login that waited, once it is its turn.
    pub(super) fn turn(&mut self, now: Time) -> bool {
        let Some(attempt) = self
            .attempt
            .as_mut()
            .filter(|attempt| attempt.open.is_some())
        else {
            return false;
        };
        if attempt.again > now && !attempt.look.is_called() {
            return false;
        }
        if let Some(again) = attempt.look.poll(now) {
            let first = attempt.again == attempt.since;
            attempt.again = again;
            if first {
                self.tell(&Event::Waits { until: again });
            }
            return false;
        }
        attempt.since = now;
        match attempt.open.take() {
            Some(open) => {
                self.open(now, open);
                true
            }
            None => false,
        }
    }

    /// The credentials were found good.
    pub(super) fn right(&mut self, now: Time) {
        if let Some(attempt) = self.attempt.take() {
            attempt.look.right(now);
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
        let waits = |attempt: &Attempt| attempt.open.is_some() && !attempt.given_up;
        if self.attempt.as_deref().is_some_and(waits) {
            self.tell(&Event::Refused(&unseen(GOES_DOWN)));
            self.verdict(now, None);
            let failure = Failure::temporary(GOES_DOWN);
            self.session.handle_reply(now, Reply::Failed(failure));
        }
    }

    /// The session gives its backend up. The reason is known a moment later.
    pub(super) fn leaves(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.given_up = true;
        }
    }

    /// Counts a login that the session gave up, now that the reason is known.
    pub(super) fn given_up(&mut self, now: Time) {
        let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.given_up) else {
            return;
        };
        let waits = attempt.open.is_some();
        let patient = now.since(attempt.since) >= PATIENT;
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
        self.tell(&Event::Refused(&unseen(detail)));
        self.verdict(now, fault);
    }

    /// Whether the credentials may have been looked at.
    fn is_out(&self) -> bool {
        self.upstream
            .as_ref()
            .is_some_and(|upstream| upstream.was_reached())
    }

    fn verdict(&mut self, now: Time, fault: Option<Fault>) {
        match (self.attempt.take(), fault) {
            (Some(attempt), Some(fault)) => attempt.look.wrong(fault, now),
            (Some(attempt), None) => attempt.look.nothing(now),
            (None, _) => {}
        }
        if let Some(place) = &mut self.place {
            place.login_failed(now);
        }
    }
}
