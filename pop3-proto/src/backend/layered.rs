//! The machine that makes one backend of a layer and what it stands around.
//!
//! Owns the order of things between the two: whose job runs, which of them has the connection, when the
//! session is over. It never looks at what is asked or answered beyond that.

use alloc::boxed::Box;
use alloc::string::String;
use core::{fmt, mem};

use super::erased::{AnyDone, pass_on};
use super::layer::{Act, Desk, Layer, Owner, Turn};
use super::{Backend, Effect, Note, Outcome, Reply, Request};
use crate::time::Time;
use crate::trace::Trace;

/// A backend within a layer.
pub struct Layered<L, B> {
    layer: L,
    within: B,
    /// There only while something waits: most sessions wait for the client.
    desk: Option<Box<Desk<B>>>,
    /// Whose job runs.
    running: Option<Owner>,
    stage: Stage,
    /// The backend within has asked for a connection and not ended it.
    connected: bool,
    /// A connection is to be closed that nothing uses any more.
    disconnects: bool,
    records: bool,
    /// The session has abandoned it, or has its last reply.
    over: bool,
}

/// What the backend within has done so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    Open,
    Finished,
}

impl<L: Layer<B>, B: Backend<Done = AnyDone>> Layered<L, B> {
    /// This layer around this backend, which was asked nothing yet.
    pub fn new(layer: L, within: B) -> Self {
        Self {
            layer,
            within,
            desk: None,
            running: None,
            stage: Stage::Fresh,
            connected: false,
            disconnects: false,
            records: false,
            over: false,
        }
    }

    /// The layer's turn, and what it wants done.
    fn call<T>(
        &mut self,
        now: Time,
        call: impl FnOnce(&mut L, &mut Turn<'_, B, L::Done>) -> T,
    ) -> T {
        let told = call(&mut self.layer, &mut Turn::new(now, &mut self.desk));
        self.settle(now);
        told
    }

    /// Does to the backend within what the layer wants done.
    fn settle(&mut self, now: Time) {
        while let Some(act) = self.desk.as_mut().and_then(|desk| desk.acts.pop_front()) {
            match act {
                Act::Ask(_) | Act::Replace(_) if self.over => {}
                Act::Ask(request) => self.ask(now, request),
                Act::Replace(backend) => self.replace(backend),
            }
        }
    }

    fn ask(&mut self, now: Time, request: Request) {
        match &request {
            Request::Open(_) => self.stage = Stage::Open,
            Request::Abandon => self.stage = Stage::Finished,
            Request::Answer(_)
            | Request::Retrieve { .. }
            | Request::Cancel(_)
            | Request::Update { .. } => {}
        }
        self.within.handle_request(now, request);
    }

    fn replace(&mut self, backend: B) {
        self.within = backend;
        if self.records {
            self.within.record();
        }
        self.stage = Stage::Fresh;
        self.disconnects |= mem::take(&mut self.connected);
        if self.running == Some(Owner::Within) {
            self.running = Some(Owner::Gone);
        }
        if let Some(desk) = &mut self.desk {
            desk.jobs.retain(|(owner, _)| *owner != Owner::Within);
        }
    }

    /// Drops everything that the layer has begun.
    fn end(&mut self) {
        self.over = true;
        if let Some(desk) = &mut self.desk {
            desk.acts.clear();
            desk.replies.clear();
            desk.jobs.retain(|(owner, _)| *owner == Owner::Within);
        }
    }

    /// Whether no job runs or waits.
    fn is_idle(&self) -> bool {
        let desk = self.desk.as_ref();
        self.running.is_none() && desk.is_none_or(|desk| desk.jobs.is_empty())
    }

    fn hears(&self) -> bool {
        !self.over && self.layer.hears()
    }

    fn has_replies(&self) -> bool {
        let desk = self.desk.as_ref();
        desk.is_some_and(|desk| !desk.replies.is_empty())
    }

    /// The next reply on its way to the session.
    fn next_reply(&mut self, now: Time, room: usize) -> Option<Reply<'_>> {
        if self.desk.as_ref()?.replies.next_is_last() {
            if self.stage == Stage::Open {
                self.ask(now, Request::Abandon);
            }
            self.over = true;
        }
        self.desk.as_mut()?.replies.pop(room)
    }

    /// Shows the layer the replies of the backend within until one of them passes.
    fn hear(&mut self, now: Time) {
        while self.hears() && !self.has_replies() {
            // without room none of them is a piece of a body, so nothing stays borrowed
            let Some(reply) = self.within.poll_reply(now, 0) else {
                return;
            };
            if is_last(&reply) {
                self.stage = Stage::Finished;
            }
            let mut turn = Turn::new(now, &mut self.desk);
            if let Some(reply) = self.layer.reply(&mut turn, reply) {
                turn.say(reply);
            }
            self.settle(now);
        }
    }
}

