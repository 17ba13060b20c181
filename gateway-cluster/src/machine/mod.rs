//! A node among others: its lease at the engine, and what it holds under it. Pure: time and answers go in, questions and
//! outcomes come out.
//!
//! Owns all that a node believes. Never reads a clock, knows no engine, no thread, no session.
//!
//! The rules:
//!
//! * Whatever is held is held under a lease of this process. It is believed until the moment when the renewal that was
//!   answered last had been *sent*, plus the time of the lease, less a margin.
//! * One batch is under way at a time. Whenever one fails or is late, and whenever the engine does not know the lease, the
//!   process takes a new one, says under it what it holds, and ends the old one; only then something new is asked for. A
//!   question that comes to the engine late is one of an ended lease, and changes nothing.
//! * After some failures in a row the engine counts as gone: nothing waits for it, and it is tried now and then.

mod answers;
mod batch;
mod board;
mod hold;
mod places;
mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use pop3_proto::time::Time;

use crate::ask::{Answer, Ask, Node};
use crate::digest::Digest;
use crate::lease::{Lease, Proof};
use crate::notice::Notice;
use crate::status::Figures;
use crate::timing::{FAILURES, Timing};

use batch::Purpose;
use board::Board;
pub use hold::Outcome;
pub(crate) use hold::{Hold, Stand};
use places::Places;
use turns::Turns;

/// What the machine has to tell. `u64` is the number that was given with the call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Report {
    Outcome(u64, Outcome),
    /// Others can take it.
    Released(u64),
    /// To an errand; `None` without the engine.
    Answer(u64, Option<Answer>),
    /// Whether there was a place.
    Place(u64, bool),
    Turn(u64, Turned),
    /// A login waits for a connection of this account.
    Wanted(Digest),
    /// Another process has the name of this one, and is older.
    Namesake,
    /// The lease was given back.
    Left,
    Notice(Notice),
}

impl Report {
    /// The number that was given with the call; zero if it is about none.
    pub(crate) fn id(&self) -> u64 {
        match self {
            Self::Outcome(id, _)
            | Self::Released(id)
            | Self::Answer(id, _)
            | Self::Place(id, _)
            | Self::Turn(id, _) => *id,
            Self::Wanted(_) | Self::Namesake | Self::Left | Self::Notice(_) => 0,
        }
    }
}

/// Who may refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// This process, until the lease or the span ends.
    Yours(Lease),
    Waited,
    Alone,
}

/// How the node stands with the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// No lease can be relied on. A new one is asked for at that moment.
    Apart { failures: u32, at: Time },
    /// There is one, to be renewed at that moment.
    Joined { lease: Lease, renew: Time },
    /// It was given back for good.
    Left,
}

/// A lease of this process that something may still be under.
#[derive(Clone, Copy, Debug)]
struct Record {
    lease: Lease,
    /// Until when it is believed.
    until: Time,
    /// When it has ended at the engine, whatever became of it.
    ended: Time,
    /// How many holds are believed because of it.
    held: usize,
}

/// A question that needs nothing but its answer.
#[derive(Clone, Debug)]
struct Errand {
    id: Option<u64>,
    ask: Ask,
    until: Time,
}

/// What a node believes.
#[derive(Clone)]
pub(crate) struct Machine {
    timing: Timing,
    /// Without the engine this process decides alone.
    open: bool,
    name: String,
    boot: u64,
    generation: u64,
    link: Link,
    records: Vec<Record>,
    holds: BTreeMap<u64, Hold>,
    by_maildrop: HashMap<Digest, u64>,
    /// To be asked for: claims, and holds of which the engine does not know.
    wanted: VecDeque<u64>,
    /// To be said under the new lease.
    unkept: BTreeSet<u64>,
    /// When claims stop waiting.
    deadlines: BTreeSet<(Time, u64)>,
    releases: VecDeque<(u64, Digest, Proof)>,
    errands: VecDeque<Errand>,
    places: Places,
    turns: Turns,
    board: Board,
    flight: Option<Vec<Purpose>>,
    sent: Time,
    /// No batch before that.
    rest: Time,
    grace: Time,
    /// The lease of another process with this name: how long it lived, when that was.
    namesake: Option<(Duration, Time)>,
    leaving: bool,
    degraded: Option<Time>,
    last_degraded: Duration,
    /// When it was last looked for holds that the engine heard of long ago.
    repeated: Time,
    noticed: Option<Time>,
    figures: Figures,
    reports: Vec<Report>,
}

