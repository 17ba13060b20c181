//! The session: what it keeps, and how octets, replies and time get in and out.
//!
//! Owns the buffers and the queue of events. What a command, a reply or a deadline does is in `state`.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use bytes::{Buf, BytesMut};

use super::event::{Event, Reason, Summary, TlsInfo};
use super::phase;
use super::policy::Policy;
use super::standing::{Running, State};
use crate::backend::{Access, Reply, Request};
use crate::line::LineBuffer;
use crate::response::{self, ResponseCode};
use crate::time::Time;
use crate::trace::{Direction, Trace};

/// Octets of output beyond which no command is begun and no body is taken in.
pub(super) const OUTPUT_FULL: usize = 64 * 1024;

/// A session with one client. See the [module](super) for its run loop.
pub struct Session {
    pub(super) policy: Arc<Policy>,
    pub(super) stamp: Box<str>,
    pub(super) state: State,
    pub(super) input: LineBuffer,
    pub(super) output: BytesMut,
    pub(super) events: VecDeque<Event>,
    pub(super) trace: Option<Box<Recorded>>,
    pub(super) summary: Summary,
    pub(super) access: Access,
    pub(super) utf8: bool,
    pub(super) client_eof: bool,
    pub(super) client_gone: bool,
    pub(super) shutting_down: bool,
    pub(super) greeted_a_command: bool,
    pub(super) bad_commands: u32,
    pub(super) challenges: u32,
    pub(super) next_ticket: u32,
    pub(super) moments: Moments,
    /// The steps that it has taken.
    #[cfg(test)]
    pub(super) trail: alloc::vec::Vec<phase::Transition>,
}

/// The lines of the dialogue that wait to be fetched, where they are recorded. Most sessions have none.
#[derive(Default)]
pub(super) struct Recorded {
    lines: VecDeque<Trace>,
}

/// When things last happened; deadlines are counted from these.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) now: Time,
    pub(super) started: Time,
    /// The last command, or the end of its response.
    pub(super) activity: Time,
    /// The last octets that the client took.
    pub(super) progress: Time,
    /// Since when the client could have taken octets and did not.
    pub(super) waiting: Time,
    /// The last request to the backend or reply from it.
    pub(super) backend: Time,
    pub(super) shut_down: Time,
}

impl Session {
    /// A session whose greeting waits in [`transmit`](Self::transmit).
    ///
    /// `stamp` is a message-id in angle brackets that is never used again (see
    /// [`apop::timestamp`](crate::apop::timestamp)); it is used where the policy offers APOP or CRAM-MD5
    /// and may be empty otherwise.
    pub fn new(policy: Arc<Policy>, stamp: &str, now: Time) -> Self {
        let moments = Moments {
            now,
            started: now,
            activity: now,
            progress: now,
            waiting: now,
            backend: now,
            shut_down: now,
        };
        let mut session = Self {
            policy,
            stamp: stamp.into(),
            state: State::Authorization { user: None },
            input: LineBuffer::default(),
            output: BytesMut::new(),
            events: VecDeque::new(),
            trace: None,
            summary: Summary::default(),
            access: Access::ReadWrite,
            utf8: false,
            client_eof: false,
            client_gone: false,
            shutting_down: false,
            greeted_a_command: false,
            bad_commands: 0,
            challenges: 0,
            next_ticket: 0,
            moments,
            #[cfg(test)]
            trail: alloc::vec::Vec::new(),
        };
        session.greet();
        session
    }

    /// How many octets [`handle_input`](Self::handle_input) takes. 0 means: leave them in the socket.
    pub fn input_room(&self) -> usize {
        if !self.takes_input() || self.output.len() >= OUTPUT_FULL {
            return 0;
        }
        self.input.room(self.input_capacity())
    }

    /// Takes octets from the client, at most [`input_room`](Self::input_room) of them, and returns how
    /// many. Octets offered while a TLS handshake is due end the session: they came in the clear after
    /// STLS.
    pub fn handle_input(&mut self, now: Time, bytes: &[u8]) -> usize {
        self.at(now);
        if bytes.is_empty() || matches!(self.state, State::Closed) {
            return bytes.len();
        }
        if matches!(self.state, State::StartingTls | State::Handshake) {
            self.close_at_once(Reason::PlaintextAfterStls);
            return bytes.len();
        }
        let taken = bytes.len().min(self.input.room(self.input_capacity()));
        self.input.push(&bytes[..taken]);
        self.advance();
        taken
    }

