//! The state machine between a POP3 session and an IMAP connection.
//!
//! Owns the parts and the clock, and hands each event of the connection to the part that it concerns. Every
//! input ends in [`ImapBackend::advance`], and so does taking the last octets of a body. Each part owns its
//! fields. The `impl` blocks of [`ImapBackend`] in the other files send what follows from them to the
//! upstream.

mod alert;
mod blame;
mod deadline;
mod deliver;
mod folder;
mod foresight;
mod link;
mod login;
mod maildrop;
mod open;
mod opening;
mod phase;
mod reading;
mod reply;
mod retrieve;
mod trouble;
mod update;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::{fmt, mem};

use pop3_proto::backend::{Backend, Effect, Failure, Index, Note, Open, Outcome, Reply, Request};
use pop3_proto::time::Time;
use pop3_proto::trace::Trace;

use crate::command::Command;
use crate::config::Config;
use crate::wire::{Event, Purpose, Wire};

use alert::Said;
use link::{Clock, Link};
use maildrop::Maildrop;
use reading::Reading;
use reply::Answer;
use trouble::Trouble;
use update::Update;

/// One POP3 session's view of one IMAP folder.
pub struct ImapBackend {
    config: Arc<Config>,
    /// Where the client connects from.
    origin: Option<SocketAddr>,
    /// Whether it ends before a user is named.
    only_looks: bool,
    clock: Clock,
    wire: Wire,
    link: Link,
    /// The connection is gone, but what it brought is not all read.
    gone: Option<Failure>,
    /// The upstream said BYE, with this text.
    bye: Option<Failure>,
    /// What the session asked for at login; kept to reconnect.
    open: Option<Open>,
    maildrop: Maildrop,
    /// The maildrop cannot be opened again in this session.
    broken: Option<Failure>,
    reading: Reading,
    trouble: Box<Trouble>,
    /// A wrong size from the upstream was logged.
    size_noted: bool,
    update: Option<Box<Update>>,
    answers: VecDeque<Answer>,
    /// What is lent with a challenge or an entry.
    lent: Vec<u8>,
    effects: VecDeque<Effect<()>>,
    notes: VecDeque<Note>,
    said: Said,
    /// The steps that it took.
    #[cfg(test)]
    trail: Vec<phase::Transition>,
}

/// The most notes that wait to be fetched; further ones are left out.
const NOTES: usize = 32;

impl ImapBackend {
    /// A backend for one session.
    pub fn new(config: Arc<Config>) -> Self {
        let mut wire = Wire::new(Arc::clone(&config));
        wire.reset();
        Self {
            reading: Reading::new(config.read_ahead),
            origin: None,
            only_looks: false,
            clock: Clock::default(),
            wire,
            config,
            link: Link::Down,
            gone: None,
            bye: None,
            open: None,
            maildrop: Maildrop::default(),
            broken: None,
            trouble: Box::default(),
            size_noted: false,
            update: None,
            answers: VecDeque::new(),
            lent: Vec::new(),
            effects: VecDeque::new(),
            notes: VecDeque::new(),
            said: Said::default(),
            #[cfg(test)]
            trail: Vec::new(),
        }
    }

    /// Where the client connects from. It is passed on only to an upstream that belongs to the operator, see
    /// [`Config::own`].
    #[must_use]
    pub fn of_client(mut self, client: SocketAddr) -> Self {
        self.origin = self.config.own.then_some(client);
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
        self.only_looks = true;
        self
    }

    /// Leaves a note for the operator.
    fn note(&mut self, note: Note) {
        if self.notes.len() < NOTES {
            self.notes.push_back(note);
        }
    }

