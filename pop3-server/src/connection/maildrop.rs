//! The maildrop of a session: asked for, held, lost, asked for again, and let go before the last reply.

use std::time::Duration;

use pop3_proto::backend::{Access, Backend, Failure, Refusal, RefusalKind, Reply, Request};
use pop3_proto::time::Time;

use super::holding::{Held, Holding, Last, Parting};
use super::standing::Connection;
use crate::hold::{Claim, Hold, Outcome, Taken};
use crate::limit::Limit;
use crate::observer::{self, Stage};
use crate::runtime::Boxed;
use crate::service::Service;

const BUSY: &str = "another session holds the maildrop";

impl<S: Service> Connection<S> {
    /// The credentials are good. The client learns it only when the maildrop is held.
    pub(super) fn hold(&mut self, now: Time, opened: Option<Access>) {
        self.right(now);
        self.note();
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        upstream.took_credential();
        match upstream.holding {
            Holding::Nothing => {}
            Holding::Asked { .. } | Holding::Held(_) | Holding::Lost(_) | Holding::Again { .. } => {
                return self.let_in(now, opened);
            }
        }
        let mode = upstream.mode();
        let claim = Claim::new(upstream.maildrop(), mode, self.report.session);
        match self.server.holder().take(&claim) {
            Taken::Held(hold) => self.held(now, hold, opened),
            Taken::Busy => self.in_use(now, BUSY),
            Taken::Waiting(hold) => upstream.holding = Holding::Asked { hold, opened },
        }
    }

    /// The state of the hold has changed.
    pub(super) fn holds(&mut self, now: Time, outcome: Outcome) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        match (std::mem::take(&mut upstream.holding), outcome) {
            (Holding::Nothing, _) => {}
            (Holding::Asked { hold, opened }, Outcome::Held) => self.held(now, hold, opened),
            (Holding::Asked { .. }, Outcome::Busy) => self.in_use(now, BUSY),
            (Holding::Asked { .. }, Outcome::Lost) => {
                let failure = Failure::temporary("cannot find out whether the maildrop is free");
                self.turn_away(now, Last::Failed(failure));
            }
            (Holding::Held(held) | Holding::Lost(held), Outcome::Held) => {
                upstream.holding = Holding::Held(held);
            }
            (Holding::Held(held) | Holding::Lost(held), Outcome::Busy | Outcome::Lost) => {
                upstream.holding = Holding::Lost(held);
            }
            (Holding::Again { held, update }, Outcome::Held) => {
                upstream.holding = Holding::Held(held);
                upstream.backend.handle_request(now, *update);
            }
            (Holding::Again { held, .. }, Outcome::Busy | Outcome::Lost) => {
                upstream.holding = Holding::Lost(held);
                let detail =
                    "the maildrop may have been used by another session: nothing is removed";
                self.turn_away(now, Last::Failed(Failure::temporary(detail)));
            }
        }
    }

    /// An update that removes something needs the hold: one that was lost is taken again first. Returns the request
    /// if the backend may have it now.
    pub(super) fn before_update(&mut self, request: Request) -> Option<Request> {
        let removes = matches!(&request, Request::Update { deleted, .. } if !deleted.is_empty());
        let Some(upstream) = self.upstream.as_mut().filter(|_| removes) else {
            return Some(request);
        };
        let Some(mut held) = upstream.holding.take_lost() else {
            return Some(request);
        };
        held.take_again();
        upstream.holding = Holding::Again {
            held,
            update: Box::new(request),
        };
        None
    }

    /// The backend's last reply. It is passed on once others can have the maildrop, since the client may log in
    /// again at once (P018, P066).
    pub(super) fn part(&mut self, now: Time, last: Last) {
        let leave = self.settings.timers.leave;
        let upstream = self.upstream.as_mut();
        match upstream.and_then(|upstream| upstream.finish(now, leave)) {
            None => self.say(now, last),
            Some(released) => self.parts(now, leave, released, Some(last)),
        }
    }

    /// The session ends without a last reply.
    pub(super) fn finish(&mut self, now: Time) {
        let leave = self.settings.timers.leave;
        let upstream = self.upstream.as_mut();
        if let Some(released) = upstream.and_then(|upstream| upstream.finish(now, leave)) {
            self.parts(now, leave, released, None);
        }
    }

    fn parts(&mut self, now: Time, leave: Duration, released: Boxed<()>, last: Option<Last>) {
        let until = now + leave;
        // A reply that had to wait so far is passed on at the end of this one.
        let last = last.or_else(|| self.parting.take().and_then(|parting| parting.into_last()));
        self.parting = Some(Box::new(Parting::new(released, last, until)));
    }

    /// Others can have the maildrop, or that took too long.
    pub(super) fn parted(&mut self, now: Time) {
        if let Some(last) = self.parting.take().and_then(|parting| parting.into_last()) {
            self.say(now, last);
        }
    }

    fn say(&mut self, now: Time, last: Last) {
        let reply = match last {
            Last::Refused(refusal) => return self.refuse(now, refusal),
            Last::Failed(failure) => return self.login_failed(now, failure),
            Last::Updated => Reply::Updated,
            Last::Kept => Reply::Kept,
        };
        self.answered();
        self.session.handle_reply(now, reply);
    }

    fn held(&mut self, now: Time, hold: Box<dyn Hold>, opened: Option<Access>) {
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        let most = self.settings.limits.per_user;
        match self.server.users().take(upstream.maildrop_name(), most) {
            Some(slot) => {
                upstream.holding = Holding::Held(Held::new(hold, slot));
                self.let_in(now, opened);
            }
            None => {
                upstream.holding = Holding::Asked { hold, opened };
                self.server.observer().limited(Limit::User);
                self.in_use(now, "too many sessions of this user");
            }
        }
    }

    fn let_in(&mut self, now: Time, opened: Option<Access>) {
        if opened == Some(Access::ReadOnly)
            && let Some(upstream) = &mut self.upstream
            && let Holding::Held(held) = &mut upstream.holding
        {
            held.share();
        }
        let reply = opened.map_or(Reply::Authenticated, |access| Reply::Opened { access });
        self.session.handle_reply(now, reply);
        if opened.is_some() {
            self.report.stage = Stage::Transaction;
            self.tell(&observer::Event::LoggedIn);
            self.answered();
        }
    }

    fn in_use(&mut self, now: Time, detail: &str) {
        self.turn_away(now, Last::Refused(Refusal::new(RefusalKind::InUse, detail)));
    }

    fn turn_away(&mut self, now: Time, last: Last) {
        if let Some(upstream) = &mut self.upstream {
            upstream.backend.handle_request(now, Request::Abandon);
        }
        self.part(now, last);
    }
}