    /// The client will send no more. Complete commands that came before are still carried out; half a
    /// line is not.
    pub fn handle_eof(&mut self, now: Time) {
        self.at(now);
        self.client_eof = true;
        self.advance();
    }

    /// The connection to the client is gone both ways.
    pub fn handle_reset(&mut self, now: Time) {
        self.at(now);
        self.reset();
    }

    /// The TLS handshake is done, after [`Event::StartTls`] or from the start on a listener with implicit
    /// TLS. Everything that came in the clear is forgotten (RFC 2595 section 4).
    pub fn handle_tls(&mut self, now: Time, info: TlsInfo) {
        self.at(now);
        self.summary.tls = Some(Box::new(info));
        self.forget_clear_text();
        self.advance();
    }

    /// Takes a reply from the backend.
    pub fn handle_reply(&mut self, now: Time, reply: Reply<'_>) {
        self.at(now);
        self.moments.backend = self.moments.now;
        self.answer(reply);
        self.advance();
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.at(now);
        if self
            .deadline()
            .is_some_and(|(at, _)| at <= self.moments.now)
        {
            self.expire();
        }
        self.advance();
    }

    /// Ends the session after the running command: its response is completed, the next command is
    /// refused with `[SYS/TEMP]`, nothing is deleted. Where nothing runs, the refusal is sent at once; a command
    /// that crosses it takes it for its answer.
    pub fn shut_down(&mut self, now: Time) {
        self.at(now);
        self.advance();
        if !self.shutting_down {
            self.shutting_down = true;
            self.moments.shut_down = self.moments.now;
            self.end_if_idle();
        }
        self.advance();
    }

    /// Ends the session of a client that has not logged in, because its place is needed for another. A
    /// login under way is answered with `[SYS/TEMP]`; one that has succeeded stays.
    pub fn turn_out(&mut self, now: Time) {
        self.at(now);
        self.turned_out();
        self.advance();
    }

    /// Octets for the client. Poll it after everything else has stopped moving, so that small responses
    /// go out in one write.
    pub fn transmit(&self) -> &[u8] {
        &self.output
    }

    /// The first `n` octets of [`transmit`](Self::transmit) were sent.
    pub fn transmitted(&mut self, now: Time, n: usize) {
        self.at(now);
        self.output.advance(n.min(self.output.len()));
        self.moments.progress = self.moments.now;
        self.moments.waiting = self.moments.now;
        if self.output.is_empty() && !self.is_retrieving() {
            // keeps memory only while something moves
            self.output = BytesMut::new();
        }
        self.advance();
    }

    /// How many octets of a body the backend may hand over in one reply.
    pub fn body_room(&self) -> usize {
        if self.is_retrieving() {
            OUTPUT_FULL.saturating_sub(self.output.len())
        } else {
            0
        }
    }

    /// The next event. Poll until `None` after every other call.
    pub fn poll_event(&mut self) -> Option<Event> {
        let next = self.events.pop_front()?;
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        Some(next)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, and why. Changes with every
    /// call.
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.deadline().map(|(at, due)| (at, due.as_str()))
    }

    /// Switches the recording of the dialogue on, best before anything else: what waits to be sent,
    /// such as the greeting, is still recorded.
    pub fn record(&mut self) {
        if self.trace.is_some() {
            return;
        }
        let waiting = String::from_utf8_lossy(&self.output).into_owned();
        self.trace = Some(Box::default());
        for line in waiting.lines() {
            self.note(Direction::Sent, format_args!("{line}"));
        }
    }

    /// The next recorded line.
    pub fn poll_trace(&mut self) -> Option<Trace> {
        self.trace.as_mut()?.lines.pop_front()
    }

    /// What the session did so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The clock never goes back, even if a driver's does.
    fn at(&mut self, now: Time) {
        self.moments.now = self.moments.now.max(now);
        if self.output.is_empty() {
            self.moments.waiting = self.moments.now;
        }
    }

