//! A session's hold on a maildrop.

use std::future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::machine::{Outcome, Stand};
use crate::owner::Owner;
use crate::shared::News;

/// A maildrop that is held, or was asked for. Dropped, it is given back.
#[must_use]
pub struct Hold {
    owner: Arc<Owner>,
    id: u64,
    released: bool,
}

impl Hold {
    pub(crate) fn new(owner: Arc<Owner>, id: u64) -> Self {
        Self {
            owner,
            id,
            released: false,
        }
    }

    /// Ready with the first outcome, and with each change after it. The first comes when the time of an answer is over at
    /// the latest: [`Outcome::Lost`] then means that the engine is gone and this process does not decide alone.
    pub fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let shared = &self.owner.shared;
        let (polled, told) = {
            let mut state = shared.lock();
            // a process that was stopped hears of it before anything else
            state.machine.tick(shared.clock.now());
            let told = state.tell();
            (state.poll(self.id, cx), told)
        };
        shared.wake(told);
        match polled {
            Poll::Ready(News::Outcome(outcome)) => Poll::Ready(outcome),
            Poll::Ready(News::Report(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Waits for [`poll_outcome`](Self::poll_outcome).
    pub async fn next_outcome(&mut self) -> Outcome {
        future::poll_fn(|cx| self.poll_outcome(cx)).await
    }

    /// What is the case at this very moment; `None` while the first answer is waited for, and when it never came.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let shared = &self.owner.shared;
        shared.with(|state, now| {
            state.machine.tick(now);
            match state.machine.stand(self.id)? {
                Stand::Asked => None,
                Stand::Held | Stand::Local => Some(Outcome::Held),
                Stand::Lost => Some(Outcome::Lost),
                Stand::Gone => Some(Outcome::Busy),
            }
        })
    }

    /// It was lost, and is wanted again if no other had it meanwhile. The answer comes by
    /// [`poll_outcome`](Self::poll_outcome), within the time of an answer.
    pub fn take_again(&mut self) {
        let id = self.id;
        let shared = &self.owner.shared;
        shared.with(|state, now| {
            state.machine.tick(now);
            state.machine.take_again(id, now);
        });
    }

    /// Gives it back. Ready when others can take it, or when the time of an answer is over.
    pub fn release(mut self) -> Released {
        self.give_back();
        Released {
            owner: Arc::clone(&self.owner),
            id: self.id,
        }
    }

    fn give_back(&mut self) {
        let id = self.id;
        self.released = true;
        self.owner.shared.with(|state, _| {
            // an outcome that was not asked for is not what is waited for now
            state.renew(id);
            state.machine.release(id);
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.released {
            self.give_back();
            self.owner
                .shared
                .with(|state, _| drop(state.close(self.id)));
        }
    }
}

/// Waits until others can take it; see [`Hold::release`].
#[must_use]
pub struct Released {
    owner: Arc<Owner>,
    id: u64,
}

impl Future for Released {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.owner.shared.lock().poll(self.id, cx);
        polled.map(drop)
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        self.owner
            .shared
            .with(|state, _| drop(state.close(self.id)));
    }
}
