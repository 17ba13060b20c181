//! All transitions of a connection: where session, backend and pipes meet.

use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::{Backend, Caller, Failure, Open, Reply, Request};
use pop3_proto::server::{Event, Reason};
use pop3_proto::time::Time;

use super::action::Action;
use super::client::Closing;
use super::holding::Last;
use super::standing::Connection;
use super::upstream::Upstream;
use crate::observer::{self, Asked, Stage};
use crate::pipe::{Pipe, TlsEnd, TlsEvent};
use crate::service::{Denied, Service};
use crate::transcript::Dialogue;

/// The longest wait for a client to close its side while the server shuts down.
const HURRIED: Duration = Duration::from_millis(500);

impl<S: Service> Connection<S> {
    /// Where every input ends: moves plaintext until nothing moves.
    pub(super) fn advance(&mut self, now: Time) {
        self.report.at(now);
        loop {
            self.transcribe(now);
            let moved = self.transcribed(now, Self::events)
                | self.transcribed(now, Self::turn)
                | self.transcribed(now, Self::client_input)
                | self.transcribed(now, Self::upstream)
                | self.transcribed(now, Self::replies)
                | self.transcribed(now, Self::release)
                // a backend that had no reply may have begun something instead
                || self.transcribed(now, Self::upstream);
            // Output goes out when all else stands still, so that small responses share a record.
            if !moved && !self.client_output(now) && !self.close_on(now) {
                break;
            }
        }
        self.transcribe(now);
        self.note();
        self.rests();
    }

    /// Tells the crowd whether there is a connection to the upstream. One that comes back when there is no room for it
    /// takes that of a connection that only waits.
    fn rests(&mut self) {
        let (Some(upstream), Some(place)) = (&self.upstream, &mut self.place) else {
            return;
        };
        if place.rests(&self.settings.limits, upstream.rests()) {
            self.server.parking().make_room();
        }
    }

    /// One step, and what was said in it. This keeps the two dialogues side by side, in the order in
    /// which one caused the other.
    fn transcribed(&mut self, now: Time, step: impl FnOnce(&mut Self, Time) -> bool) -> bool {
        let moved = step(self, now);
        if moved {
            self.transcribe(now);
        }
        moved
    }

    /// Handles every deadline that has passed.
    pub(super) fn expire(&mut self, now: Time) {
        let is_due = |deadline: Option<(Time, &str)>| deadline.is_some_and(|(at, _)| at <= now);
        if self.report.reason.is_none() && is_due(self.session.poll_timeout()) {
            self.session.handle_timeout(now);
        }
        if let Some((at, what)) = self.client.deadline()
            && at <= now
        {
            if self.report.reason.is_none() {
                self.report.tls_failed(what);
            }
            self.close_client();
            self.session.handle_reset(now);
        }
        if let Some(upstream) = &mut self.upstream {
            upstream.expire(now);
        }
        if is_due(self.parting.as_ref().map(|parting| parting.deadline())) {
            self.parted(now);
        }
    }

    pub(super) fn start_tls(&mut self, now: Time) {
        let pipe = match &self.settings.tls {
            Some(tls) => Pipe::server(tls),
            None => Err(TlsEnd::Failed {
                detail: "the listener has no certificate".into(),
                certificate: true,
                error: None,
            }),
        };
        match pipe {
            Ok(pipe) => self.client.start_tls(pipe, now, &self.settings.timers),
            Err(end) => self.tls_ended(now, &end),
        }
    }

    /// Closes the client's socket, whatever is left.
    pub(super) fn close_client(&mut self) {
        if self.client.let_go() {
            self.actions.push_back(Action::CloseClient);
        }
        self.place = None;
    }

    fn events(&mut self, now: Time) -> bool {
        let mut moved = false;
        while let Some(event) = self.session.poll_event() {
            moved = true;
            match event {
                Event::Request(Request::Open(open)) => {
                    self.asks(now, open);
                    self.turn(now);
                }
                Event::Request(request) => self.request(now, request),
                Event::StartTls => self.start_tls(now),
                Event::Close(reason) => self.closed(now, reason),
            }
        }
        self.given_up(now);
        moved
    }