/// Whether a backend is finished with this.
fn is_last(reply: &Reply<'_>) -> bool {
    match reply {
        Reply::Refused(_) | Reply::Updated | Reply::Kept | Reply::Failed(_) => true,
        Reply::Challenge(_)
        | Reply::Authenticated
        | Reply::Entry { .. }
        | Reply::Opened { .. }
        | Reply::BodyStart { .. }
        | Reply::Body { .. }
        | Reply::BodyEnd { .. }
        | Reply::BodyFailed { .. } => false,
    }
}

impl<L: Layer<B>, B: Backend<Done = AnyDone>> Backend for Layered<L, B> {
    type Done = AnyDone;

    fn handle_request(&mut self, now: Time, request: Request) {
        if self.over {
            return;
        }
        let leaves = request == Request::Abandon;
        let passed = self.call(now, |layer, turn| layer.request(turn, request));
        if leaves {
            self.end();
            if self.stage != Stage::Finished {
                self.ask(now, Request::Abandon);
            }
        } else if let Some(request) = passed {
            self.ask(now, request);
        }
    }

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<AnyDone>) {
        match outcome {
            Outcome::Connected | Outcome::Resumed(_) | Outcome::TlsReady => {
                self.within.handle_outcome(now, outcome);
            }
            Outcome::Done(done) => match self.running.take() {
                Some(Owner::Within) | None => {
                    self.within.handle_outcome(now, Outcome::Done(done));
                }
                Some(Owner::Gone) => {}
                Some(Owner::Layer) if self.over => {}
                Some(Owner::Layer) => match done.read() {
                    Ok(done) => self.call(now, |layer, turn| layer.done(turn, done)),
                    Err(failure) => self.call(now, |layer, turn| layer.lost(turn, failure)),
                },
            },
            Outcome::Lost(failure) => {
                let owner = self.running.take();
                let connected = mem::take(&mut self.connected);
                match owner {
                    Some(Owner::Layer | Owner::Gone) if !connected => {}
                    Some(Owner::Layer | Owner::Gone | Owner::Within) | None => {
                        let lost = Outcome::Lost(failure.clone());
                        self.within.handle_outcome(now, lost);
                    }
                }
                if owner == Some(Owner::Layer) && !self.over {
                    self.call(now, |layer, turn| layer.lost(turn, failure));
                }
            }
        }
    }

    fn poll_reply(&mut self, now: Time, room: usize) -> Option<Reply<'_>> {
        self.hear(now);
        if self.has_replies() {
            return self.next_reply(now, room);
        }
        if room == 0 && self.hears() {
            return None;
        }
        if self.desk.as_ref().is_some_and(|desk| desk.is_empty()) {
            self.desk = None;
        }
        self.within.poll_reply(now, room)
    }

    fn poll_effect(&mut self) -> Option<Effect<AnyDone>> {
        if mem::take(&mut self.disconnects) {
            return Some(Effect::Disconnect);
        }
        while let Some(effect) = self.within.poll_effect() {
            match effect {
                Effect::Connect(_) | Effect::Resume(_) => self.connected = true,
                Effect::Disconnect => self.connected = false,
                Effect::Park(mut parked) => {
                    self.connected = false;
                    parked.kept = parked.kept.or_else(|| self.layer.parks());
                    return Some(Effect::Park(parked));
                }
                Effect::StartTls { .. } => {}
                Effect::Run(_) if self.is_idle() => self.running = Some(Owner::Within),
                Effect::Run(job) => {
                    let desk = self.desk.get_or_insert_default();
                    desk.jobs.push_back((Owner::Within, job));
                    continue;
                }
            }
            return Some(effect);
        }
        if self.running.is_some() {
            return None;
        }
        let (owner, job) = self.desk.as_mut()?.jobs.pop_front()?;
        self.running = Some(owner);
        Some(Effect::Run(job))
    }

    fn maildrop(&self) -> Option<String> {
        self.layer.maildrop(self.within.maildrop())
    }

    fn record(&mut self) {
        self.records = true;
        self.within.record();
    }

    fn poll_note(&mut self) -> Option<Note> {
        if let Some(note) = self.desk.as_mut().and_then(|desk| desk.notes.pop_front()) {
            return Some(note);
        }
        while let Some(note) = self.within.poll_note() {
            if let Some(note) = self.layer.note(note) {
                return Some(note);
            }
        }
        None
    }

    pass_on!(self to self.within);
}

impl<L: fmt::Debug, B> fmt::Debug for Layered<L, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered")
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}
