//! The exclusive use of a maildrop: granted by the table of this process, or by a service that several processes share.
//!
//! A [`Holder`] is asked once the credentials are good, and not before: a stranger's guess must not keep the owner out.
//! It answers at once or later, while the mailbox is opened, and may say that a hold is lost while the session runs. Whatever it does, no client hears that it is logged in before the maildrop is held, and
//! the maildrop is free before the last reply is sent. Holds are dropped with their session.
//!
//! | outcome | at the login | later |
//! |---|---|---|
//! | [`Outcome::Held`] | the client is let in | goes on |
//! | [`Outcome::Busy`] | refused: in use | at QUIT: nothing is removed, and the reply says so |
//! | [`Outcome::Lost`] | fails for now | reading goes on; a QUIT that removes something takes the maildrop again first |

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::lock::{Guard, Locks, Mode};
use crate::runtime::Boxed;

/// Grants the use of maildrops.
pub trait Holder: Send + Sync + 'static {
    /// Begins to take a maildrop. Must not block.
    fn take(&self, claim: &Claim<'_>) -> Taken;
}

/// Which maildrop is wanted, and how.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Claim<'a> {
    /// The name of the maildrop, the same for all names that lead to it.
    pub maildrop: &'a Arc<str>,
    /// Alone, or together with sessions that only read.
    pub mode: Mode,
    /// The number of the session that wants it.
    pub session: u64,
}

impl<'a> Claim<'a> {
    /// A session wants a maildrop.
    pub fn new(maildrop: &'a Arc<str>, mode: Mode, session: u64) -> Self {
        Self {
            maildrop,
            mode,
            session,
        }
    }
}

/// The immediate answer to a claim.
pub enum Taken {
    /// It is held.
    Held(Box<dyn Hold>),
    /// Another session holds it, and the two cannot go together.
    Busy,
    /// The answer comes by [`Hold::poll_outcome`].
    Waiting(Box<dyn Hold>),
}

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is held, and no other held it since it was lost.
    Held,
    /// Another holds it, or held it since it was lost.
    Busy,
    /// It may not be held any more, or cannot be asked for.
    Lost,
}

/// A hold that is granted or asked for. Dropping it lets go, without waiting for anything.
pub trait Hold: Send + 'static {
    /// Whether it may be lost: only such a hold is polled once it is held.
    fn can_be_lost(&self) -> bool {
        false
    }

    /// Ready when it has changed since the last report.
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let _ = cx;
        Poll::Pending
    }

    /// Whether it is held at this moment, by the clock. Asked before something is removed: a process that was stopped
    /// for a while has not heard of its loss yet.
    fn stands(&self) -> bool {
        true
    }

    /// Lets other readers in, because this session turned out to be a reader.
    fn share(&mut self);

    /// It was lost, and is wanted again if no other held it meanwhile. The answer comes by
    /// [`poll_outcome`](Self::poll_outcome).
    fn take_again(&mut self) {}

    /// Lets go. The returned future ends when others can take it; `None` if they can at once.
    fn release(self: Box<Self>) -> Option<Boxed<()>> {
        None
    }
}

/// The table of the process answers at once.
impl Holder for Locks {
    fn take(&self, claim: &Claim<'_>) -> Taken {
        match Self::take(self, Arc::clone(claim.maildrop), claim.mode) {
            Some(guard) => Taken::Held(Box::new(guard)),
            None => Taken::Busy,
        }
    }
}

impl Hold for Guard {
    fn share(&mut self) {
        self.downgrade();
    }
}