impl Machine {
    pub(crate) fn new(timing: Timing, open: bool, name: String, boot: u64) -> Self {
        Self {
            timing,
            open,
            name,
            boot,
            generation: 0,
            link: Link::Apart {
                failures: 0,
                at: Time::ZERO,
            },
            records: Vec::new(),
            holds: BTreeMap::new(),
            by_maildrop: HashMap::new(),
            wanted: VecDeque::new(),
            unkept: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            releases: VecDeque::new(),
            errands: VecDeque::new(),
            places: Places::default(),
            turns: Turns::default(),
            board: Board::default(),
            flight: None,
            sent: Time::ZERO,
            rest: Time::ZERO,
            grace: Time::ZERO,
            namesake: None,
            leaving: false,
            degraded: None,
            last_degraded: Duration::ZERO,
            repeated: Time::ZERO,
            noticed: None,
            figures: Figures::default(),
            reports: Vec::new(),
        }
    }

    /// A session wants a maildrop. `id` is never used again.
    pub(crate) fn take(&mut self, id: u64, maildrop: Digest, now: Time) {
        self.figures.asked += 1;
        if self.by_maildrop.contains_key(&maildrop) {
            self.figures.busy += 1;
            return self.reports.push(Report::Outcome(id, Outcome::Busy));
        }
        let until = self.patience(now);
        self.by_maildrop.insert(maildrop, id);
        self.holds.insert(id, Hold::new(maildrop, until));
        self.deadlines.insert((until, id));
        self.wanted.push_back(id);
        if self.is_gone() || self.leaving {
            self.without_engine(id, now);
        }
    }

    /// Until when a claim that is made now waits: for an answer, and before that for the end of a grace, since the engine
    /// is there and will know.
    fn patience(&self, now: Time) -> Time {
        now.max(self.grace) + self.timing.answer
    }

    /// The engine is in a grace: claims that are still waited for are put again after it.
    fn wait_for_grace(&mut self, now: Time) {
        let later = self.patience(now);
        for id in &self.wanted {
            if let Some(hold) = self.holds.get_mut(id)
                && let Some(until) = hold.until.as_mut()
            {
                self.deadlines.remove(&(*until, *id));
                self.deadlines.insert((later, *id));
                *until = later;
            }
        }
    }

    /// A session wants a maildrop again that it lost.
    pub(crate) fn take_again(&mut self, id: u64, now: Time) {
        let until = now + self.timing.answer;
        if !self.holds.contains_key(&id) {
            return self.reports.push(Report::Outcome(id, Outcome::Busy));
        }
        self.change(id, |hold| hold.again(until));
        let waits = self.holds.get(&id).is_some_and(|hold| hold.until.is_some());
        if waits {
            self.deadlines.insert((until, id));
        }
        if waits && self.is_gone() {
            self.without_engine(id, now);
        }
    }

    /// A session ended, or turned out to be a reader.
    pub(crate) fn release(&mut self, id: u64) {
        let Some(hold) = self.forget(id) else {
            return self.reports.push(Report::Released(id));
        };
        let current = self.current();
        match hold.proof.filter(|proof| Some(proof.lease) == current) {
            Some(proof) => self.releases.push_back((id, hold.maildrop, proof)),
            // what is under an older lease ends with that
            None => self.reports.push(Report::Released(id)),
        }
    }

    /// A question that needs nothing but its answer; without `id` not even that.
    pub(crate) fn errand(&mut self, id: Option<u64>, ask: Ask, now: Time) {
        if self.is_gone() {
            self.reports.extend(id.map(|id| Report::Answer(id, None)));
            return;
        }
        let until = now + self.timing.answer;
        self.errands.push_back(Errand { id, ask, until });
    }

