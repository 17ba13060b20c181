//! The task that keeps one connection that waits.
//!
//! Owns the socket, its TLS and the backend's machine until a login takes them or they end. It reads what the upstream
//! says and lets the machine judge it; it decides nothing but when it is over.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pop3_proto::backend::waiting::Waiting;
use pop3_proto::backend::{Backend, Request};
use pop3_proto::time::Time;

use super::pool::{Berth, Leaving, Occupied, Returned, Why};
use crate::alarm::Deadline;
use crate::connection::{Action, Upstream};
use crate::runtime::{Runtime, Stream};
use crate::shutdown::Member;

/// How long saying good-bye may take.
const LEAVE: Duration = Duration::from_secs(5);

/// What is read at once: an upstream says little to a connection that waits.
const READ: usize = 2 * 1024;

/// Keeps a connection until a login takes it, in a task of its own.
pub(crate) fn park<R: Runtime>(
    runtime: &R,
    stream: R::Stream,
    leaving: Leaving,
    deadline: Deadline,
    member: Member,
) {
    let Leaving {
        pipe,
        waiting,
        kept,
        place,
    } = leaving;
    let held = Held {
        stream,
        upstream: Upstream::waiting(waiting, pipe),
        actions: VecDeque::new(),
        over: false,
        _kept: kept,
    };
    let slot = Slot {
        held: Some(held),
        ending: place.is_none().then_some(Why::Full),
        waker: None,
    };
    let spot = Arc::new(Spot(Mutex::new(slot)));
    let occupied = place.map(|place| place.occupy(Arc::clone(&spot) as Arc<dyn Berth>));
    runtime.spawn(Keeper {
        runtime: runtime.clone(),
        spot,
        occupied,
        why: None,
        deadline,
        member,
    });
}

/// A connection that waits, and its machine.
struct Held<S> {
    stream: S,
    upstream: Upstream<Box<dyn Waiting>>,
    actions: VecDeque<Action<()>>,
    /// The socket is to be closed.
    over: bool,
    /// Dropped when it waits no longer.
    _kept: Option<Box<dyn Any + Send>>,
}

impl<S: Stream> Held<S> {
    /// Does what can be done now. The task is woken when there is more.
    fn turn(&mut self, cx: &mut Context<'_>, now: Time) {
        while !self.over && (self.read(cx, now) | self.write(cx, now) | self.settle(now)) {}
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        let mut scratch = [0; READ];
        let room = self.upstream.recv_buf(&mut scratch);
        if room.is_empty() {
            return false;
        }
        match self.stream.poll_read(cx, room) {
            Poll::Pending => return false,
            Poll::Ready(Ok(n @ 1..)) => self.upstream.received(now, n, &scratch),
            Poll::Ready(Ok(_) | Err(_)) => self.ends(now),
        }
        true
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        let bytes = self.upstream.send_buf();
        if bytes.is_empty() {
            return false;
        }
        match self.stream.poll_write(cx, bytes) {
            Poll::Pending => return false,
            Poll::Ready(Ok(n @ 1..)) => self.upstream.sent(now, n),
            Poll::Ready(Ok(_) | Err(_)) => self.ends(now),
        }
        true
    }

    fn ends(&mut self, now: Time) {
        let detail = "the upstream ended a connection that waited";
        self.upstream.handle_eof(now, detail, &mut self.actions);
    }

    fn settle(&mut self, now: Time) -> bool {
        let actions = &mut self.actions;
        let moved = self.upstream.pump(now, actions) | self.upstream.effects(now, actions);
        // a machine that only waits asks for nothing else
        self.over |= self.actions.drain(..).count() > 0 || self.upstream.has_left(now);
        moved
    }

    fn leave(&mut self, now: Time) {
        if !self.upstream.is_finished() {
            self.upstream.finish(now, LEAVE);
            self.upstream.backend.handle_request(now, Request::Abandon);
        }
    }
}

struct Slot<S> {
    /// None once a login took it, or it is over.
    held: Option<Held<S>>,
    /// It is to be let go.
    ending: Option<Why>,
    waker: Option<Waker>,
}

struct Spot<S>(Mutex<Slot<S>>);

impl<S> Spot<S> {
    /// What is in there is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn slot(&self) -> MutexGuard<'_, Slot<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Stream> Berth for Spot<S> {
    fn take(&self, now: Time) -> Option<Returned> {
        let mut slot = self.slot();
        if let Some(held) = &mut slot.held {
            // what has come meanwhile
            held.turn(&mut Context::from_waker(Waker::noop()), now);
        }
        let fits = |held: &mut Held<S>| !held.over && held.upstream.backend.is_fit();
        let fit = slot.ending.is_none();
        let held = slot.held.take_if(|held| fit && fits(held));
        let waker = slot.waker.take();
        drop(slot);
        // the task ends or, if it keeps the connection, has to be woken by it again
        if let Some(waker) = waker {
            waker.wake();
        }
        let Held {
            stream, upstream, ..
        } = held?;
        let (pipe, waiting) = upstream.into_parts();
        Some(Returned {
            stream: Box::new(stream),
            pipe,
            waiting,
        })
    }

    fn end(&self, why: Why) {
        let mut slot = self.slot();
        slot.ending.get_or_insert(why);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The task.
struct Keeper<R: Runtime> {
    runtime: R,
    spot: Arc<Spot<R::Stream>>,
    occupied: Option<Occupied>,
    /// Why it ends, once that is known.
    why: Option<Why>,
    deadline: Deadline,
    member: Member,
}

impl<R: Runtime> Keeper<R> {
    fn ended(&mut self, why: Why) -> Poll<()> {
        if let Some(occupied) = self.occupied.take() {
            occupied.ended(why);
        }
        Poll::Ready(())
    }
}

impl<R: Runtime> Future for Keeper<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let now = this.runtime.now();
        let hurries = this.member.poll_phase(cx).is_ready();
        let spot = Arc::clone(&this.spot);
        let mut slot = spot.slot();
        let ending = slot.ending.or_else(|| hurries.then_some(Why::ShutDown));
        let Some(held) = &mut slot.held else {
            return Poll::Ready(());
        };
        if let Some(why) = ending {
            this.why.get_or_insert(why);
            held.leave(now);
        }
        if held.upstream.deadline().is_some_and(|(at, _)| at <= now) {
            this.why.get_or_insert(Why::Expired);
            held.upstream.expire(now);
        }
        held.turn(cx, now);
        if held.over || hurries {
            let over = slot.held.take();
            drop(slot);
            drop(over);
            let why = this.why.unwrap_or(Why::Broken);
            return this.ended(why);
        }
        let at = held.upstream.deadline().map(|(at, _)| at);
        let before = slot.waker.replace(cx.waker().clone());
        drop(slot);
        // not under the lock: a waker may own a task
        drop(before);
        if let Some(at) = at {
            this.deadline.wake_at(at, now, cx);
        }
        Poll::Pending
    }
}