    /// Does everything that can be done without more bytes, time or requests.
    fn advance(&mut self) {
        loop {
            self.seek_link();
            if !matches!(self.link, Link::Opening(_) | Link::Ready) {
                break;
            }
            self.issue();
            self.work();
            if self.wire.head().is_some() && !self.judge() {
                break;
            }
            if let Link::Down = self.link {
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
                Ok(None) => match (self.gone.take(), self.bye.clone()) {
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
            self.heard(notice, !matches!(event, Event::Status(_)));
        }
        match self.link {
            Link::Opening(_) => self.opening_event(event),
            Link::Ready => self.ready_event(event),
            // what comes while nothing is awaited means nothing
            Link::Down | Link::Connecting(_) | Link::Handshake(_) | Link::Finished => {}
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
            Event::Done { .. } | Event::Continue(_) | Event::Ahead | Event::Other => {}
            Event::Inline(head, body) => self.inline(head, body),
            Event::Whole(uid) => self.literal_here(uid),
            Event::Tail(uid) => self.literal_done(uid),
            Event::Message(message) => {
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
        let can_speak = match &self.link {
            Link::Ready => !self.reading.is_busy(),
            Link::Opening(opening) => opening.can_speak(),
            Link::Down | Link::Connecting(_) | Link::Handshake(_) | Link::Finished => false,
        };
        if can_speak && self.gone.is_none() && self.wire.between_commands() {
            // a LOGOUT cannot be unsendable
            let _ = self.wire.send(Command::Logout, Purpose::Logout);
        } else if !matches!(self.link, Link::Finished) {
            self.wire.reset();
        }
        if !self.link.is_none() {
            self.effects.push_back(Effect::Disconnect);
        }
        self.enter(Link::Finished);
        self.gone = None;
        self.open = None;
        self.update = None;
        self.wire.mask.clear();
        self.reading = Reading::new(0);
    }
}

impl Backend for ImapBackend {
    type Done = ();

    fn handle_request(&mut self, now: Time, request: Request) {
        self.clock.tick(now);
        if request == Request::Abandon {
            self.note_abandoned_login();
        }
        let waited = now.since(mem::replace(&mut self.clock.progress, now));
        match request {
            Request::Open(open) => {
                self.clock.asked = now;
                self.open(open);
            }
            Request::Answer(answer) => {
                self.clock.asked = now;
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

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<()>) {
        self.clock.tick(now);
        self.clock.progress = now;
        match outcome {
            Outcome::Connected => self.connected(),
            Outcome::TlsReady => self.tls_ready(),
            Outcome::Done(()) => {}
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
            self.clock.progress = now;
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
                    self.clock.progress = self.clock.now;
                }
            } else if room > 0 {
                // from now on the upstream may have to answer
                self.clock.progress = self.clock.now;
                return self.body(room);
            }
        }
        match self.answers.pop_front() {
            Some(answer) => Some(self.reply(answer)),
            None => self.maildrop.entry(&mut self.lent),
        }
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.deadline().map(|(at, _)| at)
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        let listens = match self.link {
            Link::Opening(_) | Link::Ready => self.gone.is_none() && !self.reading.is_serving(),
            Link::Down | Link::Connecting(_) | Link::Handshake(_) | Link::Finished => false,
        };
        if !listens {
            return &mut [];
        }
        let bulk = self.reading.is_busy()
            || self.update.is_some()
            || self
                .link
                .as_opening()
                .is_some_and(|opening| opening.scans());
        self.wire.room(bulk)
    }

    fn received(&mut self, now: Time, n: usize) {
        self.clock.tick(now);
        if n > 0 {
            self.clock.progress = now;
            self.wire.filled(n);
        }
        self.advance();
    }

    fn transmit(&self) -> &[u8] {
        match self.link {
            Link::Connecting(_) | Link::Handshake(_) | Link::Down => &[],
            Link::Opening(_) | Link::Ready | Link::Finished => self.wire.transmit(),
        }
    }

    fn transmitted(&mut self, now: Time, n: usize) {
        self.clock.tick(now);
        if n > 0 {
            self.clock.progress = now;
            self.clock.spoke = now;
            self.wire.transmitted(n);
        }
        self.advance();
    }

    fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
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
            .field("link", &self.link)
            .field("messages", &self.maildrop.table.len())
            .finish_non_exhaustive()
    }
}
