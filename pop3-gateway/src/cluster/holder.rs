//! Maildrops for sessions, of which one node has each at a time.
//!
//! Owns the order: the table of this process is asked first and left last, so that two sessions of one node need nobody
//! else. Readers share a maildrop with readers of any node, and keep no writer of another node away: they ask this process
//! alone.

use std::sync::Arc;
use std::task::{Context, Poll};

use gateway_cluster::{Cluster, Outcome as There};
use pop3_server::hold::{Claim, Hold, Holder, Outcome, Taken};
use pop3_server::lock::{Guard, Locks, Mode};
use pop3_server::runtime::Boxed;

/// Gives sessions their maildrops.
#[derive(Debug)]
pub(super) struct NodeHolder {
    locks: Locks,
    cluster: Cluster,
}

impl NodeHolder {
    pub(super) const fn new(locks: Locks, cluster: Cluster) -> Self {
        Self { locks, cluster }
    }
}

impl Holder for NodeHolder {
    fn take(&self, claim: &Claim<'_>) -> Taken {
        let Some(here) = self.locks.take(Arc::clone(claim.maildrop), claim.mode) else {
            return Taken::Busy;
        };
        match claim.mode {
            Mode::Shared => Taken::Held(Box::new(here)),
            Mode::Exclusive => Taken::Waiting(Box::new(Held {
                there: Some(self.cluster.take(claim.maildrop)),
                here,
            })),
        }
    }
}

/// A maildrop of this node. Dropped, the node's hold is given back before the process's own.
struct Held {
    /// None: a reader, who needs none.
    there: Option<gateway_cluster::Hold>,
    here: Guard,
}

impl Hold for Held {
    fn can_be_lost(&self) -> bool {
        true
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some(there) = &mut self.there else {
            return Poll::Pending;
        };
        there.poll_outcome(cx).map(|outcome| match outcome {
            There::Held => Outcome::Held,
            There::Busy => Outcome::Busy,
            There::Lost => Outcome::Lost,
        })
    }

    fn stands(&self) -> bool {
        let there = self.there.as_ref();
        there.is_none_or(|there| there.outcome() == Some(There::Held))
    }

    fn share(&mut self) {
        self.there = None;
        self.here.downgrade();
    }

    fn take_again(&mut self) {
        if let Some(there) = &mut self.there {
            there.take_again();
        }
    }

    fn release(self: Box<Self>) -> Option<Boxed<()>> {
        let Self { there, here } = *self;
        let released = there?.release();
        Some(Box::pin(async move {
            released.await;
            drop(here);
        }))
    }
}
