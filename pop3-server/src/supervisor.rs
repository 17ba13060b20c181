//! What watches over the process from outside, such as systemd, and what it hears.
//!
//! A [`Supervisor`] is called in the task that accepts connections, so it hears of a server that lives, not of a
//! thread that always does. It decides nothing here.

use std::task::Context;
use std::time::Duration;

use pop3_proto::time::Time;

use crate::runtime::{Runtime, Timer};

/// Watches over a server. Must not block.
pub trait Supervisor: Send + Sync + 'static {
    /// The server accepts connections.
    fn serving(&self) {}

    /// How often it wants to hear that the server lives, if at all.
    fn interval(&self) -> Option<Duration> {
        None
    }

    /// The task that accepts has its turn, and the timers of the runtime go.
    fn lives(&self) {}

    /// The server still accepts connections, and is about to stop.
    fn draining(&self) {}

    /// The server accepts no more connections; those that are open finish what they do.
    fn stopping(&self) {}
}

/// Nothing watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsupervised;

impl Supervisor for Unsupervised {}

/// Tells a supervisor again and again that the server lives.
pub(crate) struct Pulse<R: Runtime> {
    timer: R::Timer,
    /// When the next time is, and how long after it the one after that.
    next: Option<(Time, Duration)>,
}

impl<R: Runtime> Pulse<R> {
    pub(crate) fn new(runtime: &R, supervisor: &dyn Supervisor) -> Self {
        let interval = supervisor.interval().filter(|interval| !interval.is_zero());
        Self {
            timer: runtime.timer(),
            next: interval.map(|interval| (runtime.now(), interval)),
        }
    }

    /// Wakes the task when it is time again.
    pub(crate) fn beat(&mut self, runtime: &R, supervisor: &dyn Supervisor, cx: &mut Context<'_>) {
        let Some((at, interval)) = &mut self.next else {
            return;
        };
        while self.timer.poll_at(cx, *at).is_ready() {
            supervisor.lives();
            *at = runtime.now() + *interval;
        }
    }
}
