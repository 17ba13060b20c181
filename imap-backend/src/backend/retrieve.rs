//! The session's requests for messages, as FETCH commands.
//!
//! Owns the order of the requests: the message that is served, the one after it, and what the
//! client will probably want next.

use pop3_proto::backend::{Failure, FailureKind, Part, Ticket};

use super::reading::{Ask, Plan, Wanted, What, extent};
use super::{Answer, ImapBackend};
use crate::command::Command;
use crate::grammar::Section;
use crate::read_ahead::Extent;
use crate::wire::Purpose;

/// The connection is given up rather than reading more than this only to throw it away.
const DRAIN: u64 = 1024 * 1024;

impl ImapBackend {
    pub(super) fn retrieve(&mut self, ticket: Ticket, index: u32, part: Part) {
        let size = self.maildrop.size(index);
        let extent = extent(part, size.unwrap_or_default());
        let plan = match size {
            None => Plan::Nothing,
            Some(_) if self.reading.goes_on(index, extent) => Plan::as_one_of(extent),
            Some(size) => Plan::of(part, size),
        };
        let (plan, doubtful) = self.plan(index, plan);
        if self.link.is_finished() || self.link.is_first() {
            let failure = Failure::temporary("no maildrop is open");
            self.answers.push(Answer::body_failed(ticket, failure));
            return;
        }
        let whole = part == Part::Whole;
        let wanted = Wanted {
            ticket,
            index,
            whole,
            plan,
            started: false,
            // one more failure is enough
            retried: doubtful,
            alone: doubtful,
        };
        let table = &self.maildrop.table;
        self.reading.want(table, wanted, extent);
        if plan.extent() == Some(extent) {
            self.guess_further(index, extent);
        }
    }

    /// If this message is on its way already, sees to it that the next ones are, too.
    fn guess_further(&mut self, index: u32, extent: Extent) {
        if !self.link.is_ready() {
            return;
        }
        let table = &self.maildrop.table;
        if let Some(guess) = self.reading.ask_further(table, index, extent) {
            let guess = self.sound(guess);
            if !guess.is_empty() {
                let (what, set) = What::run(&self.maildrop.table, extent, guess);
                self.fetch(what, &set);
            }
        }
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) {
        if self.reading.cancel(ticket) {
            self.throw_away(self.wire.literal_left());
        }
    }

    /// Nothing is wanted any more: the session updates.
    pub(super) fn end_reading(&mut self) {
        if self.reading.end() {
            self.throw_away(self.wire.literal_left());
        }
    }

    /// Gets rid of the current literal, of which this much is left.
    pub(super) fn throw_away(&mut self, left: u64) {
        if left > DRAIN && self.can_reconnect() {
            self.drop_link(Failure::temporary(
                "too much would have to be read and thrown away",
            ));
        } else {
            self.wire.discard();
        }
    }

    /// Asks for what is wanted and not on its way.
    pub(super) fn issue(&mut self) {
        if !self.link.is_ready() || !self.link.may_speak() {
            return;
        }
        while let Some(failure) = self.unavailable() {
            self.fail_first(failure);
        }
        while let Some(ask) = self.reading.ask(&self.maildrop.table) {
            let (what, set) = match ask {
                Ask::Window { what, index } => {
                    let (_, set) = What::run(&self.maildrop.table, Extent::Whole, index..index + 1);
                    (what, set)
                }
                Ask::Run { of, index, guess } => {
                    let end = self.sound(guess).end;
                    What::run(&self.maildrop.table, of, index..end)
                }
            };
            if !self.fetch(what, &set) {
                return;
            }
        }
    }

    /// Why the first message is not even asked for.
    fn unavailable(&self) -> Option<Failure> {
        let first = self.reading.first()?;
        match first.plan {
            Plan::Nothing => Some(Failure::new(FailureKind::Missing, "no such message")),
            Plan::Refused { until } => Some(self.refused(until)),
            Plan::Whole { .. } | Plan::Header | Plan::Window { .. } => None,
        }
    }

    /// Sends the request for these messages. Returns whether it could be sent.
    fn fetch(&mut self, what: What, set: &str) -> bool {
        let (section, command) = match what {
            What::Run { of, .. } => match of {
                Extent::Whole => (Section::Whole, Command::FetchBody { set }),
                Extent::Header => (Section::Header, Command::FetchHeader { set }),
                Extent::Octets(length) => {
                    let offset = 0;
                    let command = Command::FetchPart {
                        set,
                        offset,
                        length,
                    };
                    (Section::Whole, command)
                }
            },
            What::Window { offset, length, .. } => {
                let command = Command::FetchPart {
                    set,
                    offset,
                    length,
                };
                (Section::Whole, command)
            }
            What::Spent => return false,
        };
        // numbers cannot be unsendable
        let sent = self.wire.send(command, Purpose::Fetch(section));
        if let Ok(tag) = sent {
            self.reading.asked(tag, what);
        }
        sent.is_ok()
    }
}
