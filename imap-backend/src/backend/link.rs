//! The connection as the session knows it: how far it is, and what is known of its end.
//!
//! Owns its state and what the driver does about it. Never decides when to connect, nor what a loss means for
//! the work, and never looks at what is said on a connection.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::renewal::Renewed;
use pop3_proto::backend::waiting::{Parked, Wanted};
use pop3_proto::backend::{Effect, Endpoint, Failure, Job};

use super::opening::{Opening, Step};
use super::phase::{self, Phase};

/// The state of the connection, and of the opening of the folder.
#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Down,
    Connecting(Box<Opening>),
    Handshake(Box<Opening>),
    /// From the greeting to the open folder.
    Opening(Box<Opening>),
    Ready,
    /// Put aside or logged out of, because the session needed nothing.
    Resting,
    /// LOGOUT is sent; nothing happens any more.
    Finished,
}

/// One connection after the other.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: State,
    /// What is known of its end, most often nothing.
    end: Option<Box<End>>,
    effects: Vec<Effect<Renewed>>,
    /// The steps that it took.
    #[cfg(test)]
    pub(super) trail: Vec<phase::Transition>,
}

/// How a connection ends, and whether there is another after it.
#[derive(Debug, Default)]
struct End {
    /// It is gone, but what it brought is not all read.
    gone: Option<Failure>,
    /// The upstream said BYE, with this text.
    bye: Option<Failure>,
    /// Why there is no other in this session.
    broken: Option<Failure>,
}

