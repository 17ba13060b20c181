//! The parts that a connection is composed of, and what it says about them to the observer.
//!
//! Owns no step: what a login, a maildrop or an input does with the parts is in `login`, `maildrop`, `advance` and
//! the module itself, which all know this one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use pop3_proto::backend::Backend;
use pop3_proto::server::Session;

use super::action::{Action, Side};
use super::attempt::Attempt;
use super::client::Client;
use super::holding::Parting;
use super::report::Report;
use super::upstream::Upstream;
use crate::crowd::Place;
use crate::observer::{Contact, Event};
use crate::server::Server;
use crate::service::{Peer, Service};
use crate::settings::Settings;

/// What the jobs of a service's backends yield.
pub(super) type Done<S> = <<S as Service>::Backend as Backend>::Done;

/// One connection. See the [module](crate::connection) for its run loop.
pub struct Connection<S: Service> {
    pub(super) settings: Arc<Settings<S>>,
    pub(super) server: Server,
    pub(super) peer: Peer,
    pub(super) session: Session,
    pub(super) client: Client,
    pub(super) upstream: Option<Box<Upstream<S::Backend>>>,
    pub(super) actions: VecDeque<Action<Done<S>>>,
    /// The login that waits or is looked at.
    pub(super) attempt: Option<Box<Attempt>>,
    /// Freed when the client is gone.
    pub(super) place: Option<Place>,
    pub(super) report: Report,
    /// The maildrop is being let go.
    pub(super) parting: Option<Box<Parting>>,
}

impl<S: Service> Connection<S> {
    /// Tells the observer what happens.
    pub(super) fn tell(&self, event: &Event<'_>) {
        let (listener, summary) = (&self.settings.name, self.session.summary());
        let about = self.report.about(listener, self.peer.address, summary);
        self.server.observer().observe(&about, event);
    }

    /// Tells it that the backend has answered.
    pub(super) fn answered(&mut self) {
        if let Some(event) = self.report.answered() {
            self.tell(&event);
        }
    }

    /// Counts octets of one side.
    pub(super) fn moved(&mut self, side: Side, octets: (usize, usize)) {
        if self.report.moved(side, octets) {
            self.octets(side);
        }
    }

    fn octets(&mut self, side: Side) {
        if let Some(event) = self.report.octets(side) {
            self.tell(&event);
        }
    }

    /// Drops the backend.
    pub(super) fn dismiss(&mut self) {
        self.note();
        self.octets(Side::Upstream);
        if self.upstream.take().is_some() {
            self.actions.push_back(Action::Release);
        }
    }

    /// Tells what the backend has to say beside its replies, and what became of its connection.
    pub(super) fn note(&mut self) {
        while let Some(contact) = self.upstream.as_mut().and_then(|up| up.poll_contact()) {
            match contact {
                Contact::Connected => self.report.resumed = false,
                Contact::Resumed => self.report.resumed = true,
                Contact::Unreachable
                | Contact::TlsFailed
                | Contact::Untrusted
                | Contact::Broken => {}
            }
            self.tell(&Event::Upstream(contact));
        }
        while let Some(note) = self.upstream.as_mut().and_then(|up| up.backend.poll_note()) {
            self.tell(&Event::Noted(&note));
        }
    }
}

impl<S: Service> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer.address)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl<S: Service> Drop for Connection<S> {
    fn drop(&mut self) {
        self.octets(Side::Upstream);
        self.octets(Side::Client);
        self.tell(&self.report.ended());
    }
}
