//! What the handles, the agent and the engine's thread have in common: the machine under a lock, and who waits for what.
//!
//! Nothing blocks under the lock, and no waker is woken under it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pop3_proto::time::Time;

use crate::ask::{Answer, Ask};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::engine::Trouble;
use crate::machine::{Machine, Outcome, Report};
use crate::notice::Notice;

pub(crate) struct Shared {
    pub(crate) clock: Clock,
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
    /// Whether the agent has something to look at.
    pub(crate) poked: bool,
    /// For the engine's thread.
    pub(crate) batch: Option<(u64, Vec<Ask>)>,
    /// From it.
    pub(crate) arrived: Option<(u64, Result<Vec<Answer>, Trouble>)>,
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
        notice: Arc<dyn Fn(&Notice) + Send + Sync>,
    ) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                machine,
                slots: HashMap::new(),
                spares: BTreeMap::new(),
                next: 1,
                poked: false,
                batch: None,
                arrived: None,
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

    /// Lets something happen to the machine, and tells what follows.
    pub(crate) fn with<T>(&self, what: impl FnOnce(&mut State, Time) -> T) -> T {
        let mut state = self.lock();
        let done = what(&mut state, self.clock.now());
        state.poked = true;
        let told = state.tell();
        drop(state);
        self.agent.notify_one();
        self.wake(told);
        done
    }

    pub(crate) fn wake(&self, told: Told) {
        told.wakers.into_iter().for_each(Waker::wake);
        told.spares.into_iter().for_each(|end| end());
        told.notices.iter().for_each(|notice| (self.notice)(notice));
    }
}

impl State {
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
