//! The session between two commands: the server has to see that we are still there.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pop3_proto::client::Close;
use pop3_proto::command::Command;

use pop3_client_io::Error;
use pop3_client_io::blocking::Session;

/// Holds the session and sends NOOP when nothing was sent for a while. The thread ends with this.
pub(super) struct Keeper {
    slot: Arc<Mutex<Slot>>,
    _stop: Sender<()>,
}

#[derive(Default)]
struct Slot {
    session: Option<Session>,
    used: Option<Instant>,
    /// Why the session ended between two commands.
    lost: Option<Error>,
}

impl Keeper {
    pub(super) fn new(interval: Duration) -> Self {
        let slot = Arc::new(Mutex::new(Slot::default()));
        let (stop, stopped) = channel();
        let shared = Arc::clone(&slot);
        // without it the session only ends sooner
        let _ = thread::Builder::new()
            .name("keep-alive".into())
            .spawn(move || keep_alive(&shared, &stopped, interval));
        Self { slot, _stop: stop }
    }

    pub(super) fn give(&self, session: Session) {
        *lock(&self.slot) = Slot {
            session: Some(session),
            used: Some(Instant::now()),
            lost: None,
        };
    }

    /// Takes the session back, if it lives.
    pub(super) fn take(&self) -> Option<Session> {
        lock(&self.slot).session.take()
    }

    pub(super) fn is_alive(&self) -> bool {
        lock(&self.slot).session.is_some()
    }

    /// Uses the session. A session that is over afterwards is dropped.
    pub(super) fn with<T>(
        &self,
        action: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = lock(&self.slot);
        let slot = &mut *slot;
        let Some(session) = &mut slot.session else {
            return Err(slot.lost.take().unwrap_or(Error::Closed(Close::Eof)));
        };
        let outcome = action(session);
        slot.used = Some(Instant::now());
        if session.is_over() {
            slot.session = None;
        }
        outcome
    }
}

fn keep_alive(slot: &Mutex<Slot>, stopped: &Receiver<()>, interval: Duration) {
    while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let mut slot = lock(slot);
        let slot = &mut *slot;
        let idle = slot.used.is_some_and(|used| used.elapsed() >= interval / 2);
        let Some(session) = slot.session.as_mut().filter(|_| idle) else {
            continue;
        };
        // a refusal is an answer too
        if let Err(error) = session.run(&Command::Noop)
            && session.is_over()
        {
            slot.session = None;
            slot.lost = Some(error);
        }
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
