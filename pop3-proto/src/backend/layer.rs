//! A backend around a backend.
//!
//! Owns what a layer is and may do; [`Layered`](super::layered::Layered) makes a backend of one and what it
//! stands around. A layer never sees the upstream connection nor the octets of a message: those pass by it,
//! uncopied.
//!
//! A layer stands between a session and a mailbox and changes what it wants to change. What it leaves out
//! passes as if it were not there. It may
//!
//! * change a request, or keep it for now: [`Layer::request`];
//! * change a reply, or keep it back: [`Layer::reply`]. An entry of the listing can get another unique-id;
//! * run a job of its own before a request goes on: [`Turn::run`], then [`Turn::ask`];
//! * answer in the place of the backend within: [`Turn::say`];
//! * put a new backend in the place of the one within, and ask it again: [`Turn::replace`].
//!
//! # Order
//!
//! `Layered::new(outer, Layered::new(inner, backend))`: requests come to the outer layer first, replies to
//! the inner one. What a layer itself says or asks goes on from its own place.
//!
//! # Examples
//!
//! A layer that fetches a token before the login goes on, and another one if the first is refused:
//!
//! ```
//! use std::sync::Arc;
//!
//! use pop3_proto::backend::blocking::Blocking;
//! use pop3_proto::backend::erased::{AnyBackend, Erased};
//! use pop3_proto::backend::layer::{Layer, Turn};
//! use pop3_proto::backend::layered::Layered;
//! use pop3_proto::backend::list::ListStore;
//! use pop3_proto::backend::{
//!     Access, Backend, Caller, Effect, Failure, Job, Login, Mechanism, Open, Outcome, Reply, Request,
//! };
//! use pop3_proto::secret::Secret;
//! use pop3_proto::time::Time;
//!
//! struct Token {
//!     store: Arc<ListStore>,
//!     /// Kept while the job runs, and for another try.
//!     open: Option<Open>,
//!     tries: u32,
//! }
//!
//! impl Token {
//!     fn fetch(&mut self, turn: &mut Turn<'_, AnyBackend, Secret>) {
//!         self.tries += 1;
//!         let token = if self.tries == 1 { "out of date" } else { "a token" };
//!         turn.run(Job::Block(Box::new(move || Secret::from(token.as_bytes()))));
//!     }
//! }
//!
//! impl Layer<AnyBackend> for Token {
//!     type Done = Secret;
//!
//!     fn request(
//!         &mut self,
//!         turn: &mut Turn<'_, AnyBackend, Secret>,
//!         request: Request,
//!     ) -> Option<Request> {
//!         let Request::Open(open) = request else {
//!             return Some(request);
//!         };
//!         self.open = Some(open);
//!         self.fetch(turn);
//!         None
//!     }
//!
//!     fn done(&mut self, turn: &mut Turn<'_, AnyBackend, Secret>, token: Secret) {
//!         if let Some(mut open) = self.open.clone() {
//!             let user = open.login.user().unwrap_or_default().into();
//!             open.login = Login::Password { user, password: token };
//!             turn.ask(Request::Open(open));
//!         }
//!     }
//!
//!     fn reply<'r>(
//!         &'r mut self,
//!         turn: &mut Turn<'_, AnyBackend, Secret>,
//!         reply: Reply<'r>,
//!     ) -> Option<Reply<'r>> {
//!         if !matches!(reply, Reply::Refused(_)) || self.tries > 1 {
//!             return Some(reply);
//!         }
//!         turn.replace(Erased::boxed(Blocking::new(Arc::clone(&self.store))));
//!         self.fetch(turn);
//!         None
//!     }
//! }
//!
//! let mut store = ListStore::default();
//! store.add_account("tim", Secret::from(&b"a token"[..]));
//! let store = Arc::new(store);
//! let inner = Erased::boxed(Blocking::new(Arc::clone(&store)));
//! let mut backend = Layered::new(Token { store, open: None, tries: 0 }, inner);
//!
//! let login = Login::Password { user: "tim".into(), password: Secret::default() };
//! backend.handle_request(Time::ZERO, Request::Open(Open::new(login)));
//! let mut replies = Vec::new();
//! loop {
//!     if let Some(reply) = backend.poll_reply(Time::ZERO, usize::MAX) {
//!         replies.push(format!("{reply:?}"));
//!     } else if let Some(Effect::Run(Job::Block(job))) = backend.poll_effect() {
//!         backend.handle_outcome(Time::ZERO, Outcome::Done(job()));
//!     } else {
//!         break;
//!     }
//! }
//! assert_eq!(replies, ["Authenticated", "Opened { access: ReadWrite }"]);
//! ```

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::marker::PhantomData;

use super::erased::AnyDone;
use super::said::Replies;
use super::{Failure, Job, Note, Reply, Request};
use crate::time::Time;

/// What stands between a session and a backend of the type `B`. See the [module](self) for what it may do.
///
/// Every method has a default that changes nothing.
pub trait Layer<B>: Send {
    /// What its own jobs bring back; `()` where it has none.
    type Done: Send + 'static;

    /// The session, or the layer around this one, asks something. The returned request goes to the
    /// backend within. [`Request::Abandon`] always goes there, and after it the layer is not called
    /// any more.
    #[expect(unused_variables, reason = "nothing is done")]
    fn request(&mut self, turn: &mut Turn<'_, B, Self::Done>, request: Request) -> Option<Request> {
        Some(request)
    }

