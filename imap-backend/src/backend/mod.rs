//! The state machine between a POP3 session and an IMAP connection.
//!
//! Owns the parts and the clock, and hands each event of the connection to the part that it concerns. Every
//! input ends in [`ImapBackend::advance`], and so does taking the last octets of a body. Each part owns its
//! fields. The `impl` blocks of [`ImapBackend`] in the other files send what follows from them to the
//! upstream.

mod asked;
mod blame;
mod connect;
mod deadline;
mod deliver;
mod folder;
mod foresight;
mod link;
mod login;
mod maildrop;
mod notes;
mod open;
mod opening;
mod park;
mod phase;
mod reading;
mod reply;
mod retrieve;
mod suspects;
mod update;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::net::SocketAddr;

use pop3_proto::backend::renewal::Renewed;
use pop3_proto::backend::{Backend, Effect, Index, Note, Outcome, Reply, Request};
use pop3_proto::time::Time;
use pop3_proto::trace::Trace;

use crate::command::Command;
use crate::config::Config;
use crate::framer::Expected;
use crate::wire::{Event, Purpose, Wire};

use asked::Asked;
use deadline::Clock;
use link::{Link, State};
pub(crate) use maildrop::Maildrop;
use notes::Notes;
use reading::Reading;
use reply::{Answer, Answers};
use suspects::Suspects;
use update::Update;

/// One POP3 session's view of one IMAP folder.
pub struct ImapBackend {
    config: Arc<Config>,
    asked: Asked,
    clock: Clock,
    link: Link,
    wire: Wire,
    maildrop: Maildrop,
    reading: Reading,
    suspects: Suspects,
    update: Option<Box<Update>>,
    answers: Answers,
    notes: Notes,
}

impl ImapBackend {
    /// A backend for one session.
    pub fn new(config: Arc<Config>) -> Self {
        let mut wire = Wire::new(Arc::clone(&config));
        wire.reset();
        Self {
            reading: Reading::new(config.read_ahead),
            asked: Asked::default(),
            clock: Clock::default(),
            link: Link::default(),
            wire,
            config,
            maildrop: Maildrop::default(),
            suspects: Suspects::default(),
            update: None,
            answers: Answers::default(),
            notes: Notes::default(),
        }
    }

    /// Where the client connects from. It is passed on only to an upstream that belongs to the operator, see
    /// [`Config::own`].
    #[must_use]
    pub fn of_client(mut self, client: SocketAddr) -> Self {
        if self.config.own {
            self.asked.comes_from(client);
        }
        self
    }

    /// The address that the client of [`of_client`](Self::of_client) connected to, for the same upstreams: their logs name
    /// it beside the client's.
    #[must_use]
    pub fn connected_to(mut self, local: SocketAddr) -> Self {
        if self.config.own {
            self.asked.came_to(local);
        }
        self
    }

    /// Asks for this many octets ahead of the client instead of [`Config::read_ahead`]: sessions that have
    /// different shares of a whole can still share one configuration.
    #[must_use]
    pub fn reading_ahead(mut self, octets: u64) -> Self {
        self.reading = Reading::new(octets);
        self
    }

    /// Connects as for a login, reports in notes what the upstream says and offers, and refuses the
    /// login before a name or password is sent: to check a configuration.
    #[must_use]
    pub fn only_looking(mut self) -> Self {
        self.asked.only_looks = true;
        self
    }

    /// Does everything that can be done without more bytes, time or requests.
    fn advance(&mut self) {
        loop {
            self.seek_link();
            if !self.link.is_up() {
                break;
            }
            self.issue();
            self.work();
            if self.wire.head().is_some() && !self.judge() {
                break;
            }
            if self.link.is_down() {
                // the connection was lost over it: another one is made
                continue;
            }
            self.reading.skip_known(&mut self.wire);
            self.announce();
            if self.reading.is_serving() {
                break;
            }
            match self.wire.next() {
                Ok(Some(event)) => self.dispatch(event),
                Ok(None) if self.wire.can_lend() => break,
                Ok(None) => match (self.link.take_lost(), self.link.bye().cloned()) {
                    (Some(failure), _) => self.lose(failure),
                    (None, Some(bye)) if self.wire.outstanding() == 0 => self.drop_link(bye),
                    (None, _) => break,
                },
                Err(failure) => self.drop_link(failure),
            }
        }
    }

    fn dispatch(&mut self, event: Event) {
        if let Event::Status(notice) | Event::Done { notice, .. } = &event {
            let ends_command = !matches!(event, Event::Status(_));
            self.notes
                .heard(notice, ends_command, &self.config, &self.asked);
        }
        match self.link.state() {
            State::Opening(_) => self.opening_event(event),
            State::Ready => self.ready_event(event),
            // what comes while nothing is awaited means nothing
            State::Down
            | State::Connecting(_)
            | State::Handshake(_)
            | State::Resting
            | State::Finished => {}
        }
    }

    fn ready_event(&mut self, event: Event) {
        match event {
            Event::Status(notice) => self.noticed(&notice),
            Event::Done {
                tag,
                purpose: Purpose::Fetch(_),
                notice,
            } => self.fetch_done(tag, &notice),
            Event::Done {
                purpose: Purpose::Update(step),
                notice,
                ..
            } => {
                if let Some(update) = &mut self.update {
                    update.answered(step, &notice);
                }
            }
            Event::Exists(count) => self.maildrop.exist(count),
            Event::Expunge(number) => self.maildrop.expunged(number),
            Event::Vanished => self.maildrop.forget_numbers(),
            // the answer to a NOOP, or to something sent for the login
            Event::Done { .. }
            | Event::Continue(_)
            | Event::Ahead
            | Event::Counts(_)
            | Event::Other => {}
            Event::Inline(head, body) => self.inline(head, body),
            Event::Whole(uid) => self.literal_here(uid),
            Event::Tail(uid) => self.literal_done(uid),
            Event::Message(message) => {
                self.maildrop.differs();
                if let Some(update) = &mut self.update {
                    update.saw_flags(message, self.config.max_messages);
                }
            }
            Event::Folder { trash, name } => {
                if let Some(update) = &mut self.update {
                    update.saw_folder(trash, name);
                }
            }
        }
    }

