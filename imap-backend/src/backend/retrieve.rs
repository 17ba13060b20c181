//! Messages on their way from the upstream to the session.
//!
//! Owns which messages the session wants, which were asked for, and which literal is being lent out.
//! What was asked for on a guess stays in the socket until the session wants it: then it is lent; or
//! until it turns out that it does not: then it is thrown away.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::{Failure, FailureKind, Part, Reply, Ticket};

use super::link::Link;
use super::{Answer, ImapBackend};
use crate::client::{Client, Head, Notice, Purpose};
use crate::command::Command;
use crate::error;
use crate::grammar::Kind;
use crate::read_ahead::ReadAhead;
use crate::uid_set;

/// The smallest first window of a TOP, and what a line is taken for.
const HEADER: u64 = 8 * 1024;
const LINE: u64 = 100;
/// The largest first window, and the largest of all.
const FIRST_WINDOW: u64 = 64 * 1024;
const WINDOW: u64 = 1024 * 1024;
/// Rather than read more than this to throw it away, the connection is given up.
const DRAIN: u64 = 1024 * 1024;
/// How many FETCH commands may await their answer.
const FETCHES: usize = 3;

/// What the session wants to read.
#[derive(Debug)]
pub(super) struct Reading {
    read_ahead: ReadAhead,
    /// In the order of the requests; the first is the one that is served.
    wanted: VecDeque<Wanted>,
    /// The FETCH commands that await their answer, in order.
    fetches: VecDeque<Fetch>,
    /// The body that is being lent, for the first of `wanted`.
    stream: Option<Stream>,
    /// That body, if it stood in its line.
    inline: Option<(Vec<u8>, usize)>,
}

/// A message that the session wants.
#[derive(Debug)]
struct Wanted {
    ticket: Ticket,
    index: u32,
    /// Whether the session asked for all of it.
    whole: bool,
    plan: Plan,
    started: bool,
    /// A connection was lost over it.
    retried: bool,
    /// Nothing else may be asked for in the same command.
    alone: bool,
}

/// How a message is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// In one piece, of which the first octets may be known already.
    Whole { skip: u64 },
    /// In windows; the next is this one.
    Window { offset: u64, length: u64 },
    /// Not at all: there is no such message.
    Nothing,
}

/// A FETCH command under way.
#[derive(Debug)]
struct Fetch {
    tag: u32,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// These messages are still to come.
    Whole { next: u32, end: u32, alone: bool },
    /// This window is still to come.
    Window {
        index: u32,
        offset: u64,
        length: u64,
    },
    /// Nothing more of it is wanted.
    Spent,
}

/// The body that is being lent.
#[derive(Clone, Copy, Debug)]
struct Stream {
    uid: u32,
    size: u64,
    /// Octets that the session has already.
    skip: u64,
    /// What comes after this piece.
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    End,
    Plan(Plan),
}

/// What becomes of a body.
enum Verdict {
    Lend(Stream),
    Discard,
    /// Nobody has asked for it yet.
    Park,
}