impl Link {
    // how far it is

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, State::Down)
    }

    pub(super) fn is_resting(&self) -> bool {
        matches!(self.state, State::Resting)
    }

    /// Whether there is none, and one would have to be made.
    pub(super) fn is_away(&self) -> bool {
        self.is_down() || self.is_resting()
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Whether the octets of a server mean something.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Opening(_) | State::Ready)
    }

    /// Whether more octets may come.
    pub(super) fn hears(&self) -> bool {
        self.is_up() && !self.is_gone()
    }

    /// Whether the other end takes commands, as far as is known.
    pub(super) fn may_speak(&self) -> bool {
        !self.is_ending()
    }

    /// The opening under way.
    pub(super) fn opening(&mut self) -> Option<&mut Opening> {
        match &mut self.state {
            State::Connecting(opening) | State::Handshake(opening) | State::Opening(opening) => {
                Some(opening)
            }
            State::Down | State::Ready | State::Resting | State::Finished => None,
        }
    }

    /// The same, to look at.
    pub(super) fn as_opening(&self) -> Option<&Opening> {
        match &self.state {
            State::Connecting(opening) | State::Handshake(opening) | State::Opening(opening) => {
                Some(opening)
            }
            State::Down | State::Ready | State::Resting | State::Finished => None,
        }
    }

    /// Whether the session's login is under way.
    pub(super) fn is_first(&self) -> bool {
        self.as_opening().is_some_and(|opening| opening.first)
    }

    // how it goes on

    pub(super) fn connect(&mut self, to: Endpoint, opening: Opening) {
        self.effects.push(Effect::Connect(to));
        self.enter(State::Connecting(Box::new(opening)));
    }

    /// The same, where a connection may wait.
    pub(super) fn resume(&mut self, wanted: Wanted, opening: Opening) {
        self.effects.push(Effect::Resume(Box::new(wanted)));
        self.enter(State::Connecting(Box::new(opening)));
    }

    pub(super) fn shake_hands(&mut self, server_name: String) {
        self.effects.push(Effect::StartTls { server_name });
        self.go_on(State::Handshake);
    }

    /// The opening under way goes on.
    pub(super) fn go_on(&mut self, to: fn(Box<Opening>) -> State) {
        let from = self.phase();
        self.state = match mem::take(&mut self.state) {
            State::Connecting(opening) | State::Handshake(opening) | State::Opening(opening) => {
                to(opening)
            }
            other @ (State::Down | State::Ready | State::Resting | State::Finished) => other,
        };
        self.went(from);
    }

    /// The opening comes to this step.
    pub(super) fn step(&mut self, step: Step) {
        let from = self.phase();
        if let Some(opening) = self.opening() {
            opening.step = step;
        }
        self.went(from);
    }

    /// The login waits for a token, which this fetches; where there is no job it is being fetched already.
    pub(super) fn await_token(&mut self, job: Option<Job<Renewed>>) {
        self.effects.extend(job.map(Effect::Run));
        self.step(Step::Token);
    }

    /// Nobody waits for a token any more: what would fetch one is not begun.
    pub(super) fn fetch_no_token(&mut self) {
        self.effects
            .retain(|effect| !matches!(effect, Effect::Run(_)));
    }

    /// Whether the login waits for a token.
    pub(super) fn awaits_token(&self) -> bool {
        let opening = self.as_opening();
        opening.is_some_and(|opening| matches!(opening.step, Step::Token))
    }

    /// The folder is open.
    pub(super) fn ready(&mut self) {
        self.enter(State::Ready);
    }

    /// What the driver is to do next.
    pub(super) fn effect(&mut self) -> Option<Effect<Renewed>> {
        if self.effects.is_empty() {
            return None;
        }
        // a session has few of them
        let next = self.effects.remove(0);
        if self.effects.is_empty() {
            self.effects = Vec::new();
        }
        Some(next)
    }

    // its end

    /// The driver says that it is gone; what came before may still be read.
    pub(super) fn lost(&mut self, failure: Failure) {
        self.ending().gone = Some(failure);
    }

    fn ending(&mut self) -> &mut End {
        self.end.get_or_insert_default()
    }

    /// Whether the driver has said that it is gone.
    fn is_gone(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.gone.is_some())
    }

    /// Whether it is gone or is to be.
    pub(super) fn is_ending(&self) -> bool {
        self.is_gone() || self.bye().is_some()
    }

    /// How it was lost, if it was; from now on that is being dealt with.
    pub(super) fn take_lost(&mut self) -> Option<Failure> {
        self.end.as_mut()?.gone.take()
    }

    /// The upstream said BYE.
    pub(super) fn say_bye(&mut self, failure: Failure) {
        self.ending().bye = Some(failure);
    }

    pub(super) fn bye(&self) -> Option<&Failure> {
        self.end.as_ref()?.bye.as_ref()
    }

    /// There will be no other in this session.
    pub(super) fn break_off(&mut self, failure: Failure) {
        self.ending().broken = Some(failure);
    }

    pub(super) fn broken(&self) -> Option<&Failure> {
        self.end.as_ref()?.broken.as_ref()
    }

    /// It is of no use any more.
    pub(super) fn disconnect(&mut self) {
        if !self.is_away() && !self.is_finished() {
            self.effects.push(Effect::Disconnect);
        }
    }

    /// It is no more. Returns how far it was, and why it ended: what the upstream said of it comes first.
    pub(super) fn fall(&mut self, failure: Failure) -> (State, Failure) {
        let end = self.end.as_mut();
        let said = end.and_then(|end| end.bye.take()).unwrap_or(failure);
        self.take_lost();
        let to = if self.is_finished() {
            State::Finished
        } else {
            State::Down
        };
        (self.enter(to), said)
    }

    /// The session is over, and the connection is not.
    pub(super) fn park(&mut self, parked: Parked) {
        self.effects.push(Effect::Park(Box::new(parked)));
        self.enter(State::Finished);
    }

    /// The session needs none for now. Without a place for it, it ends once everything is sent.
    pub(super) fn rest(&mut self, parked: Option<Parked>) {
        self.effects.push(match parked {
            Some(parked) => Effect::Park(Box::new(parked)),
            None => Effect::Disconnect,
        });
        self.enter(State::Resting);
    }

    /// The session is over.
    pub(super) fn finish(&mut self) {
        self.disconnect();
        self.enter(State::Finished);
        self.take_lost();
    }

    // every change of the state goes through these

    fn enter(&mut self, state: State) -> State {
        let from = self.phase();
        let before = mem::replace(&mut self.state, state);
        self.went(from);
        before
    }

    fn went(&mut self, from: Phase) {
        let step = (from, self.phase());
        phase::check(step);
        #[cfg(test)]
        self.trail.push(step);
    }

    /// The state without its data.
    pub(super) fn phase(&self) -> Phase {
        match &self.state {
            State::Down => Phase::Down,
            State::Connecting(_) => Phase::Connecting,
            State::Handshake(_) => Phase::Handshake,
            State::Opening(opening) => match opening.step {
                Step::Greeting => Phase::Greeting,
                Step::StartTls => Phase::StartTls,
                Step::Capability => Phase::Capability,
                Step::Token => Phase::Token,
                Step::Login(_) => Phase::Login,
                Step::CapabilityAgain => Phase::CapabilityAgain,
                Step::Enable => Phase::Enable,
                Step::Folder(_) => Phase::Folder,
                Step::News(_) => Phase::News,
            },
            State::Ready => Phase::Ready,
            State::Resting => Phase::Resting,
            State::Finished => Phase::Finished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let host = "imap.example.org".into();
        Endpoint { host, port: 143 }
    }

    /// Greeted, and an octet may come.
    fn up() -> Link {
        let mut link = Link::default();
        link.connect(endpoint(), Opening::new(true));
        link.go_on(State::Opening);
        assert!(matches!(link.effect(), Some(Effect::Connect(to)) if to == endpoint()));
        assert!(link.hears() && link.may_speak() && link.is_first());
        link
    }

    #[test]
    fn what_a_lost_connection_brought_is_read_and_nothing_is_said_on_it() {
        let mut link = up();
        link.lost(Failure::temporary("reset"));
        assert!(link.is_up() && !link.hears() && !link.may_speak());
        let lost = link.take_lost().map(|failure| failure.detail);
        assert_eq!(lost.as_deref(), Some("reset"));
    }

    #[test]
    fn what_the_upstream_says_of_the_end_comes_before_what_the_driver_says() {
        let mut link = up();
        link.say_bye(Failure::temporary("maintenance"));
        assert!(link.hears() && !link.may_speak());
        let (state, failure) = link.fall(Failure::temporary("closed"));
        assert!(matches!(state, State::Opening(_)) && link.is_down());
        assert_eq!(failure.detail, "maintenance");
        assert!(!link.is_ending());
    }

    #[test]
    fn a_connection_is_given_up_once_and_a_session_over_stays_so() {
        let mut link = up();
        link.finish();
        link.finish();
        assert!(matches!(link.effect(), Some(Effect::Disconnect)));
        assert!(link.effect().is_none());
        link.fall(Failure::temporary("closed"));
        assert!(link.is_finished());
    }
}
