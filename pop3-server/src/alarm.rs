//! Waking connections at their deadlines, with one timer for all of them.
//!
//! Owns which task is to be woken when. Never decides what a deadline means, and never cancels: a
//! deadline that was dropped or moved may still wake its task once, for nothing.
//!
//! A runtime's thread sleeps until its earliest timer, and setting an earlier one wakes it. Each login
//! would do so a few times. The one timer here stays as it is when its deadline goes away, so most new
//! deadlines lie after it and cost no more than a lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use pop3_proto::time::Time;

use crate::runtime::{Runtime, Timer};

/// The deadlines of many tasks. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarm(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    set: BTreeMap<(Time, u64), Waker>,
    /// What the timer is set to.
    until: Option<Time>,
    /// The task that polls the timer.
    keeper: Option<Waker>,
}

impl Alarm {
    /// A deadline that is not set yet.
    pub(crate) fn join(&self) -> Deadline {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        drop(state);
        Deadline {
            alarm: self.clone(),
            id,
            set: None,
        }
    }

    /// Wakes the tasks whose deadline has come, and sets this timer to the next one. To be called by one
    /// task, whenever it wakes.
    pub(crate) fn keep<R: Runtime>(&self, runtime: &R, timer: &mut R::Timer, cx: &mut Context<'_>) {
        loop {
            let now = runtime.now();
            let (due, until) = self.state().due(now, cx.waker());
            // Not under the lock: a waker may own a task that owns a deadline.
            due.into_iter().for_each(Waker::wake);
            match until {
                Some(until) if timer.poll_at(cx, until).is_ready() => {}
                Some(_) | None => return,
            }
        }
    }

    /// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The tasks that are due, and what the timer is to be set to.
    fn due(&mut self, now: Time, keeper: &Waker) -> (Vec<Waker>, Option<Time>) {
        match &mut self.keeper {
            Some(known) => known.clone_from(keeper),
            None => self.keeper = Some(keeper.clone()),
        }
        let mut due = Vec::new();
        while let Some(first) = self.set.first_entry().filter(|first| first.key().0 <= now) {
            due.push(first.remove());
        }
        let first = self.set.first_key_value().map(|((at, _), _)| *at);
        self.until = match (self.until, first) {
            (Some(until), Some(first)) if until > now => Some(until.min(first)),
            (Some(until), None) if until > now => Some(until),
            (_, first) => first,
        };
        (due, self.until)
    }
}

/// The deadline of one task.
#[derive(Debug)]
pub(crate) struct Deadline {
    alarm: Alarm,
    id: u64,
    /// What was set last, and the task that is woken then.
    set: Option<(Time, Waker)>,
}

impl Deadline {
    /// One for another task, not set yet.
    pub(crate) fn another(&self) -> Self {
        self.alarm.join()
    }

    /// Wakes the task at `at` or earlier, though not before `now`. A later call may name another moment.
    pub(crate) fn wake_at(&mut self, at: Time, now: Time, cx: &Context<'_>) {
        if let Some((set, waker)) = &self.set
            && (now < *set && *set <= at)
            && waker.will_wake(cx.waker())
        {
            return;
        }
        let mut state = self.alarm.state();
        let before = self
            .set
            .as_ref()
            .and_then(|(set, _)| state.set.remove(&(*set, self.id)));
        state.set.insert((at, self.id), cx.waker().clone());
        let keeper = match state.until {
            Some(until) if until <= at => None,
            Some(_) | None => state.keeper.clone(),
        };
        drop(state);
        drop(before);
        self.set = Some((at, cx.waker().clone()));
        if let Some(keeper) = keeper {
            keeper.wake();
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some((set, _)) = &self.set {
            let before = self.alarm.state().set.remove(&(*set, self.id));
            drop(before);
        }
    }
}