impl Reading {
    pub(super) fn new(read_ahead: u64) -> Self {
        Self {
            read_ahead: ReadAhead::new(read_ahead),
            wanted: VecDeque::new(),
            fetches: VecDeque::new(),
            stream: None,
            inline: None,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether anything is wanted or on its way.
    pub(super) fn is_busy(&self) -> bool {
        !self.wanted.is_empty() || !self.fetches.is_empty() || self.stream.is_some()
    }

    /// Whether a body that stood in its line is being handed out.
    pub(super) fn is_serving(&self) -> bool {
        self.inline.is_some()
    }

    /// Whether a message that nobody asked for holds everything up.
    pub(super) fn is_parked(&self, client: &Client) -> bool {
        client.head().is_some() && self.wanted.is_empty()
    }

    /// Whether the session could take something and has not.
    pub(super) fn awaits_client(&self, client: &Client) -> bool {
        self.has_body(client)
    }

    pub(super) fn has_body(&self, client: &Client) -> bool {
        self.inline.is_some() || self.stream.is_some() && client.can_lend()
    }

    /// What was asked for on a guess is not wanted.
    pub(super) fn give_up_guesses(&mut self) {
        self.read_ahead.forget();
        for fetch in &mut self.fetches {
            fetch.what = What::Spent;
        }
    }

    /// Up to which message those from `index` on are on their way; `None` if that one is not.
    fn on_the_way(&self, index: u32) -> Option<u32> {
        let mut reached = index;
        for fetch in &self.fetches {
            if let What::Whole { next, end, .. } = fetch.what
                && (next..end).contains(&reached)
            {
                reached = end;
            }
        }
        (reached > index).then_some(reached)
    }
}

impl ImapBackend {
    pub(super) fn retrieve(&mut self, ticket: Ticket, index: u32, part: Part) {
        let plan = match (self.table.size(index), part) {
            (None, _) => Plan::Nothing,
            (Some(_), Part::Whole) => Plan::Whole { skip: 0 },
            (Some(size), Part::Top { lines }) => {
                let enough = HEADER.saturating_add(lines.saturating_mul(LINE));
                match size {
                    1.. if size <= enough => Plan::Whole { skip: 0 },
                    _ => Plan::Window {
                        offset: 0,
                        length: enough.min(FIRST_WINDOW),
                    },
                }
            }
        };
        if self.link == Link::Finished || self.opening.as_ref().is_some_and(|o| o.first) {
            let failure = Failure::temporary("no maildrop is open");
            self.answers.push_back(Answer::BodyFailed(ticket, failure));
            return;
        }
        if matches!(plan, Plan::Whole { .. }) {
            self.reading.read_ahead.wanted(index);
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
            retried: false,
            alone: false,
        };
        self.reading.wanted.push_back(wanted);
        self.guess_further(index);
    }

    /// If this message is on its way already, sees to it that the next ones are, too.
    fn guess_further(&mut self, index: u32) {
        let reading = &self.reading;
        if self.link != Link::Ready || reading.fetches.len() >= FETCHES {
            return;
        }
        if let Some(reached) = reading.on_the_way(index) {
            let ahead = index.saturating_add(1)..reached;
            let guess = reading.read_ahead.guess(&self.table, reached, ahead);
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
    fn throw_away(&mut self, left: u64) {
        if left > DRAIN && self.can_reconnect() {
            self.drop_link(Failure::temporary("too much to read for nothing"));
        } else {
            self.client.discard();
        }
    }

    /// Asks for what is wanted and not on its way.
    pub(super) fn issue(&mut self) {
        if self.link != Link::Ready || self.gone.is_some() || self.bye.is_some() {
            return;
        }
        while let Some(Wanted {
            plan: Plan::Nothing,
            ..
        }) = self.reading.wanted.front()
        {
            self.fail_first(Failure::new(FailureKind::Missing, "no such message"));
        }
        let reading = &self.reading;
        let Some(first) = reading.wanted.front() else {
            return;
        };
        let (index, alone) = (first.index, first.alone);
        match first.plan {
            Plan::Window { offset, length } => {
                let what = What::Window {
                    index,
                    offset,
                    length,
                };
                let on_the_way = reading.fetches.iter().any(|fetch| fetch.what == what);
                if reading.stream.is_none() && !on_the_way {
                    let uid = self.table.uid(index).unwrap_or_default();
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
            Plan::Nothing => {}
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
        let guess = self.reading.read_ahead.guess(&self.table, next, next..next);
        self.fetch(index, if alone { next } else { guess.end });
    }

    /// Asks for the messages from `index` to before `end`, as far as one command goes.
    fn fetch(&mut self, index: u32, end: u32) {
        let uids = (index..end).map_while(|index| self.table.uid(index));
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
        // numbers cannot be unsendable
        if let Ok(tag) = self.client.send(command, Purpose::Fetch) {
            self.reading.fetches.push_back(Fetch { tag, what });
        }
    }

    /// Decides about the body literal that waits. Says whether anything can come of going on.
    pub(super) fn judge(&mut self) -> bool {
        let Some(head) = self.client.head() else {
            return true;
        };
        match self.verdict(head) {
            Verdict::Park => return false,
            Verdict::Discard => self.throw_away(head.size),
            Verdict::Lend(stream) => {
                if head.size > self.client.head_here()
                    && let Some(failure) = self.gone.take()
                {
                    // the rest of it will not come any more
                    self.lose(failure);
                    return true;
                }
                self.client.lend();
                self.start(stream);
            }
        }
        true
    }

    /// What becomes of a body: it is lent if it is what the session waits for.
    fn verdict(&mut self, head: Head) -> Verdict {
        let Reading {
            wanted, fetches, ..
        } = &mut self.reading;
        let mut wanted = wanted.front_mut();
        for (place, fetch) in fetches.iter_mut().enumerate() {
            // where the server leaves the UID out, only one message may be meant
            let is_next = place == 0;
            match &mut fetch.what {
                What::Whole { next, end, alone } if head.origin.unwrap_or(0) == 0 => {
                    let index = match head.uid {
                        Some(uid) => self.table.find(uid),
                        None => (*alone && is_next).then_some(*next),
                    };
                    let Some(index) = index.filter(|index| (*next..*end).contains(index)) else {
                        continue;
                    };
                    let Some(wanted) = &mut wanted else {
                        return Verdict::Park;
                    };
                    let Plan::Whole { skip } = wanted.plan else {
                        *next = *end;
                        return Verdict::Discard;
                    };
                    if wanted.index == index {
                        *next = index + 1;
                        let uid = self.table.uid(index).unwrap_or_default();
                        return Verdict::Lend(Stream {
                            uid,
                            size: head.size,
                            skip,
                            then: Then::End,
                        });
                    }
                    if (*next..index).contains(&wanted.index) {
                        // out of order or left out: what is asked for alone is sure to be seen
                        wanted.alone = true;
                    }
                    // passed over by the client, or the guess was wrong altogether
                    let passed_over = (index + 1..*end).contains(&wanted.index);
                    *next = if passed_over { index + 1 } else { *end };
                    return Verdict::Discard;
                }
                What::Window {
                    index,
                    offset,
                    length,
                } => {
                    let uid = self.table.uid(*index).unwrap_or_default();
                    let (index, offset, length) = (*index, *offset, *length);
                    let mine = head.uid.map_or(is_next, |named| named == uid)
                        && head.origin.is_none_or(|origin| origin == offset);
                    let plan = Plan::Window { offset, length };
                    if !mine
                        || !wanted
                            .as_ref()
                            .is_some_and(|w| w.index == index && w.plan == plan)
                    {
                        continue;
                    }
                    let (skip, then) = window(head, offset, length);
                    fetch.what = What::Spent;
                    return Verdict::Lend(Stream {
                        uid,
                        size: head.size,
                        skip,
                        then,
                    });
                }
                What::Whole { .. } | What::Spent => {}
            }
        }
        Verdict::Discard
    }

    fn start(&mut self, stream: Stream) {
        if let Some(first) = self.reading.wanted.front_mut()
            && !mem::replace(&mut first.started, true)
        {
            let size = first.whole.then_some(stream.size);
            self.answers
                .push_back(Answer::BodyStart(first.ticket, size));
        }
        self.reading.stream = Some(stream);
    }

    /// A body that stood in its line.
    pub(super) fn inline(&mut self, head: Head, body: Option<Vec<u8>>) {
        match (self.verdict(head), body) {
            (Verdict::Lend(stream), Some(body)) => {
                self.start(stream);
                let known = usize::try_from(stream.skip).unwrap_or(usize::MAX);
                if known >= body.len() {
                    self.piece_done();
                } else {
                    self.reading.inline = Some((body, known));
                }
            }
            (Verdict::Lend(_), None) => {
                let end = self
                    .reading
                    .wanted
                    .front()
                    .is_some_and(|first| match first.plan {
                        Plan::Window { offset, .. } => {
                            offset > 0 && self.table.size(first.index) == Some(offset)
                        }
                        Plan::Whole { .. } | Plan::Nothing => false,
                    });
                if end {
                    self.finish_first();
                } else {
                    self.fail_first(Failure::new(FailureKind::Missing, "upstream says NIL"));
                }
            }
            // it is gone with its line, and has to be asked for again if it is wanted
            (Verdict::Park, _) => self.reading.give_up_guesses(),
            (Verdict::Discard, _) => {}
        }
    }

    /// At most `room` octets of the body that is being lent.
    pub(super) fn body(&mut self, room: usize) -> Option<Reply<'_>> {
        let ticket = self.reading.wanted.front()?.ticket;
        if let Some((body, at)) = &mut self.reading.inline {
            let from = *at;
            *at += room.min(body.len() - from);
            if *at == body.len() {
                self.lent = mem::take(body);
                self.reading.inline = None;
                self.piece_done();
                let bytes = &self.lent[from..];
                return (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes });
            }
            let (body, at) = self.reading.inline.as_ref()?;
            return Some(Reply::Body {
                ticket,
                bytes: &body[from..*at],
            });
        }
        let bytes = self.client.lent(room);
        (!bytes.is_empty()).then_some(Reply::Body { ticket, bytes })
    }

    /// Takes what the session has already from the front of the literal that is lent.
    pub(super) fn skip_known(&mut self) {
        let Some(stream) = &mut self.reading.stream else {
            return;
        };
        while stream.skip > 0 && self.client.can_lend() {
            let skip = usize::try_from(stream.skip).unwrap_or(usize::MAX);
            stream.skip -= self.client.lent(skip).len() as u64;
        }
    }

    /// The response around a literal is complete.
    pub(super) fn literal_done(&mut self, uid: Option<u32>) {
        let Some(stream) = self.reading.stream else {
            return;
        };
        if uid.is_some_and(|uid| uid != stream.uid) {
            self.drop_link(Failure::temporary(
                "upstream sent another message than it was asked",
            ));
        } else {
            self.piece_done();
        }
    }

    /// The session has all of the piece that was lent.
    fn piece_done(&mut self) {
        let Some(stream) = self.reading.stream.take() else {
            return;
        };
        match (stream.then, self.reading.wanted.front_mut()) {
            (Then::Plan(plan), Some(first)) => first.plan = plan,
            (Then::End, _) => self.finish_first(),
            (Then::Plan(_), None) => {}
        }
    }

    fn finish_first(&mut self) {
        if let Some(first) = self.reading.wanted.pop_front() {
            self.answers.push_back(Answer::BodyEnd(first.ticket));
        }
    }

    fn fail_first(&mut self, failure: Failure) {
        if let Some(first) = self.reading.wanted.pop_front() {
            self.answers
                .push_back(Answer::BodyFailed(first.ticket, failure));
        }
    }

    /// A FETCH is answered: what did not come with it will not come.
    pub(super) fn fetch_done(&mut self, tag: u32, notice: &Notice) {
        let reading = &mut self.reading;
        let Some(place) = reading.fetches.iter().position(|fetch| fetch.tag == tag) else {
            return;
        };
        let Some(Fetch { what, .. }) = reading.fetches.remove(place) else {
            return;
        };
        let Some(first) = reading.wanted.front() else {
            return;
        };
        let (missed, last_word) = match (what, first.plan) {
            (What::Whole { next, end, alone }, Plan::Whole { .. }) => {
                ((next..end).contains(&first.index), alone)
            }
            (What::Window { index, .. }, Plan::Window { .. }) => (index == first.index, true),
            _ => (false, false),
        };
        if !missed || reading.on_the_way(first.index).is_some() {
            return;
        }
        if !last_word {
            // others were asked for in the same command: perhaps one of them is the trouble
            if let Some(first) = reading.wanted.front_mut() {
                first.alone = true;
            }
        } else if notice.kind == Kind::Ok {
            let kind = if first.started {
                FailureKind::Temporary
            } else {
                FailureKind::Missing
            };
            self.fail_first(Failure::new(kind, "upstream has no such message any more"));
        } else {
            self.fail_first(error::fetch(notice));
        }
    }

    /// The connection was lost: what had begun has failed, the rest gets one more try.
    pub(super) fn reading_interrupted(&mut self, failure: &Failure) {
        self.stop_reading();
        let mut kept = VecDeque::new();
        for mut wanted in mem::take(&mut self.reading.wanted) {
            if wanted.started || wanted.retried {
                let failure = Failure::temporary(failure.detail.clone());
                self.answers
                    .push_back(Answer::BodyFailed(wanted.ticket, failure));
            } else {
                wanted.retried = true;
                kept.push_back(wanted);
            }
        }
        self.reading.wanted = kept;
    }

    /// There is no connection to be had.
    pub(super) fn reading_failed(&mut self, failure: &Failure) {
        self.stop_reading();
        for wanted in mem::take(&mut self.reading.wanted) {
            let failure = Failure::temporary(failure.detail.clone());
            self.answers
                .push_back(Answer::BodyFailed(wanted.ticket, failure));
        }
    }

    fn stop_reading(&mut self) {
        self.reading.fetches = VecDeque::new();
        self.reading.stream = None;
        self.reading.inline = None;
    }

    /// Nothing is wanted any more: the session updates.
    pub(super) fn end_reading(&mut self) {
        self.reading.wanted.clear();
        self.reading.inline = None;
        self.reading.give_up_guesses();
        if self.reading.stream.take().is_some() {
            self.throw_away(self.client.literal_left());
        }
    }
}

/// How many octets at the front of a piece the session must not get, and what comes after it.
fn window(head: Head, offset: u64, length: u64) -> (u64, Then) {
    let (size, end) = (head.size, offset.saturating_add(head.size));
    let longer = length.saturating_mul(4).min(WINDOW);
    match head.origin {
        Some(_) if size < length => (0, Then::End),
        Some(_) => (
            0,
            Then::Plan(Plan::Window {
                offset: end,
                length: longer,
            }),
        ),
        // the server does not know windows and sent the whole
        None if size > length => (offset, Then::End),
        None if offset == 0 && size < length => (0, Then::End),
        // a window without its label, or the whole that happens to be as long
        None if offset == 0 => (0, Then::Plan(Plan::Whole { skip: size })),
        None => (size, Then::Plan(Plan::Whole { skip: offset })),
    }
}