    /// The backend within answers, with anything but [`Reply::Body`]. The returned reply goes on to
    /// the session, after what the layer [says](Turn::say) in this call.
    #[expect(unused_variables, reason = "nothing is done")]
    fn reply<'r>(
        &'r mut self,
        turn: &mut Turn<'_, B, Self::Done>,
        reply: Reply<'r>,
    ) -> Option<Reply<'r>> {
        Some(reply)
    }

    /// Whether [`reply`](Self::reply) is to be called. A layer that wants no replies, or none from now on,
    /// says `false`: then they pass without being looked at, and cost nothing.
    fn hears(&self) -> bool {
        true
    }

    /// A job of the layer's own is done.
    #[expect(unused_variables, reason = "nothing is done")]
    fn done(&mut self, turn: &mut Turn<'_, B, Self::Done>, done: Self::Done) {}

    /// A job of the layer's own will never be done. By default the session is answered that its
    /// request failed.
    fn lost(&mut self, turn: &mut Turn<'_, B, Self::Done>, failure: Failure) {
        turn.say(Reply::Failed(failure));
    }

    /// The backend within has a note for the operator. The returned note goes on.
    fn note(&mut self, note: Note) -> Option<Note> {
        Some(note)
    }

    /// The connection of the backend within is put aside for the next login. What is returned is dropped when it waits no
    /// longer; the layer closest to the backend decides.
    fn parks(&mut self) -> Option<Box<dyn Any + Send>> {
        None
    }

    /// The name under which the maildrop is locked, made from the one that the backend within gives.
    fn maildrop(&self, within: Option<String>) -> Option<String> {
        within
    }
}

/// A layer that may be there or not.
impl<B, L: Layer<B>> Layer<B> for Option<L> {
    type Done = L::Done;

    fn request(&mut self, turn: &mut Turn<'_, B, L::Done>, request: Request) -> Option<Request> {
        match self {
            Some(layer) => layer.request(turn, request),
            None => Some(request),
        }
    }

    fn reply<'r>(
        &'r mut self,
        turn: &mut Turn<'_, B, L::Done>,
        reply: Reply<'r>,
    ) -> Option<Reply<'r>> {
        match self {
            Some(layer) => layer.reply(turn, reply),
            None => Some(reply),
        }
    }

    fn hears(&self) -> bool {
        self.as_ref().is_some_and(Layer::hears)
    }

    fn done(&mut self, turn: &mut Turn<'_, B, L::Done>, done: L::Done) {
        if let Some(layer) = self {
            layer.done(turn, done);
        }
    }

    fn lost(&mut self, turn: &mut Turn<'_, B, L::Done>, failure: Failure) {
        if let Some(layer) = self {
            layer.lost(turn, failure);
        }
    }

    fn note(&mut self, note: Note) -> Option<Note> {
        match self {
            Some(layer) => layer.note(note),
            None => Some(note),
        }
    }

    fn parks(&mut self) -> Option<Box<dyn Any + Send>> {
        self.as_mut()?.parks()
    }

    fn maildrop(&self, within: Option<String>) -> Option<String> {
        match self {
            Some(layer) => layer.maildrop(within),
            None => within,
        }
    }
}

/// What a layer can do while it is called. The actions are carried out in their order once the call is
/// over.
pub struct Turn<'a, B, D> {
    now: Time,
    desk: &'a mut Option<Box<Desk<B>>>,
    done: PhantomData<fn() -> D>,
}

impl<'a, B, D: Send + 'static> Turn<'a, B, D> {
    pub(super) fn new(now: Time, desk: &'a mut Option<Box<Desk<B>>>) -> Self {
        let done = PhantomData;
        Self { now, desk, done }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Asks the backend within.
    pub fn ask(&mut self, request: Request) {
        self.desk().acts.push_back(Act::Ask(request));
    }

    /// Answers the session in the place of the backend within, which is
    /// [abandoned](Request::Abandon) if that ends the session.
    pub fn say(&mut self, reply: Reply<'_>) {
        self.desk().replies.push(reply);
    }

    /// Runs a job, once no other one runs; [`Layer::done`] or [`Layer::lost`] is called after it. If
    /// the backend's connection is lost meanwhile, the job counts as lost.
    pub fn run(&mut self, job: Job<D>) {
        let job = AnyDone::of_job(job);
        self.desk().jobs.push_back((Owner::Layer, job));
    }

    /// Puts a backend that was asked nothing yet in the place of the one within, which is dropped with its
    /// connection.
    pub fn replace(&mut self, backend: B) {
        self.desk().acts.push_back(Act::Replace(backend));
    }

    /// Leaves a note for the operator.
    pub fn note(&mut self, note: Note) {
        self.desk().notes.push_back(note);
    }

    fn desk(&mut self) -> &mut Desk<B> {
        self.desk.get_or_insert_default()
    }
}

impl<B, D> fmt::Debug for Turn<'_, B, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = &self.now;
        f.debug_struct("Turn")
            .field("now", now)
            .finish_non_exhaustive()
    }
}

/// What waits to be done for a layer.
pub(super) struct Desk<B> {
    pub(super) acts: VecDeque<Act<B>>,
    pub(super) replies: Replies,
    pub(super) jobs: VecDeque<(Owner, Job<AnyDone>)>,
    pub(super) notes: VecDeque<Note>,
}

/// What is done to the backend within.
pub(super) enum Act<B> {
    Ask(Request),
    Replace(B),
}

/// Whose job it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Layer,
    Within,
    /// A backend that was replaced.
    Gone,
}

impl<B> Default for Desk<B> {
    fn default() -> Self {
        Self {
            acts: VecDeque::new(),
            replies: Replies::default(),
            jobs: VecDeque::new(),
            notes: VecDeque::new(),
        }
    }
}

impl<B> Desk<B> {
    pub(super) fn is_empty(&self) -> bool {
        self.acts.is_empty()
            && self.replies.is_empty()
            && self.jobs.is_empty()
            && self.notes.is_empty()
    }
}
