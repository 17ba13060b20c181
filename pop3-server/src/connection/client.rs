//! The client's side of a connection: its pipe, and how it is closed.
//!
//! Closing takes steps, so that the client sees our last words: send what is left, say good-bye in TLS,
//! end the sending direction, wait a moment for the client to close its own. Each step has a deadline.

use std::time::Duration;

use pop3_proto::server::Session;
use pop3_proto::time::Time;

use crate::pipe::{Pipe, Tls};
use crate::settings::Timers;

pub(super) struct Client {
    pub(super) pipe: Pipe,
    phase: Phase,
    /// The client will send no more.
    eof: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// With the deadline of a handshake that runs.
    Open {
        handshake: Option<Time>,
    },
    Flushing {
        until: Time,
        patience: Duration,
    },
    Lingering {
        until: Time,
    },
    Gone,
}

/// A step of the closing that the driver has to follow.
pub(super) enum Closing {
    ShutDown,
    Close,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            pipe: Pipe::Plain,
            phase: Phase::Open { handshake: None },
            eof: false,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    pub(super) fn start_tls(&mut self, pipe: Pipe, now: Time, timers: &Timers) {
        self.pipe = pipe;
        self.shakes_hands(Some(now + timers.handshake));
    }

    pub(super) fn handshake_done(&mut self) {
        self.shakes_hands(None);
    }

    fn shakes_hands(&mut self, until: Option<Time>) {
        if let Phase::Open { handshake } = &mut self.phase {
            *handshake = until;
        }
    }

    /// How much may be read from the socket.
    pub(super) fn room(&self, session: &Session) -> usize {
        match (self.phase, &self.pipe) {
            (Phase::Open { .. }, _) if self.eof => 0,
            (Phase::Open { .. }, Pipe::Plain) => session.input_room(),
            (Phase::Open { .. }, Pipe::Tls(tls)) if tls.wants_input() => usize::MAX,
            (Phase::Open { .. }, Pipe::Tls(_)) | (Phase::Flushing { .. } | Phase::Gone, _) => 0,
            (Phase::Lingering { .. }, _) => usize::MAX,
        }
    }

    pub(super) fn received(&mut self, session: &mut Session, now: Time, bytes: &[u8]) {
        match (self.phase, &mut self.pipe) {
            (Phase::Open { .. }, Pipe::Plain) => {
                session.handle_input(now, bytes);
            }
            (Phase::Open { .. }, Pipe::Tls(tls)) => tls.received(bytes),
            // What comes now is read and thrown away: otherwise a reset could overtake our last words.
            (Phase::Flushing { .. } | Phase::Lingering { .. } | Phase::Gone, _) => {}
        }
    }

    pub(super) fn send_buf<'a>(&'a self, session: &'a Session) -> &'a [u8] {
        match (self.phase, &self.pipe) {
            (Phase::Open { .. } | Phase::Flushing { .. }, Pipe::Plain) => session.transmit(),
            (Phase::Open { .. } | Phase::Flushing { .. }, Pipe::Tls(tls)) => tls.send_buf(),
            (Phase::Lingering { .. } | Phase::Gone, _) => &[],
        }
    }

    pub(super) fn sent(&mut self, session: &mut Session, now: Time, n: usize) {
        match &mut self.pipe {
            Pipe::Plain => session.transmitted(now, n),
            Pipe::Tls(tls) => tls.sent(n),
        }
        // a client on a slow line is not one that does not read
        if let Phase::Flushing { until, patience } = &mut self.phase {
            *until = now + *patience;
        }
    }

    /// Returns whether nothing else was waited for.
    pub(super) fn handle_eof(&mut self, session: &mut Session, now: Time) -> bool {
        self.eof = true;
        match (self.phase, &mut self.pipe) {
            (Phase::Open { .. }, Pipe::Plain) => session.handle_eof(now),
            (Phase::Open { .. }, Pipe::Tls(tls)) => tls.received_end(),
            (Phase::Lingering { .. }, _) => return true,
            (Phase::Flushing { .. } | Phase::Gone, _) => {}
        }
        false
    }

    pub(super) fn deadline(&self) -> Option<(Time, &'static str)> {
        match self.phase {
            Phase::Open { handshake } => handshake.map(|at| (at, "TLS handshake")),
            Phase::Flushing { until, .. } => Some((until, "last words")),
            Phase::Lingering { until } => Some((until, "client closing")),
            Phase::Gone => None,
        }
    }

    /// The session is over; what is left is still sent, as long as the client takes some of it now and
    /// then.
    pub(super) fn flush(&mut self, now: Time, patience: Duration) {
        if let Phase::Open { .. } = self.phase {
            self.phase = Phase::Flushing {
                until: now + patience,
                patience,
            };
        }
    }

    /// Whether the session has said its last words.
    pub(super) fn is_flushing(&self) -> bool {
        matches!(self.phase, Phase::Flushing { .. })
    }

    /// Drops pipe and phase; returns whether there is a socket to close.
    pub(super) fn let_go(&mut self) -> bool {
        self.pipe = Pipe::Plain;
        std::mem::replace(&mut self.phase, Phase::Gone) != Phase::Gone
    }

    /// Goes on with the closing as far as it can now.
    pub(super) fn close_on(
        &mut self,
        session: &Session,
        now: Time,
        linger: Duration,
    ) -> Option<Closing> {
        let Phase::Flushing { .. } = self.phase else {
            return None;
        };
        let unsent = match &mut self.pipe {
            Pipe::Plain => !session.transmit().is_empty(),
            Pipe::Tls(tls) => tls_unsent(tls, session),
        };
        if unsent {
            return None;
        }
        if self.eof {
            return Some(Closing::Close);
        }
        self.phase = Phase::Lingering {
            until: now + linger,
        };
        Some(Closing::ShutDown)
    }
}

fn tls_unsent(tls: &mut Tls, session: &Session) -> bool {
    if tls.is_writable() && !session.transmit().is_empty() {
        return true;
    }
    tls.close();
    !tls.send_buf().is_empty()
}