    /// Begins a login once it is its turn.
    fn turn(&mut self, now: Time) -> bool {
        let due = self.due(now);
        let is_due = due.is_some();
        if let Some(open) = due {
            self.open(now, open);
        }
        is_due
    }

    /// Asks what serves a login that may be looked at.
    fn open(&mut self, now: Time, mut open: Open) {
        let address = self.peer.address.ip();
        let throttle = self.server.throttle();
        let failures = throttle.failures(&self.settings.delay, address, now);
        let (caller, presence) = Caller::new(address, failures);
        open.caller = caller;
        let access = open.access;
        match self.settings.service.route(&open.login, &self.peer) {
            Ok(routed) => {
                self.report.upstream = Some(Arc::clone(&routed.upstream));
                let mut upstream = Box::new(Upstream::new(routed, access, presence));
                if self.settings.transcript.is_some() {
                    upstream.backend.record();
                }
                self.report.asked(Asked::Login);
                upstream.backend.handle_request(now, Request::Open(open));
                self.upstream = Some(upstream);
            }
            Err(Denied::Refused(refusal)) => self.refuse(now, refusal),
            Err(Denied::Failed(failure)) => self.login_failed(now, failure),
        }
    }

    fn request(&mut self, now: Time, request: Request) {
        let is_last = request == Request::Abandon;
        match &request {
            Request::Retrieve { .. } => self.report.asked(Asked::Message),
            Request::Update { .. } => {
                self.report.stage = Stage::Update;
                self.tell(&observer::Event::Updates);
                self.report.asked(Asked::Update);
            }
            Request::Cancel(_) => self.report.cancelled(),
            Request::Abandon => {
                self.report.cancelled();
                self.leaves();
            }
            Request::Open(_) | Request::Answer(_) => {}
        }
        let Some(request) = self.before_update(request) else {
            return;
        };
        match self
            .upstream
            .as_mut()
            .filter(|upstream| !upstream.is_finished())
        {
            Some(upstream) => {
                upstream.backend.handle_request(now, request);
                if is_last {
                    self.finish(now);
                }
            }
            None => self.answer_for_nobody(now, request),
        }
    }

    /// The backend is gone. A session notices that only by a reply.
    fn answer_for_nobody(&mut self, now: Time, request: Request) {
        let failure = Failure::temporary("the backend is gone");
        let reply = match request {
            Request::Abandon | Request::Cancel(_) => return,
            Request::Retrieve { ticket, .. } => Reply::BodyFailed { ticket, failure },
            Request::Open(_) | Request::Answer(_) | Request::Update { .. } => {
                Reply::Failed(failure)
            }
        };
        self.session.handle_reply(now, reply);
    }

    fn closed(&mut self, now: Time, reason: Reason) {
        self.report.reason = Some(reason);
        self.finish(now);
        if reason == Reason::StalledReader {
            self.close_client();
        } else {
            self.client.flush(now, self.settings.timers.flush);
        }
    }

    fn client_input(&mut self, now: Time) -> bool {
        let Some(tls) = self.client.pipe.tls() else {
            return false;
        };
        let mut moved = false;
        while self.session.input_room() > 0 {
            let n = self.session.handle_input(now, tls.plaintext());
            if n == 0 {
                break;
            }
            tls.taken(n);
            moved = true;
        }
        match tls.poll_event() {
            Some(TlsEvent::Ready(info)) => {
                self.peer.encrypted = true;
                self.client.handshake_done();
                self.session.handle_tls(now, info);
                self.tell(&observer::Event::Secured);
                true
            }
            Some(TlsEvent::End(end)) => {
                self.tls_ended(now, &end);
                true
            }
            None => moved,
        }
    }

