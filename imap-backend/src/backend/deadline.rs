//! The clock: what is due when, and what a late upstream is late with.
//!
//! Owns how long each step may take, never what comes of a deadline. A login that a client waits for has one
//! limit in all, because most clients give up after a minute. Only a listing that keeps coming may take longer.

use core::mem;
use core::time::Duration;

use pop3_proto::time::Time;
use pop3_proto::trouble::Trouble;

use super::link::{Link, State};
use super::opening::{Opening, Step};
use super::reading::Reading;
use crate::config::Config;
use crate::wire::Wire;

/// How long a message that was not asked for may wait in the socket.
const PARKED: Duration = Duration::from_secs(5);
/// How long a server that said BYE may take to end what it was doing.
const BYE: Duration = Duration::from_secs(5);
/// How long a server may be silent when a connection is taken up that waited.
const RESUMED: Duration = Duration::from_secs(5);
/// How long octets of a message may still come after what looks like the end of the command.
const OVER: Duration = Duration::from_secs(5);
/// How long a listing may pause once the login has taken longer than it should.
const LULL: Duration = Duration::from_secs(10);
/// How long after the answer to LOGIN the folder may take to answer, if SELECT was sent right after LOGIN.
const MOMENT: Duration = Duration::from_millis(700);
/// For how long after a failed attempt to reconnect everything is answered with that failure.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a client waits at least before its leaving is the upstream's fault.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// What is due at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Connect,
    Answer,
    /// What followed LOGIN may be lost.
    SayAgain,
    Parked,
    KeepAlive,
    /// Nothing was needed for a while.
    Rest,
}

/// The moments that matter to the backend.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The latest moment that was given.
    pub(super) now: Time,
    /// When anything last moved.
    progress: Time,
    /// When the session last sent a login, or an answer that continues it.
    asked: Time,
    /// When the connection was asked for.
    sought: Time,
    /// When anything was last sent.
    spoke: Time,
    /// When the server was last heard.
    heard: Time,
    /// When it took the credential.
    pub(super) proven: Time,
    /// When the session last needed anything, or got it.
    used: Time,
    /// Before this moment no other attempt to reconnect is made.
    not_before: Time,
}

impl Clock {
    pub(super) fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// Something moved. Returns how long nothing did.
    pub(super) fn moved(&mut self) -> Duration {
        self.now.since(mem::replace(&mut self.progress, self.now))
    }

    /// The session asks for the login, or goes on with it.
    pub(super) fn asks(&mut self) {
        self.asked = self.now;
    }

    /// The session needs something, or gets it.
    pub(super) fn uses(&mut self) {
        self.used = self.now;
    }

    /// When the connection of a session that needs nothing is put aside.
    pub(super) fn rest_due(&self, config: &Config) -> (Time, Reason) {
        (self.used + config.rest, Reason::Rest)
    }

    /// The server said something.
    pub(super) fn hears(&mut self) {
        self.moved();
        self.heard = self.now;
    }

    /// Something was sent.
    pub(super) fn spoke(&mut self) {
        self.moved();
        self.spoke = self.now;
    }

    /// A connection that waited is used again.
    pub(super) fn takes_up(&mut self, proven: Time, heard: Time) {
        self.spoke();
        (self.proven, self.heard) = (proven, heard);
    }

    /// When the server was last heard.
    pub(super) fn last_heard(&self) -> Time {
        self.heard
    }

    /// A connection is asked for.
    pub(super) fn seeks(&mut self) {
        self.moved();
        self.sought = self.now;
    }

    /// An attempt to reconnect failed.
    pub(super) fn pause(&mut self) {
        self.not_before = self.now + PAUSE;
    }

    /// Whether an attempt failed a moment ago.
    pub(super) fn pauses(&self) -> bool {
        self.now < self.not_before
    }

    /// Whether a client that gives up its login now was kept waiting by the upstream.
    pub(super) fn kept_waiting(&self, link: &Link) -> bool {
        let opening = link.as_opening().filter(|opening| opening.first);
        let waited = self.now.since(self.asked);
        waited >= NOTICEABLE && opening.is_some_and(|opening| !opening.awaits_client())
    }

    /// The next deadline, and what is due then.
    pub(super) fn due(
        &self,
        config: &Config,
        link: &Link,
        wire: &Wire,
        reading: &Reading,
    ) -> Option<(Time, Reason)> {
        let patience = if link.bye().is_some() {
            BYE
        } else {
            config.response_timeout
        };
        match link.state() {
            State::Down | State::Resting | State::Finished => None,
            State::Connecting(opening) | State::Handshake(opening) => {
                Some(self.connect_due(config, opening))
            }
            State::Opening(opening) => {
                if opening.awaits_client() {
                    return None;
                }
                if matches!(opening.step, Step::Greeting | Step::StartTls) && link.bye().is_none() {
                    return Some(self.connect_due(config, opening));
                }
                let patience = if opening.resumed {
                    patience.min(RESUMED)
                } else {
                    patience
                };
                let answer_due = self.progress + patience;
                let lost = link.bye().is_none() && opening.may_be_lost();
                let again = lost.then(|| self.progress + MOMENT);
                match (self.login_due(config, opening), again) {
                    (_, Some(again)) if again < answer_due => Some((again, Reason::SayAgain)),
                    (Some(login), _) => Some((login.min(answer_due), Reason::Answer)),
                    (None, _) => Some((answer_due, Reason::Answer)),
                }
            }
            State::Ready => {
                if reading.is_parked(wire) {
                    Some((self.progress + PARKED, Reason::Parked))
                } else if reading.has_body(wire) {
                    None
                } else if wire.outstanding() > 0 || !wire.transmit().is_empty() {
                    let patience = if wire.seems_over() {
                        patience.min(OVER)
                    } else {
                        patience
                    };
                    Some((self.progress + patience, Reason::Answer))
                } else if config.keep_alive.is_zero() {
                    None
                } else {
                    Some((self.spoke + config.keep_alive, Reason::KeepAlive))
                }
            }
        }
    }

