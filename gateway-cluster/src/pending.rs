//! An answer that comes later.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::machine::Report;
use crate::owner::Owner;
use crate::shared::News;

/// What the machine is told when nobody waits any more.
#[derive(Clone, Copy)]
pub(crate) enum Cancel {
    Nothing,
    Place,
    Turn,
}

/// An answer that comes later, from a thread that never waits for the engine: at the latest when its time is over.
/// Dropped, it gives up what it asked for.
#[must_use]
pub struct Pending<T> {
    owner: Arc<Owner>,
    id: u64,
    cancel: Cancel,
    read: Option<Box<dyn FnOnce(Report) -> T + Send>>,
}

impl<T> Pending<T> {
    pub(crate) fn new(
        owner: Arc<Owner>,
        id: u64,
        cancel: Cancel,
        read: Box<dyn FnOnce(Report) -> T + Send>,
    ) -> Self {
        Self {
            owner,
            id,
            cancel,
            read: Some(read),
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = T;

    /// # Panics
    ///
    /// Never; polled after its end, it stays pending.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let news = self.owner.shared.lock().poll(self.id, cx);
        let Poll::Ready(News::Report(report)) = news else {
            return Poll::Pending;
        };
        let Some(read) = self.read.take() else {
            return Poll::Pending;
        };
        Poll::Ready(read(report))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        let (id, cancel) = (self.id, self.cancel);
        let news = self.owner.shared.with(|state, _| {
            match cancel {
                Cancel::Nothing => {}
                Cancel::Place => state.machine.enter_no_more(id),
                Cancel::Turn => state.machine.turn_no_more(id),
            }
            state.close(id)
        });
        // what had come already is given back by its own drop
        if let (Some(News::Report(report)), Some(read)) = (news, self.read.take()) {
            drop(read(report));
        }
    }
}
