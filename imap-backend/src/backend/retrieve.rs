//! The session's requests for messages, as FETCH commands.
//!
//! Owns when what is asked for: the message that is served, the one after it, and what the client
//! will probably want next.

use pop3_proto::backend::{Failure, FailureKind, Part, Ticket};

use super::link::Link;
use super::reading::{Fetch, Plan, Wanted, What, takes_all};
use super::{Answer, ImapBackend};
use crate::client::Purpose;
use crate::command::Command;
use crate::grammar::Section;
use crate::uid_set;

/// Rather than read more than this to throw it away, the connection is given up.
const DRAIN: u64 = 1024 * 1024;
/// How many FETCH commands may await their answer.
const FETCHES: usize = 3;

impl ImapBackend {
    pub(super) fn retrieve(&mut self, ticket: Ticket, index: u32, part: Part) {
        let size = self.maildrop.size(index);
        let plan = size.map_or(Plan::Nothing, |size| Plan::of(part, size));
        let (plan, doubtful) = self.plan(index, plan);
        if matches!(self.link, Link::Finished) || self.link.is_first() {
            let failure = Failure::temporary("no maildrop is open");
            self.answers.push_back(Answer::BodyFailed(ticket, failure));
            return;
        }
        if size.is_some_and(|size| takes_all(part, size)) {
            self.reading.read_ahead.wanted(&self.maildrop.table, index);
        } else {
            self.reading.read_ahead.forget();
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
        self.reading.wanted.push_back(wanted);
        self.guess_further(index);
    }

    /// If this message is on its way already, sees to it that the next ones are, too.
    fn guess_further(&mut self, index: u32) {
        let reading = &self.reading;
        if !self.link.is_ready() || reading.fetches.len() >= FETCHES {
            return;
        }
        if let Some(reached) = reading.on_the_way(index) {
            let ahead = index.saturating_add(1)..reached;
            let guess = reading
                .read_ahead
                .guess(&self.maildrop.table, reached, ahead);
            let guess = self.sound(guess);
            if !guess.is_empty() {
                self.fetch(guess.start, guess.end);
            }
        }
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) {
        let reading = &mut self.reading;
        let Some(place) = reading
            .wanted
            .iter()
            .position(|wanted| wanted.ticket == ticket)
        else {
            return;
        };
        reading.wanted.remove(place);
        reading.read_ahead.forget();
        if reading.wanted.is_empty() {
            reading.give_up_guesses();
        }
        if place == 0 {
            reading.inline = None;
            if reading.stream.take().is_some() {
                self.throw_away(self.client.literal_left());
            }
        }
    }

    /// Gets rid of the literal that is here, of which so much is left.
    pub(super) fn throw_away(&mut self, left: u64) {
        if left > DRAIN && self.can_reconnect() {
            self.drop_link(Failure::temporary("too much to read for nothing"));
        } else {
            self.client.discard();
        }
    }

    /// Asks for what is wanted and not on its way.
    pub(super) fn issue(&mut self) {
        if !self.link.is_ready() || self.gone.is_some() || self.bye.is_some() {
            return;
        }
        while let Some(failure) = self.not_to_be_had() {
            self.fail_first(failure);
        }
        let reading = &self.reading;
        let Some(first) = reading.wanted.front() else {
            return;
        };
        let (index, alone) = (first.index, first.alone);
        match first.plan {
            Plan::Header => {
                let what = What::Header { index };
                let on_the_way = reading.fetches.iter().any(|fetch| fetch.what == what);
                if reading.stream.is_none() && !on_the_way {
                    let uid = self.maildrop.uid(index).unwrap_or_default();
                    self.fetching(Command::FetchHeader { uid }, what);
                }
            }
            Plan::Window { offset, length } => {
                let what = What::Window {
                    index,
                    offset,
                    length,
                };
                let on_the_way = reading.fetches.iter().any(|fetch| fetch.what == what);
                if reading.stream.is_none() && !on_the_way {
                    let uid = self.maildrop.uid(index).unwrap_or_default();
                    let command = Command::FetchPart {
                        uid,
                        offset,
                        length,
                    };
                    self.fetching(command, what);
                }
            }
            Plan::Whole { .. } => {
                if reading.stream.is_none() && reading.on_the_way(index).is_none() {
                    self.fetch_with_guess(index, alone);
                }
                self.issue_second();
            }
            Plan::Nothing | Plan::Refused { .. } => {}
        }
    }

    /// Why the message that comes first is not even asked for.
    fn not_to_be_had(&self) -> Option<Failure> {
        let first = self.reading.wanted.front()?;
        match first.plan {
            Plan::Nothing => Some(Failure::new(FailureKind::Missing, "no such message")),
            Plan::Refused { until } => Some(self.refused(until)),
            Plan::Whole { .. } | Plan::Header | Plan::Window { .. } => None,
        }
    }

    /// Asks for the message after the one that is served, so that it costs no round trip of its own.
    fn issue_second(&mut self) {
        let reading = &self.reading;
        if let Some(second) = reading.wanted.get(1)
            && matches!(second.plan, Plan::Whole { .. })
            && reading.fetches.len() < FETCHES
            && reading.on_the_way(second.index).is_none()
        {
            self.fetch_with_guess(second.index, second.alone);
        }
    }

    fn fetch_with_guess(&mut self, index: u32, alone: bool) {
        let next = index.saturating_add(1);
        let guess = self
            .reading
            .read_ahead
            .guess(&self.maildrop.table, next, next..next);
        let guess = self.sound(guess);
        self.fetch(index, if alone { next } else { guess.end });
    }

    /// Asks for the messages from `index` to before `end`, as far as one command goes.
    fn fetch(&mut self, index: u32, end: u32) {
        let uids = (index..end).map_while(|index| self.maildrop.uid(index));
        let (set, count) = uid_set::piece(uids);
        let end = index.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        let what = What::Whole {
            next: index,
            end,
            alone: count == 1,
        };
        self.fetching(Command::FetchBody { set: &set }, what);
    }

    fn fetching(&mut self, command: Command<'_>, what: What) {
        let section = match what {
            What::Header { .. } => Section::Header,
            What::Whole { .. } | What::Window { .. } | What::Spent => Section::Whole,
        };
        // numbers cannot be unsendable
        if let Ok(tag) = self.client.send(command, Purpose::Fetch(section)) {
            self.reading.fetches.push_back(Fetch { tag, what });
        }
    }
}