    /// Logs out, as far as the connection allows, and forgets everything.
    fn finish(&mut self) {
        let can_speak = match self.link.state() {
            State::Ready => !self.reading.is_busy(),
            State::Opening(opening) => opening.can_speak(),
            State::Down
            | State::Connecting(_)
            | State::Handshake(_)
            | State::Resting
            | State::Finished => false,
        };
        if can_speak && self.link.hears() && self.wire.between_commands() {
            // a LOGOUT cannot be unsendable
            let _ = self.wire.send(Command::Logout, Purpose::Logout);
        } else if !self.link.is_finished() {
            self.wire.reset();
        }
        self.link.finish();
        self.asked.open = None;
        self.update = None;
        self.wire.mask.clear();
        self.reading = Reading::new(0);
    }
}

impl Backend for ImapBackend {
    /// Another token for a login that is made once more.
    type Done = Renewed;

    fn handle_request(&mut self, now: Time, request: Request) {
        self.clock.tick(now);
        if request == Request::Abandon {
            self.note_abandoned_login();
        }
        let waited = self.clock.moved();
        self.clock.uses();
        match request {
            Request::Open(open) => {
                self.clock.asks();
                self.open(open);
            }
            Request::Answer(answer) => {
                self.clock.asks();
                self.answered(&answer);
            }
            Request::Retrieve {
                ticket,
                index: Index(index),
                part,
            } => {
                self.retrieve(ticket, index, part);
            }
            Request::Cancel(ticket) => self.cancel(ticket),
            Request::Update { deleted, retrieved } => self.start_update(&deleted, &retrieved),
            Request::Abandon => {
                self.left_waiting(waited);
                self.finish();
            }
        }
        self.advance();
    }

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<Renewed>) {
        self.clock.tick(now);
        self.clock.moved();
        match outcome {
            Outcome::Connected => self.connected(),
            Outcome::Resumed(waiting) => self.resumed(waiting),
            Outcome::TlsReady => self.tls_ready(),
            Outcome::Done(renewed) => self.token_fetched(renewed),
            Outcome::Lost(failure) => self.lost(failure),
        }
        self.advance();
    }

    fn handle_timeout(&mut self, now: Time) {
        self.clock.tick(now);
        if let Some((at, reason)) = self.deadline()
            && at <= now
        {
            self.overdue(reason);
            self.clock.moved();
        }
        self.advance();
    }

    fn poll_reply(&mut self, now: Time, room: usize) -> Option<Reply<'_>> {
        self.clock.tick(now);
        if self.answers.is_empty() && self.maildrop.is_listed() {
            if !self.reading.has_body(&self.wire) {
                if !self.is_body_taken() {
                    return None;
                }
                let before = self.deadline();
                self.advance();
                if self.deadline() != before {
                    self.clock.moved();
                }
            } else if room > 0 {
                // from now on the upstream may have to answer
                self.clock.moved();
                self.clock.uses();
                return self.body(room);
            }
        }
        self.clock.uses();
        self.answers.next(&mut self.maildrop)
    }

    fn poll_effect(&mut self) -> Option<Effect<Renewed>> {
        self.link.effect()
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.deadline().map(|(at, _)| at)
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        let listens = self.link.hears() && !self.reading.is_serving();
        if !listens {
            return &mut [];
        }
        let opening = self.link.as_opening();
        let expected = match opening.and_then(|opening| opening.listing()) {
            _ if self.update.is_some() => Expected::Much,
            Some(listing) => listing,
            None if self.link.is_ready() && self.wire.outstanding() == 0 => Expected::Nothing,
            None => self.reading.expected(&self.maildrop.table),
        };
        self.wire.room(expected)
    }

    fn received(&mut self, now: Time, n: usize) {
        self.clock.tick(now);
        if n > 0 {
            self.clock.hears();
            self.wire.filled(n);
        }
        self.advance();
    }

    fn transmit(&self) -> &[u8] {
        match self.link.state() {
            State::Connecting(_) | State::Handshake(_) | State::Down => &[],
            State::Opening(_) | State::Ready | State::Resting | State::Finished => {
                self.wire.transmit()
            }
        }
    }

    fn transmitted(&mut self, now: Time, n: usize) {
        self.clock.tick(now);
        if n > 0 {
            self.clock.spoke();
            self.wire.transmitted(n);
        }
        if self.link.is_resting() && self.wire.transmit().is_empty() {
            // the LOGOUT is said
            self.wire.reset();
        }
        self.advance();
    }

    fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop()
    }

    fn record(&mut self) {
        self.wire.recorder.switch_on();
    }

    fn poll_trace(&mut self) -> Option<Trace> {
        self.wire.recorder.pop()
    }
}

impl fmt::Debug for ImapBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapBackend")
            .field("endpoint", &self.config.endpoint)
            .field("link", &self.link.state())
            .field("messages", &self.maildrop.table.len())
            .finish_non_exhaustive()
    }
}
