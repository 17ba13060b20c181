//! Deadlines: what is due when, and the message about an upstream that is late.
//!
//! Owns how long each step may take. A login that a client waits for has one limit in all, because
//! most clients give up after a minute. Only a listing that keeps coming may take longer.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use pop3_proto::backend::{Failure, Note};
use pop3_proto::time::Time;
use pop3_proto::trouble::{Place, Trouble, Words};

use super::ImapBackend;
use super::link::Link;
use super::opening::{Opening, Step};
use crate::command::Command;
use crate::wire::Purpose;

/// How long a message that was not asked for may wait in the socket.
const PARKED: Duration = Duration::from_secs(5);
/// How long a server that said BYE may take to end what it was doing.
const BYE: Duration = Duration::from_secs(5);
/// How long octets of a message may still come after what looks like the end of the command.
const OVER: Duration = Duration::from_secs(5);
/// How long a listing may pause once the login has taken longer than it should.
const LULL: Duration = Duration::from_secs(10);
/// How long after the answer to LOGIN the folder may take to answer, if SELECT was sent right after LOGIN.
const MOMENT: Duration = Duration::from_millis(700);
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
}

impl ImapBackend {
    /// The next deadline, and what is due then.
    pub(super) fn deadline(&self) -> Option<(Time, Reason)> {
        let (clock, config) = (&self.clock, &self.config);
        let patience = if self.bye.is_some() {
            BYE
        } else {
            config.response_timeout
        };
        let patience = if self.link.is_ready() && self.wire.seems_over() {
            patience.min(OVER)
        } else {
            patience
        };
        let answer_due = clock.progress + patience;
        match &self.link {
            Link::Down | Link::Finished => None,
            Link::Connecting(_) | Link::Handshake(_) => Some(self.connect_due()),
            Link::Opening(opening) => {
                if opening.awaits_client() {
                    return None;
                }
                if matches!(opening.step, Step::Greeting | Step::StartTls) && self.bye.is_none() {
                    return Some(self.connect_due());
                }
                let lost = self.bye.is_none() && opening.may_be_lost();
                let again = lost.then(|| clock.progress + MOMENT);
                match (self.login_due(opening), again) {
                    (_, Some(again)) if again < answer_due => Some((again, Reason::SayAgain)),
                    (Some(login), _) => Some((login.min(answer_due), Reason::Answer)),
                    (None, _) => Some((answer_due, Reason::Answer)),
                }
            }
            Link::Ready => {
                if self.reading.is_parked(&self.wire) {
                    Some((clock.progress + PARKED, Reason::Parked))
                } else if self.reading.has_body(&self.wire) {
                    None
                } else if self.wire.outstanding() > 0 || !self.wire.transmit().is_empty() {
                    Some((answer_due, Reason::Answer))
                } else if config.keep_alive.is_zero() {
                    None
                } else {
                    Some((clock.spoke + config.keep_alive, Reason::KeepAlive))
                }
            }
        }
    }

    /// Connection, handshake and greeting belong together: a wrong port can show in any of them.
    fn connect_due(&self) -> (Time, Reason) {
        let due = self.clock.sought + self.config.connect_timeout;
        let opening = self.link.as_opening();
        let login = opening.and_then(|opening| self.login_due(opening));
        (login.map_or(due, |login| login.min(due)), Reason::Connect)
    }

    /// How long the client of a login is kept waiting.
    fn login_due(&self, opening: &Opening) -> Option<Time> {
        let limit = self.clock.asked + self.config.login_timeout;
        opening.first.then(|| match opening.step {
            Step::Folder(_) => limit.max(self.clock.progress + LULL),
            Step::Greeting
            | Step::StartTls
            | Step::Capability
            | Step::Login(_)
            | Step::CapabilityAgain
            | Step::Enable => limit,
        })
    }

    pub(super) fn overdue(&mut self, reason: Reason) {
        match reason {
            Reason::Connect | Reason::Answer => {
                let text = self.what_is_late();
                let last_words = self.said.last_words();
                self.drop_link(Failure::temporary(format!("{text}{last_words}")));
            }
            Reason::SayAgain => self.say_again(),
            Reason::Parked => self.reading.give_up_guesses(),
            Reason::KeepAlive => {
                // a NOOP cannot be unsendable
                let _ = self.wire.send(Command::Noop, Purpose::Keep);
            }
        }
    }

    /// A client that gave up does not read why, but the operator does.
    pub(super) fn note_abandoned_login(&mut self) {
        let waited = self.clock.now.since(self.clock.asked);
        let opening = self.link.as_opening().filter(|opening| opening.first);
        if waited < NOTICEABLE || opening.is_none_or(Opening::awaits_client) {
            return;
        }
        let text = self.what_is_late();
        let last_words = self.said.last_words();
        self.note(Note::warning(format!(
            "the client gave up its login; {text}{last_words}"
        )));
    }

    /// What the upstream is late with, for how long, and the remedy.
    fn what_is_late(&self) -> String {
        let clock = &self.clock;
        let since_sought = clock.now.since(clock.sought);
        let waited = clock.now.since(clock.progress);
        let trouble = match &self.link {
            Link::Connecting(_) | Link::Down => Trouble::ConnectSilent {
                waited: since_sought,
            },
            Link::Handshake(_) => Trouble::TlsSilent {
                waited: since_sought,
            },
            Link::Opening(opening) if matches!(opening.step, Step::Greeting) => {
                Trouble::GreetingSilent {
                    waited: since_sought,
                    tls: opening.secure,
                }
            }
            Link::Opening(opening) => Trouble::Silent {
                waited,
                due: match opening.step {
                    Step::StartTls => "the answer to STARTTLS",
                    Step::Capability | Step::CapabilityAgain => "the answer to CAPABILITY",
                    Step::Login(_) => "the answer to the login",
                    Step::Enable => "the answer to ENABLE",
                    Step::Folder(_) => "the folder and its listing",
                    Step::Greeting => "its greeting",
                },
            },
            Link::Ready | Link::Finished => Trouble::Silent {
                waited,
                due: "an answer",
            },
        };
        self.in_words(trouble)
    }

    /// The text of a trouble with this upstream.
    pub(super) fn in_words(&self, trouble: Trouble<'_>) -> String {
        let place = Place {
            host: &self.config.endpoint.host,
            port: self.config.endpoint.port,
        };
        trouble.text(place, &Words::CONFIGURATION)
    }
}
