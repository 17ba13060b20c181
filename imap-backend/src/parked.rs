//! A connection that waits for the next login, with its folder open.
//!
//! Owns the connection between two sessions. It says nothing but IDLE (RFC 2177), where the server offers that and is
//! believed, and good-bye. What the server says meanwhile is believed only as far as it is plain: news end what is known of the
//! folder, and whatever leaves a doubt ends the connection. Never decides whose it is.
//!
//! Two things are kept beside the connection. When the upstream last looked at the credential: the connection ends
//! when that is too long ago, however often it was used. And the listing of the last session, if it is not large. While the
//! server is bound to say what changes, the next login needs no flight at all: the listing is believed only shortly after
//! the server was last heard, since a path that died in silence looks like a folder without news. Else the next login asks
//! whether it still is right.

use alloc::sync::Arc;
use core::time::Duration;

use pop3_proto::backend::waiting::Waiting;
use pop3_proto::backend::{Access, Backend, Effect, Outcome, Reply, Request};
use pop3_proto::time::Time;

use crate::backend::Maildrop;
use crate::capability::Capability;
use crate::command::Command;
use crate::config::Config;
use crate::framer::Expected;
use crate::grammar::{Code, Kind};
use crate::wire::{Event, Notice, Purpose, Wire};

/// How long a server that says nothing is believed to have no news. Dovecot speaks every two minutes.
const BELIEVED: Duration = Duration::from_secs(150);

/// How many octets a server may say to a connection that waits.
const TALK: usize = 64 * 1024;

/// What a connection that waited knows of its folder.
pub(crate) enum Known {
    Nothing,
    /// This is how it was listed.
    Listed(Maildrop),
    /// This is how it is: the server would have said otherwise.
    Told(Maildrop),
}

/// A connection between two sessions.
pub(crate) struct Parked {
    pub(crate) wire: Wire,
    /// The folder as it was listed, if nothing has changed since.
    listing: Option<Maildrop>,
    validity: u64,
    access: Access,
    /// When the upstream took the credential.
    pub(crate) proven: Time,
    pub(crate) heard: Time,
    until: Time,
    said: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    /// It is of no use, and that is to be said.
    Ends,
    Ended,
}

impl Parked {
    /// Puts a connection aside on which nothing is awaited.
    pub(crate) fn new(
        config: &Arc<Config>,
        mut wire: Wire,
        maildrop: Maildrop,
        access: Access,
        (now, heard, proven): (Time, Time, Time),
    ) -> Self {
        let validity = maildrop.uid_validity;
        if config.trust_idle && !wire.is_idling() && wire.can(Capability::Idle) {
            // IDLE cannot be unsendable
            let _ = wire.send(Command::Idle, Purpose::Idle);
        }
        let known = maildrop.is_as_listed() && wire.is_idling() || maildrop.is_kept(now);
        let listing = known.then_some(maildrop);
        Self {
            wire,
            listing,
            validity,
            access,
            proven,
            heard,
            until: (now + config.park).min(proven + config.trust_login),
            said: 0,
            state: State::Waits,
        }
    }

    /// What is known of the folder.
    pub(crate) fn known(&mut self, now: Time, access: Access) -> Known {
        let told = self.wire.is_told() && now.since(self.heard) <= BELIEVED;
        match self.listing.take().filter(|_| access == self.access) {
            Some(listing) if told => Known::Told(listing),
            Some(listing) if listing.is_kept(now) => Known::Listed(listing),
            Some(_) | None => Known::Nothing,
        }
    }

    fn hear(&mut self) {
        while self.state == State::Waits {
            match self.wire.next() {
                Ok(None) => break,
                Ok(Some(event)) if self.bears(&event) => {}
                Ok(Some(_)) | Err(_) => self.leave(),
            }
        }
    }

