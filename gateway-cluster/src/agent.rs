//! The two threads of a node. The agent lets time pass for the machine, and never waits for the engine; the other asks the
//! engine, and may be stuck in that for as long as it likes.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use pop3_proto::time::Time;

use crate::engine::{Common, Engine, Trouble};
use crate::shared::Shared;

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
    let agent = named("cluster-agent").spawn(move || run(&own, common.timing.answer, &place));
    if agent.is_err() {
        end(shared);
    }
    agent.map(drop)
}

fn run(shared: &Shared, patience: Duration, place: &str) {
    let mut sent: Option<(u64, Time)> = None;
    let mut number = 0;
    let mut state = shared.lock();
    loop {
        let now = shared.clock.now();
        state.poked = false;
        if let Some((arrived, answers)) = state.arrived.take()
            && sent.is_some_and(|(sent, _)| sent == arrived)
        {
            sent = None;
            state.machine.answered(answers, now);
        }
        if sent.is_some_and(|(_, at)| now.since(at) >= patience) {
            sent = None;
            state.batch = None;
            let late = format!("{place}: no answer within {} ms", patience.as_millis());
            state.machine.answered(Err(Trouble::new(late)), now);
        }
        if state.closing {
            state.closing = false;
            state.machine.leave(now);
        }
        state.machine.tick(now);
        if let Some(asks) = state.machine.batch(now) {
            number += 1;
            sent = Some((number, now));
            state.batch = Some((number, asks));
            shared.engine.notify_one();
        }
        let left = state.machine.has_left();
        let told = state.tell();
        let late = sent.map(|(_, at)| at + patience);
        let deadline = state.machine.deadline().into_iter().chain(late).min();
        drop(state);
        shared.wake(told);
        if left {
            return end(shared);
        }
        let wait = deadline.map_or(IDLE, |at| at.since(shared.clock.now()));
        state = shared.lock();
        if !state.poked && state.arrived.is_none() {
            let waited = shared.agent.wait_timeout(state, wait.clamp(SHORTEST, IDLE));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn ask(shared: &Shared, mut engine: Box<dyn Engine>, common: Common) {
    let mut state = shared.lock();
    loop {
        if state.done {
            return;
        }
        let Some((number, asks)) = state.batch.take() else {
            let waited = shared.engine.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(state);
        let answers = engine.answer(&common, &asks);
        state = shared.lock();
        state.arrived = Some((number, answers));
        shared.agent.notify_one();
    }
}

/// Lets the engine's thread end as soon as it can.
fn end(shared: &Shared) {
    shared.lock().done = true;
    shared.engine.notify_one();
}