    /// Gives back the lease, and never takes another.
    pub(crate) fn leave(&mut self, now: Time) {
        self.leaving = true;
        // what ends at the engine is not believed any more, even before it has ended there
        for record in &mut self.records {
            record.until = Time::ZERO;
        }
        if self.current().is_none() {
            self.left();
        }
        self.tick(now);
    }

    fn left(&mut self) {
        self.link = Link::Left;
        self.reports.push(Report::Left);
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Time) {
        if let Link::Joined { lease, .. } = self.link
            && !self.leaving
            && self.believed(lease) <= now
        {
            // this process was stopped, or asked for nothing
            self.link = Link::Apart {
                failures: 0,
                at: now,
            };
        }
        if self.sure_until().is_some_and(|until| until <= now) {
            self.lapse(now);
        }
        let alone = self.is_gone();
        while let Some((until, id)) = self.deadlines.first().copied()
            && (until <= now || alone)
        {
            self.deadlines.remove(&(until, id));
            self.without_engine(id, now);
        }
        while let Some(errand) = self.errands.front()
            && (errand.until <= now || alone)
        {
            let id = errand.id;
            self.errands.pop_front();
            self.reports.extend(id.map(|id| Report::Answer(id, None)));
        }
        if alone {
            for (id, _, _) in self.releases.drain(..) {
                self.reports.push(Report::Released(id));
            }
        }
        self.tick_places(now, alone);
        self.tick_turns(now, alone);
        self.notice_again(now);
        self.records.retain(|record| record.ended > now);
        if self.wanted.len() > self.holds.len() {
            self.wanted.retain(|id| self.holds.contains_key(id));
        }
    }

