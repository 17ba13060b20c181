//! The two threads of a node. One watches the clock for the machine, and never waits for the engine; the other asks the
//! engine, and may be stuck in that for as long as it likes.
//!
//! Neither is in the way of a question: a call of a handle makes the batch itself, and the engine's thread tells what came
//! of it itself. The one that watches sleeps until something is late or due.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::engine::{Common, Engine, Trouble};
use crate::shared::{Shared, State};

/// How long to wait when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(60);
/// A wait is never shorter: the clock of a condition variable is coarse.
const SHORTEST: Duration = Duration::from_millis(1);

/// Starts both.
pub(crate) fn start(
    shared: &Arc<Shared>,
    engine: Box<dyn Engine>,
    common: Common,
    place: String,
) -> io::Result<()> {
    let named = |name: &str| thread::Builder::new().name(name.into());
    let own = Arc::clone(shared);
    named("cluster-engine").spawn(move || ask(&own, engine, common))?;
    let own = Arc::clone(shared);
    let agent = named("cluster-agent").spawn(move || watch(&own, &place));
    if agent.is_err() {
        shared.end();
    }
    agent.map(drop)
}

fn watch(shared: &Shared, place: &str) {
    let mut state = shared.lock();
    loop {
        let now = shared.clock.now();
        if state.is_late(now) {
            let late = format!(
                "{place}: no answer within {} ms",
                shared.patience.as_millis()
            );
            state.answered(Err(Trouble::new(late)), now);
        }
        let told = shared.go_on(&mut state, now);
        drop(state);
        shared.wake(told);
        state = shared.lock();
        if state.done {
            return;
        }
        let wait = state
            .watch()
            .map_or(IDLE, |at| at.since(shared.clock.now()));
        let waited = shared.agent.wait_timeout(state, wait.clamp(SHORTEST, IDLE));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn ask(shared: &Shared, mut engine: Box<dyn Engine>, common: Common) {
    let mut state = shared.lock();
    loop {
        if state.done {
            return;
        }
        let Some((number, asks)) = state.batch.take() else {
            state = rest(shared, state);
            continue;
        };
        drop(state);
        let answers = engine.answer(&common, &asks);
        state = shared.lock();
        if !state.waits_for(number) {
            continue;
        }
        let now = shared.clock.now();
        state.answered(answers, now);
        let told = shared.go_on(&mut state, now);
        drop(state);
        shared.wake(told.but_the_engine());
        state = shared.lock();
    }
}

/// Waits for a batch, or until the machine may make the next.
fn rest<'a>(shared: &'a Shared, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let now = shared.clock.now();
    let Some(until) = state.machine.rest(now) else {
        let waited = shared.engine.wait(state);
        return waited.unwrap_or_else(PoisonError::into_inner);
    };
    let waited = shared.engine.wait_timeout(state, until.since(now));
    let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
    let told = shared.go_on(&mut state, shared.clock.now());
    drop(state);
    shared.wake(told.but_the_engine());
    shared.lock()
}
