//! What the handles, the agent and the engine's thread have in common: the machine under a lock, and who waits for what.
//!
//! Every call that changes the machine also advances it: questions that are due go straight to the engine's thread, with no
//! other thread in between. Nothing blocks under the lock, and nobody is woken under it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pop3_proto::time::Time;

use crate::ask::{Answer, Ask};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::engine::Trouble;
use crate::machine::{Machine, Outcome, Report};
use crate::notice::Notice;

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    state: Mutex<State>,
    /// Wakes the agent.
    pub(crate) agent: Condvar,
    /// Wakes the engine's thread.
    pub(crate) engine: Condvar,
    notice: Arc<dyn Fn(&Notice) + Send + Sync>,
}

pub(crate) struct State {
    pub(crate) machine: Machine,
    slots: HashMap<u64, Slot>,
    /// How connections end that nobody uses, by the account and a number of their own.
    spares: BTreeMap<(Digest, u64), Box<dyn FnOnce() + Send>>,
    next: u64,
    /// Until when the agent sleeps at most; `None`: for long.
    watched: Option<Time>,
    /// For the engine's thread.
    pub(crate) batch: Option<(u64, Vec<Ask>)>,
    /// How many batches there were.
    batches: u64,
    /// The number of the batch whose answer is waited for, and until when.
    flight: Option<(u64, Time)>,
    /// No handle is left.
    pub(crate) closing: bool,
    /// The threads are to end.
    pub(crate) done: bool,
    pub(crate) namesake: Signal,
    pub(crate) left: Signal,
}

/// What somebody waits for.
#[derive(Default)]
struct Slot {
    news: Option<News>,
    waker: Option<Waker>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum News {
    Outcome(Outcome),
    Report(Report),
}

/// What is to be done once the lock is free.
#[derive(Default)]
pub(crate) struct Told {
    wakers: Vec<Waker>,
    spares: Vec<Box<dyn FnOnce() + Send>>,
    notices: Vec<Notice>,
    /// The engine's thread has a batch.
    asks: bool,
    /// The agent sleeps for too long.
    watches: bool,
}

impl Told {
    /// The engine's thread itself looks for the next batch.
    pub(crate) fn but_the_engine(self) -> Self {
        Self {
            asks: false,
            ..self
        }
    }
}

/// Something that happens once.
#[derive(Default)]
pub(crate) struct Signal {
    raised: bool,
    wakers: Vec<Waker>,
}

impl Signal {
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.raised {
            return Poll::Ready(());
        }
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn raise(&mut self) -> Vec<Waker> {
        self.raised = true;
        std::mem::take(&mut self.wakers)
    }
}

impl Shared {
    pub(crate) fn new(
        machine: Machine,
        clock: Clock,
        patience: Duration,
        notice: Arc<dyn Fn(&Notice) + Send + Sync>,
    ) -> Self {
        Self {
            clock,
            patience,
            state: Mutex::new(State {
                machine,
                slots: HashMap::new(),
                spares: BTreeMap::new(),
                next: 1,
                watched: None,
                batch: None,
                batches: 0,
                flight: None,
                closing: false,
                done: false,
                namesake: Signal::default(),
                left: Signal::default(),
            }),
            agent: Condvar::new(),
            engine: Condvar::new(),
            notice,
        }
    }

    /// Each change leaves the state as it should be, so a panic elsewhere cannot have spoilt it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something happen to the machine, and what follows from it.
    pub(crate) fn with<T>(&self, what: impl FnOnce(&mut State, Time) -> T) -> T {
        let mut state = self.lock();
        let now = self.clock.now();
        let done = what(&mut state, now);
        let told = self.go_on(&mut state, now);
        drop(state);
        self.wake(told);
        done
    }

    /// Lets the machine go on after something has happened to it.
    pub(crate) fn go_on(&self, state: &mut State, now: Time) -> Told {
        if state.closing {
            state.closing = false;
            state.machine.leave(now);
        }
        state.machine.tick(now);
        let asks = state.machine.batch(now);
        let mut told = state.tell();
        if let Some(asks) = asks {
            state.batches += 1;
            state.flight = Some((state.batches, now + self.patience));
            state.batch = Some((state.batches, asks));
            told.asks = true;
        }
        let deadline = state.deadline();
        if deadline.is_some_and(|at| state.watched.is_none_or(|watched| at < watched)) {
            state.watched = deadline;
            told.watches = true;
        }
        if state.machine.has_left() {
            state.done = true;
            (told.asks, told.watches) = (true, true);
        }
        told
    }

