//! What the service manager hears: that the gateway serves, lives, reloads and stops.

use std::time::Duration;

use pop3_server::supervisor::Supervisor;
use sd_notify::NotifyState;

use super::early::let_in;

/// Tells the service manager. Where none listens, it is silent.
#[derive(Debug)]
pub(crate) struct Manager;

impl Supervisor for Manager {
    fn serving(&self) {
        tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
        let_in();
    }

    /// Twice as often as it has to be (`WatchdogSec=`).
    fn interval(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|patience| patience / 2)
    }

    fn lives(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    fn draining(&self) {
        let status = "stopping soon: not ready, but new clients are still served";
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    fn stopping(&self) {
        tell(&[
            NotifyState::Stopping,
            NotifyState::Status("finishing what runs"),
        ]);
    }
}

/// Tells it of a reload; `reload` does it, and says what came of it.
pub(crate) fn reloading(reload: impl FnOnce() -> &'static str) {
    // it wants to know which signal this answers, by the time
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "there is no monotonic clock"),
    }
    let status = reload();
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