    /// Takes note of what the server says. Returns whether that leaves no doubt.
    fn bears(&mut self, event: &Event) -> bool {
        match event {
            Event::Status(Notice { kind, code, .. }) => {
                let same =
                    |code| !matches!(code, Code::UidValidity(other) if other != self.validity);
                return *kind == Kind::Ok && same(*code);
            }
            // it idles
            Event::Continue(_) => return self.wire.is_told(),
            // it does not want to idle, or no longer
            Event::Done {
                purpose: Purpose::Idle,
                ..
            } => self.listing = None,
            Event::Exists(_)
            | Event::Expunge(_)
            | Event::Vanished
            | Event::Message(_)
            | Event::Counts(_)
            | Event::Other => self.listing = None,
            Event::Done { .. }
            | Event::Inline(..)
            | Event::Ahead
            | Event::Whole(_)
            | Event::Tail(_)
            | Event::Folder { .. } => return false,
        }
        true
    }

    fn leave(&mut self) {
        if self.state == State::Waits {
            self.state = State::Ends;
            self.listing = None;
            // a LOGOUT cannot be unsendable
            let _ = self.wire.send(Command::Logout, Purpose::Logout);
        }
    }
}

impl Waiting for Parked {
    fn is_fit(&self) -> bool {
        // half a line is not worth a guess
        self.state == State::Waits && self.wire.pending() == 0
    }
}

impl Backend for Parked {
    type Done = ();

    fn handle_request(&mut self, _: Time, request: Request) {
        match request {
            Request::Abandon => self.leave(),
            Request::Open(_)
            | Request::Answer(_)
            | Request::Retrieve { .. }
            | Request::Cancel(_)
            | Request::Update { .. } => {}
        }
    }

    fn handle_outcome(&mut self, _: Time, outcome: Outcome<()>) {
        if let Outcome::Lost(_) = outcome {
            self.state = State::Ended;
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.until <= now {
            self.leave();
        }
    }

    fn poll_reply(&mut self, _: Time, _: usize) -> Option<Reply<'_>> {
        None
    }

    fn poll_effect(&mut self) -> Option<Effect<()>> {
        (self.state == State::Ends).then(|| {
            self.state = State::Ended;
            Effect::Disconnect
        })
    }

    fn poll_timeout(&self) -> Option<Time> {
        (self.state == State::Waits).then_some(self.until)
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        match self.state {
            State::Waits => self.wire.room(Expected::Line),
            State::Ends | State::Ended => &mut [],
        }
    }

    fn received(&mut self, now: Time, n: usize) {
        self.heard = now;
        self.said = self.said.saturating_add(n);
        self.wire.filled(n);
        if self.said > TALK {
            self.leave();
        }
        self.hear();
    }

    fn transmit(&self) -> &[u8] {
        self.wire.transmit()
    }

    fn transmitted(&mut self, _: Time, n: usize) {
        self.wire.transmitted(n);
    }
}

#[cfg(any(test, fuzzing))]
impl Parked {
    /// One with an empty folder of which is known how it was, or, if it idles, how it is, or nothing.
    pub(crate) fn sample(config: &Arc<Config>, listed: bool, told: bool) -> Self {
        let config = &Arc::new(Config {
            trust_idle: told || !listed,
            ..Config::clone(config)
        });
        let mut wire = Wire::new(Arc::clone(config));
        let greeting = b"* OK [CAPABILITY IMAP4rev1 IDLE UIDPLUS ENABLE UTF8=ACCEPT] x\r\n";
        wire.room(Expected::Line)[..greeting.len()].copy_from_slice(greeting);
        wire.filled(greeting.len());
        assert!(wire.next().is_ok());
        let times = (Time::ZERO, Time::ZERO, Time::ZERO);
        let mut maildrop = Maildrop::default();
        maildrop.uid_next = u64::from(listed);
        let mut parked = Self::new(config, wire, maildrop, Access::ReadWrite, times);
        parked.transmitted(Time::ZERO, usize::MAX);
        let said = if told { "+ idling\r\n" } else { "" };
        parked.recv_buf()[..said.len()].copy_from_slice(said.as_bytes());
        parked.received(Time::ZERO, said.len());
        parked
    }
}