    /// No more commands come through TLS. Without a close_notify the end may be an attacker's, so the
    /// client's last request does not count (T009).
    fn tls_ended(&mut self, now: Time, end: &TlsEnd) {
        self.client.handshake_done();
        match end {
            TlsEnd::Closed => self.session.handle_eof(now),
            TlsEnd::Cut => self.session.handle_reset(now),
            TlsEnd::Failed { detail, .. } => {
                self.report.tls_failed(detail);
                self.session.handle_reset(now);
            }
        }
    }

    fn client_output(&mut self, now: Time) -> bool {
        let Some(tls) = self.client.pipe.tls() else {
            return false;
        };
        let n = tls.write(self.session.transmit());
        if n > 0 {
            self.session.transmitted(now, n);
        }
        n > 0
    }

    fn close_on(&mut self, now: Time) -> bool {
        let mut linger = self.settings.timers.linger;
        if self.report.reason == Some(Reason::ShutDown) {
            linger = linger.min(HURRIED);
        }
        match self.client.close_on(&self.session, now, linger) {
            Some(Closing::ShutDown) => self.actions.push_back(Action::ShutDownClient),
            Some(Closing::Close) => self.close_client(),
            None => return false,
        }
        true
    }

    fn upstream(&mut self, now: Time) -> bool {
        let Some(upstream) = &mut self.upstream else {
            return false;
        };
        upstream.pump(now, &mut self.actions) | upstream.effects(now, &mut self.actions)
    }

    /// Hands the replies that there are to the session, one after the other: a listing has 100,000 of them. Returns
    /// whether there were any.
    fn replies(&mut self, now: Time) -> bool {
        let mut moved = false;
        while self.reply(now) {
            moved = true;
            self.transcribe(now);
            // a session that has enough of a message says so before more of it is asked for
            self.transcribed(now, Self::events);
        }
        moved
    }

    /// Hands one reply to the session; returns whether there was one.
    fn reply(&mut self, now: Time) -> bool {
        let Some(upstream) = &mut self.upstream else {
            return false;
        };
        if upstream.is_finished() {
            return upstream.backend.poll_reply(now, 0).is_some();
        }
        if upstream.holding.is_asked() {
            return false;
        }
        let room = self.session.body_room();
        let Some(reply) = upstream.backend.poll_reply(now, room) else {
            return false;
        };
        match reply {
            Reply::Authenticated => self.hold(now, None),
            Reply::Opened { access } => self.hold(now, Some(access)),
            Reply::Refused(refusal) => self.part(now, Last::Refused(refusal)),
            Reply::Failed(failure) => self.part(now, Last::Failed(failure)),
            Reply::Updated => self.part(now, Last::Updated),
            Reply::Kept => self.part(now, Last::Kept),
            Reply::BodyFailed { ticket, failure } => {
                self.tell(&observer::Event::MessageFailed(&failure));
                self.answered();
                self.session
                    .handle_reply(now, Reply::BodyFailed { ticket, failure });
            }
            Reply::BodyStart { ticket, size } => {
                self.answered();
                let reply = Reply::BodyStart { ticket, size };
                self.session.handle_reply(now, reply);
            }
            reply @ (Reply::Challenge(_)
            | Reply::Entry { .. }
            | Reply::Body { .. }
            | Reply::BodyEnd { .. }) => self.session.handle_reply(now, reply),
        }
        true
    }

    /// Drops a backend that has left.
    fn release(&mut self, now: Time) -> bool {
        let left = self
            .upstream
            .as_ref()
            .is_some_and(|upstream| upstream.has_left(now));
        if left {
            self.dismiss();
        }
        left
    }

    fn transcribe(&mut self, now: Time) {
        let Some(sink) = &self.settings.transcript else {
            return;
        };
        while let Some(line) = self.session.poll_trace() {
            sink.line(self.report.session, now, Dialogue::Client, &line);
        }
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        while let Some(line) = upstream.backend.poll_trace() {
            sink.line(self.report.session, now, Dialogue::Upstream, &line);
        }
    }
}
