//! What a session has of its maildrop, and what is left while it lets it go.
//!
//! Owns the hold and the user's slot. When they are taken and given back is decided in `maildrop`.

use std::sync::Arc;
use std::task::{Context, Poll};

use pop3_proto::backend::{Access, Failure, Refusal, Request};
use pop3_proto::time::Time;

use crate::hold::{Hold, Outcome};
use crate::limit::Slot;
use crate::runtime::Boxed;

/// What a session has of its maildrop.
#[derive(Default)]
pub(super) enum Holding {
    /// Nothing, before the credentials were found good and after the end.
    #[default]
    Nothing,
    /// The backend has found the credentials good, and opened the maildrop if there is an access. Its further
    /// replies wait.
    Asked {
        hold: Box<dyn Hold>,
        opened: Option<Access>,
    },
    Held(Held),
    Lost(Held),
    /// The update waits for the hold that was lost.
    Again {
        held: Held,
        update: Box<Request>,
    },
}

/// A hold and the user's slot, which go together.
pub(super) struct Held {
    hold: Box<dyn Hold>,
    watched: bool,
    _slot: Slot<Arc<str>>,
}

impl Held {
    pub(super) fn new(hold: Box<dyn Hold>, slot: Slot<Arc<str>>) -> Self {
        Self {
            watched: hold.can_be_lost(),
            hold,
            _slot: slot,
        }
    }

    /// Asks for the maildrop again after the hold was lost.
    pub(super) fn take_again(&mut self) {
        self.hold.take_again();
    }

    /// Others may read the maildrop meanwhile.
    pub(super) fn share(&mut self) {
        self.hold.share();
    }
}

impl Holding {
    /// Whether the backend has to wait for an answer.
    pub(super) fn is_asked(&self) -> bool {
        match self {
            Self::Asked { .. } | Self::Again { .. } => true,
            Self::Nothing | Self::Held(_) | Self::Lost(_) => false,
        }
    }

    pub(super) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self {
            Self::Asked { hold, .. } => hold.poll_outcome(cx),
            Self::Held(held) | Self::Lost(held) | Self::Again { held, .. } if held.watched => {
                held.hold.poll_outcome(cx)
            }
            Self::Nothing | Self::Held(_) | Self::Lost(_) | Self::Again { .. } => Poll::Pending,
        }
    }

    /// Takes out a hold that is lost, though it may not have been reported yet.
    pub(super) fn take_lost(&mut self) -> Option<Held> {
        match std::mem::take(self) {
            Self::Lost(held) => Some(held),
            Self::Held(held) if !held.hold.stands() => Some(held),
            other @ (Self::Nothing | Self::Asked { .. } | Self::Held(_) | Self::Again { .. }) => {
                *self = other;
                None
            }
        }
    }

    /// Lets go. The returned future ends when others can have the maildrop; `None` if they can at once.
    pub(super) fn release(&mut self) -> Option<Boxed<()>> {
        match std::mem::take(self) {
            Self::Nothing => None,
            Self::Asked { hold, .. } => hold.release(),
            Self::Held(held) | Self::Lost(held) | Self::Again { held, .. } => held.hold.release(),
        }
    }
}

/// The maildrop is let go, and what is said after it.
pub(super) struct Parting {
    released: Boxed<()>,
    last: Option<Last>,
    until: Time,
}

impl Parting {
    pub(super) fn new(released: Boxed<()>, last: Option<Last>, until: Time) -> Self {
        Self {
            released,
            last,
            until,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.released.as_mut().poll(cx)
    }

    pub(super) fn deadline(&self) -> (Time, &'static str) {
        (self.until, "letting the maildrop go")
    }

    /// The reply that had to wait for it.
    pub(super) fn into_last(self) -> Option<Last> {
        self.last
    }
}

/// A backend's last reply.
pub(super) enum Last {
    Refused(Refusal),
    Failed(Failure),
    Updated,
    Kept,
}