    /// When [`tick`](Self::tick) has something to do, or [`batch`](Self::batch), but for what [`rest`](Self::rest) says.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let idle = self.flight.is_none();
        let link = match self.link {
            Link::Apart { at, .. } => Some(at),
            Link::Joined { renew, .. } => Some(renew),
            Link::Left => None,
        };
        let grace = (!self.wanted.is_empty()).then_some(self.grace);
        let noticed = self.noticed.map(|at| at + NOTICE);
        let moments = [
            link.filter(|_| idle),
            grace.filter(|grace| idle && *grace > self.sent),
            noticed,
            self.sure_until(),
            self.deadlines.first().map(|(until, _)| *until),
            self.errands.front().map(|errand| errand.until),
            self.places.deadline(idle),
            self.turns.deadline(idle),
        ];
        moments.into_iter().flatten().min()
    }

    /// What was to be told since the last call.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Until when all that counts as held may be believed; `None` if nothing does.
    pub(crate) fn sure_until(&self) -> Option<Time> {
        let held = self.records.iter().filter(|record| record.held > 0);
        held.map(|record| record.until).min()
    }

    /// Whether the lease was given back for good.
    pub(crate) fn has_left(&self) -> bool {
        self.link == Link::Left
    }

    /// Where a hold stands.
    pub(crate) fn stand(&self, id: u64) -> Option<Stand> {
        self.holds.get(&id).map(|hold| hold.stand)
    }

    #[cfg(test)]
    fn believes(&self, id: u64, now: Time) -> bool {
        let lease = self.holds.get(&id).and_then(Hold::believed_under);
        lease.is_some_and(|lease| self.believed(lease) > now)
    }

    pub(crate) fn figures(&self, now: Time) -> Figures {
        let mut figures = self.figures.clone();
        for hold in self.holds.values() {
            match hold.stand {
                Stand::Asked => figures.waiting += 1,
                Stand::Held => figures.held += 1,
                Stand::Local => figures.alone += 1,
                Stand::Lost | Stand::Gone => figures.lost += 1,
            }
        }
        figures.joined = matches!(self.link, Link::Joined { .. });
        figures.degraded = self.degraded.map(|since| now.since(since));
        figures.places = self.places.all();
        figures
    }

    fn node(&self, now: Time) -> Node {
        let held = self.holds.values().filter(|hold| hold.proof.is_some());
        Node {
            name: self.name.clone(),
            holds: u32::try_from(held.count()).unwrap_or(u32::MAX),
            degraded: self.degraded.map_or(self.last_degraded, |at| now.since(at)),
        }
    }

    fn current(&self) -> Option<Lease> {
        match self.link {
            Link::Joined { lease, .. } => Some(lease),
            Link::Apart { .. } | Link::Left => None,
        }
    }

    /// Until when this lease is believed.
    fn believed(&self, lease: Lease) -> Time {
        let mut records = self.records.iter();
        let record = records.find(|record| record.lease == lease);
        record.map_or(Time::ZERO, |record| record.until)
    }

    /// Whether nothing is to wait for the engine.
    fn is_gone(&self) -> bool {
        match self.link {
            Link::Apart { failures, .. } => failures >= FAILURES,
            Link::Joined { .. } => false,
            Link::Left => true,
        }
    }

    fn lapse(&mut self, now: Time) {
        let mut lapsed = Vec::new();
        for (id, hold) in &self.holds {
            let lease = hold.proof.map(|proof| proof.lease);
            if lease.is_none_or(|lease| self.believed(lease) <= now) {
                lapsed.push(*id);
            }
        }
        let mut count = 0;
        for id in lapsed {
            count += u64::from(self.change(id, Hold::lapsed).is_some());
        }
        self.figures.lapsed += count;
        if count > 0 {
            self.reports.push(Report::Notice(Notice::Lapsed { count }));
        }
    }

    fn without_engine(&mut self, id: u64, now: Time) {
        let open = self.open;
        match self.change(id, |hold| hold.without_engine(open)) {
            Some(Outcome::Held) => self.figures.alone_granted += 1,
            Some(Outcome::Busy | Outcome::Lost) => self.figures.refused += 1,
            None => return,
        }
        self.degraded.get_or_insert(now);
        if self.stand(id) == Some(Stand::Gone) {
            self.forget(id);
        }
    }

    /// Something happens to a hold: what is to be told is told.
    fn change(
        &mut self,
        id: u64,
        what: impl FnOnce(&mut Hold) -> Option<Outcome>,
    ) -> Option<Outcome> {
        let hold = self.holds.get_mut(&id)?;
        let before = hold.believed_under();
        let waited = hold.until;
        let outcome = what(hold);
        let after = hold.believed_under();
        if let Some(until) = waited.filter(|_| hold.until.is_none()) {
            self.deadlines.remove(&(until, id));
        }
        self.count(before, after);
        let report = outcome.map(|outcome| Report::Outcome(id, outcome));
        self.reports.extend(report);
        outcome
    }

    /// A hold that was believed because of one lease is now because of another.
    fn count(&mut self, before: Option<Lease>, after: Option<Lease>) {
        for record in &mut self.records {
            record.held -= usize::from(before == Some(record.lease));
            record.held += usize::from(after == Some(record.lease));
        }
    }

    /// This hold, or claim, is no more.
    fn forget(&mut self, id: u64) -> Option<Hold> {
        let hold = self.holds.remove(&id)?;
        self.by_maildrop.remove(&hold.maildrop);
        self.count(hold.believed_under(), None);
        self.unkept.remove(&id);
        if let Some(until) = hold.until {
            self.deadlines.remove(&(until, id));
        }
        Some(hold)
    }

    /// Says once a minute how long it has been without the engine.
    fn notice_again(&mut self, now: Time) {
        let (Some(since), Some(noticed)) = (self.degraded, self.noticed) else {
            return;
        };
        if now.since(noticed) >= NOTICE {
            self.noticed = Some(now);
            self.reports.push(Report::Notice(Notice::StillGone {
                since: now.since(since),
                alone: self.figures.alone_granted,
                refused: self.figures.refused,
            }));
        }
    }
}

/// How often the same is said.
const NOTICE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