    /// Connection, handshake and greeting belong together: a wrong port can show in any of them.
    fn connect_due(&self, config: &Config, opening: &Opening) -> (Time, Reason) {
        let due = self.sought + config.connect_timeout;
        let login = self.login_due(config, opening);
        (login.map_or(due, |login| login.min(due)), Reason::Connect)
    }

    /// How long the client of a login is kept waiting.
    fn login_due(&self, config: &Config, opening: &Opening) -> Option<Time> {
        let limit = self.asked + config.login_timeout;
        opening.first.then(|| match opening.step {
            Step::Folder(_) => limit.max(self.progress + LULL),
            Step::Greeting
            | Step::StartTls
            | Step::Capability
            | Step::Token
            | Step::Login(_)
            | Step::CapabilityAgain
            | Step::Enable
            | Step::News(_) => limit,
        })
    }

    /// What the upstream is late with, and for how long.
    pub(super) fn late(&self, link: &Link) -> Trouble<'static> {
        let since_sought = self.now.since(self.sought);
        let waited = self.now.since(self.progress);
        match link.state() {
            State::Connecting(_) | State::Down | State::Resting => Trouble::ConnectSilent {
                waited: since_sought,
            },
            State::Handshake(_) => Trouble::TlsSilent {
                waited: since_sought,
            },
            State::Opening(opening) if matches!(opening.step, Step::Greeting) => {
                Trouble::GreetingSilent {
                    waited: since_sought,
                    tls: opening.secure,
                }
            }
            State::Opening(opening) => Trouble::Silent {
                waited,
                due: match opening.step {
                    Step::StartTls => "the answer to STARTTLS",
                    Step::Capability | Step::CapabilityAgain => "the answer to CAPABILITY",
                    Step::Token | Step::Login(_) => "the answer to the login",
                    Step::Enable => "the answer to ENABLE",
                    Step::Folder(_) => "the folder and its listing",
                    Step::News(_) => "what is new in the folder",
                    Step::Greeting => "its greeting",
                },
            },
            State::Ready | State::Finished => Trouble::Silent {
                waited,
                due: "an answer",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use pop3_proto::backend::Failure;

    use super::*;
    use crate::backend::opening::{Folder, Login};
    use crate::config::Security;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    /// Connecting since second 10, for a login of second 5.
    struct Scene {
        clock: Clock,
        config: Arc<Config>,
        link: Link,
    }

    impl Scene {
        fn new() -> Self {
            let mut config = Config::new("imap.example.org", 143, Security::Clear);
            config.connect_timeout = Duration::from_secs(20);
            config.login_timeout = Duration::from_secs(30);
            let (mut clock, mut link) = (Clock::default(), Link::default());
            clock.tick(at(5));
            clock.asks();
            clock.tick(at(10));
            clock.seeks();
            link.connect(config.endpoint.clone(), Opening::new(true));
            let config = Arc::new(config);
            Self {
                clock,
                config,
                link,
            }
        }

        fn log_in(&mut self) {
            self.link.step(Step::Login(Login::default()));
            self.link.step(Step::Folder(Folder::default()));
        }

        fn due(&self) -> Option<(Time, Reason)> {
            let wire = Wire::new(Arc::clone(&self.config));
            let reading = Reading::new(0);
            self.clock.due(&self.config, &self.link, &wire, &reading)
        }
    }

    #[test]
    fn connection_and_greeting_share_a_limit_and_the_login_has_one_in_all() {
        let mut scene = Scene::new();
        assert_eq!(scene.due(), Some((at(30), Reason::Connect)));
        scene.link.go_on(State::Opening);
        assert_eq!(scene.due(), Some((at(30), Reason::Connect)));
        scene.link.step(Step::Capability);
        assert_eq!(scene.due(), Some((at(35), Reason::Answer)));
        // a listing that comes goes on coming
        scene.log_in();
        scene.clock.tick(at(34));
        scene.clock.moved();
        assert_eq!(scene.due(), Some((at(34) + LULL, Reason::Answer)));
    }

    #[test]
    fn a_server_that_said_bye_gets_a_moment() {
        let mut scene = Scene::new();
        scene.link.go_on(State::Opening);
        scene.link.step(Step::Capability);
        scene.link.say_bye(Failure::temporary("bye"));
        assert_eq!(scene.due(), Some((at(10) + BYE, Reason::Answer)));
    }

    #[test]
    fn an_open_folder_is_kept_open() {
        let mut scene = Scene::new();
        scene.link.go_on(State::Opening);
        scene.log_in();
        scene.link.ready();
        scene.clock.spoke();
        let due = at(10) + scene.config.keep_alive;
        assert_eq!(scene.due(), Some((due, Reason::KeepAlive)));
    }
}