    /// Lets both threads end as soon as they can.
    pub(crate) fn end(&self) {
        self.lock().done = true;
        self.engine.notify_one();
        self.agent.notify_one();
    }

    pub(crate) fn wake(&self, told: Told) {
        if told.asks {
            self.engine.notify_one();
        }
        if told.watches {
            self.agent.notify_one();
        }
        told.wakers.into_iter().for_each(Waker::wake);
        told.spares.into_iter().for_each(|end| end());
        told.notices.iter().for_each(|notice| (self.notice)(notice));
    }
}

impl State {
    /// Whether this batch is the one whose answer is waited for: one that was late is not.
    pub(crate) fn waits_for(&self, number: u64) -> bool {
        self.flight.is_some_and(|(awaited, _)| awaited == number)
    }

    /// Whether the answer that is waited for should have come.
    pub(crate) fn is_late(&self, now: Time) -> bool {
        self.flight.is_some_and(|(_, until)| until <= now)
    }

    /// The batch that is under way was answered, or is not waited for any more.
    pub(crate) fn answered(&mut self, answers: Result<Vec<Answer>, Trouble>, now: Time) {
        (self.flight, self.batch) = (None, None);
        self.machine.answered(answers, now);
    }

    /// When there is something to do even if nothing happens.
    fn deadline(&self) -> Option<Time> {
        let late = self.flight.map(|(_, until)| until);
        self.machine.deadline().into_iter().chain(late).min()
    }

    /// The agent sleeps now: until then at most.
    pub(crate) fn watch(&mut self) -> Option<Time> {
        self.watched = self.deadline();
        self.watched
    }

    /// A place for what somebody will wait for.
    pub(crate) fn slot(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        self.slots.insert(id, Slot::default());
        id
    }

    /// Nobody waits any more. What had come already.
    pub(crate) fn close(&mut self, id: u64) -> Option<News> {
        self.slots.remove(&id)?.news
    }

    /// What had come already does not count.
    pub(crate) fn renew(&mut self, id: u64) {
        self.slots.insert(id, Slot::default());
    }

    pub(crate) fn poll(&mut self, id: u64, cx: &Context<'_>) -> Poll<News> {
        let Some(slot) = self.slots.get_mut(&id) else {
            return Poll::Pending;
        };
        if let Some(news) = slot.news.take() {
            return Poll::Ready(news);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Puts what the machine says where it is waited for.
    pub(crate) fn tell(&mut self) -> Told {
        let mut told = Told::default();
        for report in self.machine.reports() {
            let (id, news) = match report {
                Report::Outcome(id, outcome) => (id, News::Outcome(outcome)),
                Report::Released(id)
                | Report::Answer(id, _)
                | Report::Place(id, _)
                | Report::Turn(id, _) => (id, News::Report(report)),
                Report::Wanted(account) => {
                    told.spares.extend(self.take_spares(account));
                    continue;
                }
                Report::Namesake => {
                    told.wakers.extend(self.namesake.raise());
                    continue;
                }
                Report::Left => {
                    told.wakers.extend(self.left.raise());
                    continue;
                }
                Report::Notice(notice) => {
                    told.notices.push(notice);
                    continue;
                }
            };
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.news = Some(news);
                told.wakers.extend(slot.waker.take());
            }
        }
        told
    }

    /// A connection of this account is used by nobody: `end` ends it.
    pub(crate) fn spare(&mut self, account: Digest, end: Box<dyn FnOnce() + Send>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.spares.insert((account, id), end);
        id
    }

    /// It is used again, or has ended.
    pub(crate) fn spare_no_more(&mut self, account: Digest, id: u64) {
        self.spares.remove(&(account, id));
    }

    fn take_spares(&mut self, account: Digest) -> Vec<Box<dyn FnOnce() + Send>> {
        let own = self.spares.range((account, 0)..=(account, u64::MAX));
        let own: Vec<_> = own.map(|(key, _)| *key).collect();
        own.iter()
            .filter_map(|key| self.spares.remove(key))
            .collect()
    }
}
