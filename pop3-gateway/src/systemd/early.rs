//! A SIGHUP that comes while the gateway starts: it waits until there is something to reload.
//!
//! Without this it would end the process: a hook that has renewed a certificate cannot know how far a start is.

use nix::sys::signal::{SigSet, Signal};

fn reload() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGHUP);
    signals
}

/// From now on one waits. For the first thread, before there is another.
pub(crate) fn hold() {
    if let Err(error) = reload().thread_block() {
        tracing::debug!(%error, "a SIGHUP during the start would end the process");
    }
}

/// What waits is heard by this thread, and so is all that comes.
pub(super) fn let_in() {
    if let Err(error) = reload().thread_unblock() {
        tracing::error!(%error, "SIGHUP is not heard");
    }
}