    pub(super) fn request(&mut self, request: Request) {
        self.moments.backend = self.moments.now;
        self.tell(Event::Request(request));
    }

    /// An event is large, and as a rule there is one at a time: the queue has room for one, and goes when it is empty.
    pub(super) fn tell(&mut self, event: Event) {
        if self.events.is_empty() {
            self.events.reserve_exact(1);
        }
        self.events.push_back(event);
    }

    /// One line to the client.
    pub(super) fn send(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.note(Direction::Sent, format_args!("{line}"));
    }

    pub(super) fn send_ok(&mut self, text: fmt::Arguments<'_>) {
        self.send(&response::ok(text));
    }

    pub(super) fn send_err(&mut self, code: Option<ResponseCode>, text: &str) {
        self.send(&response::err(code, format_args!("{text}")));
    }

    pub(super) fn note(&mut self, direction: Direction, text: fmt::Arguments<'_>) {
        if let Some(trace) = &mut self.trace {
            trace.lines.push_back(Trace {
                direction,
                text: alloc::format!("{text}"),
            });
        }
    }

    // every change of the state goes through these

    /// Enters a state; returns the one that was left.
    pub(super) fn enter(&mut self, state: State) -> State {
        let (from, to) = (self.state.phase(), state.phase());
        self.went((from, to));
        core::mem::replace(&mut self.state, state)
    }

    /// Another thing runs in TRANSACTION; returns what ran before.
    pub(super) fn run(&mut self, now: Running) -> Option<Running> {
        let from = self.state.phase();
        let State::Transaction(_, running) = &mut self.state else {
            return None;
        };
        let before = core::mem::replace(running, now);
        let to = self.state.phase();
        self.went((from, to));
        Some(before)
    }

    fn went(&mut self, step: phase::Transition) {
        phase::check(step);
        #[cfg(test)]
        self.trail.push(step);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Ticket;

    fn sent(session: &mut Session) -> usize {
        let octets = session.transmit().len();
        session.transmitted(Time::ZERO, octets);
        session.output.capacity()
    }

    /// A login is the largest event.
    #[test]
    fn an_idle_session_keeps_no_room_for_events() {
        let policy = Policy {
            clear_login: true,
            ..Policy::default()
        };
        let mut session = Session::new(Arc::new(policy), "", Time::ZERO);
        sent(&mut session);
        session.handle_input(Time::ZERO, b"USER tim\r\nPASS secret\r\n");
        assert!(matches!(
            session.poll_event(),
            Some(Event::Request(crate::backend::Request::Open(_)))
        ));
        assert_eq!(session.events.capacity(), 0);
        assert!(size_of::<Event>() <= 136, "{}", size_of::<Event>());
    }

    /// Memory is kept only while something moves: an idle session has no buffer, and one that sends a
    /// message does not allocate a new one for each piece.
    #[test]
    fn the_output_is_held_while_a_message_is_sent() {
        let policy = Policy {
            clear_login: true,
            ..Policy::default()
        };
        let mut session = Session::new(policy.into(), "", Time::ZERO);
        assert_eq!(sent(&mut session), 0);
        session.handle_input(Time::ZERO, b"USER u\r\nPASS p\r\n");
        let (size, access) = (3, Access::ReadWrite);
        let unique_id = b"1";
        session.handle_reply(Time::ZERO, Reply::Entry { size, unique_id });
        session.handle_reply(Time::ZERO, Reply::Opened { access });
        assert_eq!(sent(&mut session), 0);
        session.handle_input(Time::ZERO, b"RETR 1\r\n");
        let (ticket, size) = (Ticket(session.next_ticket), Some(size));
        session.handle_reply(Time::ZERO, Reply::BodyStart { ticket, size });
        assert!(sent(&mut session) > 0);
        let bytes = b"a\r\n";
        session.handle_reply(Time::ZERO, Reply::Body { ticket, bytes });
        assert!(sent(&mut session) > 0);
        session.handle_reply(Time::ZERO, Reply::BodyEnd { ticket });
        assert_eq!(sent(&mut session), 0);
    }
}
