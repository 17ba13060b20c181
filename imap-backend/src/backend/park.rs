//! The connection that outlives its session, or rests in it: given back at the end, taken up at the beginning.
//!
//! A chapter of the backend. A session that ends by a complete update and owes the server nothing gives its connection
//! back; every other one logs out. A login that gets a connection asks whether the folder has changed, or selects it
//! anew, in one flight; it needs none if the server would have said what has changed. Until the folder is open the client has been told nothing: should
//! the connection turn out to be dead, or the server say anything but OK, the login goes the way of all others.
//!
//! A session that needs nothing for a while gives its connection up in the same way, or logs out where none may wait. It
//! keeps its table, and comes back like one whose connection was lost: to a folder with the same UIDVALIDITY or to none.

use alloc::boxed::Box;
use core::any::Any;
use core::mem;

use pop3_proto::backend::Failure;
use pop3_proto::backend::waiting::{Claim, Parked as Leaving, Waiting};

use super::link::State;
use super::opening::{Folder, News, Opening, Step};
use super::reply::Answers;
use super::{Answer, ImapBackend, Maildrop};
use crate::command::Command;
use crate::parked::{Known, Parked};
use crate::wire::{Purpose, Wire};

impl ImapBackend {
    /// Under which claim this session's connection may wait, if it may.
    pub(super) fn claim(&self) -> Option<Claim> {
        if self.config.park.is_zero() || self.asked.only_looks {
            return None;
        }
        let open = self.asked.open.as_ref()?;
        // a server of our own was told where the client is
        let octets = self
            .asked
            .origin()
            .map(|origin| match origin.client.ip().to_canonical() {
                core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                core::net::IpAddr::V6(ip) => ip.octets(),
            });
        open.claim(octets.as_ref().map_or(&[], |octets| octets.as_slice()))
    }

    /// A connection that waited is there.
    pub(super) fn resumed(&mut self, waiting: Box<dyn Waiting>) {
        let State::Connecting(opening) = self.link.state() else {
            return;
        };
        let first = opening.first;
        let waiting: Box<dyn Any> = waiting;
        let Ok(mut parked) = waiting.downcast::<Parked>() else {
            return self.drop_link(Failure::temporary("a connection that was not asked for"));
        };
        // a session that rested has its own listing
        let known = match first {
            true => parked.known(self.clock.now, self.asked.access()),
            false => Known::Nothing,
        };
        let recorder = mem::take(&mut self.wire.recorder);
        self.clock.takes_up(parked.proven, parked.heard);
        self.wire = parked.wire;
        self.wire.recorder = recorder;
        if let Known::Told(maildrop) = known {
            return self.is_as_it_was(maildrop);
        }
        if let Some(opening) = self.link.opening() {
            opening.resumed = true;
            opening.id_said = true;
        }
        // of flags the server need not say that they have changed
        let hides = self.plan_of_deletion().hides.is_some();
        if let Known::Listed(maildrop) = known
            && !hides
            && !self.config.learned.tells_no_news()
        {
            self.link.step(Step::News(News::of(maildrop)));
            self.link.go_on(State::Opening);
            return self.ask_for_news();
        }
        self.link.step(Step::Folder(Folder::default()));
        self.link.go_on(State::Opening);
        self.select();
    }

    /// Asks whether the folder is as it was listed. NOOP lets the server look, and STATUS has it say what it found.
    fn ask_for_news(&mut self) {
        self.put(Command::Noop, Purpose::Keep);
        let folder = &self.wire.folder_name(&self.config.folder);
        self.put(Command::Status { folder }, Purpose::News);
    }

    /// The server has answered one of the two: after both it has said what it found.
    pub(super) fn compared(&mut self) {
        let news = self.link.opening().and_then(Opening::news);
        let Some(news) = news.filter(|news| news.is_complete()) else {
            return;
        };
        let listing = news.take_listing();
        if let Some(maildrop) = listing {
            return self.is_as_it_was(maildrop);
        }
        self.link.step(Step::Folder(Folder::default()));
        self.select();
    }

    /// The folder has not changed since it was listed.
    fn is_as_it_was(&mut self, mut maildrop: Maildrop) {
        maildrop.list_again();
        self.maildrop = maildrop;
        self.link.ready();
        self.answers.push(Answer::Authenticated);
    }

    /// The connection that waited is of no use: the login begins from the beginning.
    pub(super) fn start_anew(&mut self, first: bool) {
        self.link
            .connect(self.config.endpoint.clone(), Opening::new(first));
        self.clock.seeks();
    }

    /// The session is over: the connection is given back, or the server is logged out of.
    pub(super) fn leave(&mut self) {
        let maildrop = mem::take(&mut self.maildrop);
        if let Some(parked) = self.put_aside(maildrop) {
            self.link.park(parked);
        }
        self.finish();
    }

    /// Whether the connection may be given up until something is needed.
    pub(super) fn may_rest(&self) -> bool {
        !self.config.rest.is_zero()
            && self.is_sound()
            && self.update.is_none()
            && self.answers.is_empty()
            && self.maildrop.is_listed()
            && self.asked.lasts()
    }

    /// Nothing was needed for a while: the connection is given up, and the table stays.
    pub(super) fn rest(&mut self) {
        let unlisted = Maildrop::unlisted(self.maildrop.uid_validity);
        let parked = self.put_aside(unlisted);
        if parked.is_none() {
            // a LOGOUT cannot be unsendable
            let _ = self.wire.send(Command::Logout, Purpose::Logout);
        }
        self.maildrop.forget_numbers();
        self.reading.shed();
        self.answers = Answers::default();
        self.link.rest(parked);
    }

    /// Whether the connection is up, and nothing is under way on it.
    fn is_sound(&self) -> bool {
        self.link.is_ready()
            && self.link.hears()
            && self.link.may_speak()
            && self.wire.outstanding() == 0
            && self.wire.between_commands()
            && self.wire.transmit().is_empty()
            && self.wire.pending() == 0
            && self.wire.head().is_none()
            && !self.reading.is_busy()
    }

    /// Takes the connection out, to wait with this listing. `None` where it may not.
    fn put_aside(&mut self, maildrop: Maildrop) -> Option<Leaving> {
        let now = self.clock.now;
        let recent = now < self.clock.proven + self.config.trust_login;
        let claim = self.claim().filter(|_| recent && self.is_sound())?;
        let mut wire = mem::replace(&mut self.wire, Wire::new(self.config.clone()));
        self.wire.recorder = mem::take(&mut wire.recorder);
        let times = (now, self.clock.last_heard(), self.clock.proven);
        let access = self.asked.access();
        let waiting = Parked::new(&self.config, wire, maildrop, access, times);
        Some(Leaving {
            claim,
            waiting: Box::new(waiting),
            kept: None,
        })
    }
}
