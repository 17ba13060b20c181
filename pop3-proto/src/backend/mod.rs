//! What a POP3 session asks of a mail store, and what it gets back: as data.
//!
//! [`Request`]s come out of a [`server::Session`](crate::server::Session) and go into a [`Backend`];
//! [`Reply`]s go the other way. A backend never does I/O either: it turns requests into bytes for an
//! upstream connection, or into [`Effect`]s that the driver carries out.
//!
//! # Order
//!
//! One request runs at a time, with these exceptions: [`Request::Cancel`] and [`Request::Abandon`] may
//! come at any time, and a further [`Request::Retrieve`] may come while one runs; its reply follows
//! after the reply to the first.
//!
//! | request | replies, in this order |
//! |---|---|
//! | [`Open`](Request::Open) | any number of `Challenge` (each answered by one `Answer`), `Authenticated`, any number of `Entry`, `Opened`; or `Refused` or `Failed` instead of what is left |
//! | [`Answer`](Request::Answer) | goes on with the `Open` |
//! | [`Retrieve`](Request::Retrieve) | `BodyStart`, any number of `Body`, `BodyEnd`; `BodyFailed` instead of what is left |
//! | [`Cancel`](Request::Cancel) | none; replies under the ticket that come after it are ignored |
//! | [`Update`](Request::Update) | `Updated`, `Kept` or `Failed`; the backend is finished after it |
//! | [`Abandon`](Request::Abandon) | none; the backend is finished after it |
//!
//! After `Refused` or `Failed` to an `Open` the backend is finished: a new login gets a new backend.
//! A finished backend says good-bye to its upstream, if it has one, and emits [`Effect::Disconnect`].
//!
//! To offer messages without writing a state machine, write a store: the module `store` (with the
//! feature `std`) shows how.
//!
//! A connection may outlive its session, for the next login with the same credential: [`waiting`]. A session may outlive
//! the token that opened it: [`renewal`].
//!
//! Backends of several kinds become one type in [`erased`]. A [`layer`] stands between a session and a mailbox
//! of any kind, and changes some of what passes.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::backend::blocking::Blocking;
//! use pop3_proto::backend::list::ListStore;
//! use pop3_proto::backend::{Backend, Effect, Job, Login, Open, Outcome, Request};
//! use pop3_proto::secret::Secret;
//! use pop3_proto::time::Time;
//!
//! // what a session asks, and what a store in memory answers
//! let mut store = ListStore::default();
//! store.add_account("tim", Secret::from(&b"tanstaaf"[..]));
//! store.deliver("tim", "Subject: hello\r\n");
//! let mut backend = Blocking::new(store.into());
//!
//! let login = Login::Password { user: "tim".into(), password: Secret::from(&b"tanstaaf"[..]) };
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
//! assert!(replies[1].starts_with("Entry { size: 16"));
//! assert_eq!(replies[2], "Opened { access: ReadWrite }");
//! ```

#[cfg(feature = "std")]
mod adapter;
#[cfg(feature = "std")]
pub mod awaiting;
#[cfg(feature = "std")]
pub mod blocking;
mod caller;
pub mod erased;
pub mod layer;
pub mod layered;
#[cfg(feature = "std")]
pub mod list;
mod login;
pub mod renewal;
mod said;
#[cfg(feature = "std")]
pub mod store;
pub mod waiting;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

pub use caller::{Caller, Presence, network};
pub use login::{Access, Login, Mechanism, Names, Open};

use crate::secret::Secret;
use crate::time::Time;
use crate::trace::Trace;
use waiting::{Parked, Waiting, Wanted};

/// Names a [`Request::Retrieve`] for as long as its replies can arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u32);

/// A message's place in the maildrop, counted from 0: the POP3 message number less one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub u32);

/// How much of a message the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The header, the blank line and this many lines of the body. A hint: a backend that sends more
    /// is cut short by the session, which counts; one that sends less has a shorter message.
    Top {
        /// Lines of the body.
        lines: u64,
    },
}

/// What a session asks of its backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Check the login and list the maildrop.
    Open(Open),
    /// The client's answer to the last [`Reply::Challenge`], decoded.
    Answer(Secret),
    /// Send a message.
    Retrieve {
        /// Names this request.
        ticket: Ticket,
        /// Which message.
        index: Index,
        /// How much of it.
        part: Part,
    },
    /// The rest of this message is not wanted.
    Cancel(Ticket),
    /// The client said QUIT: remove these messages, and nothing else.
    Update {
        /// The marked messages, ascending. May be empty.
        deleted: Vec<Index>,
        /// Messages that were sent whole with RETR, ascending: for stores that mark what was read.
        retrieved: Vec<Index>,
    },
    /// The session ends without QUIT, or the login was given up: change nothing.
    Abandon,
}

/// What a backend answers. It borrows from the backend, so that a body is copied once.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A SASL challenge, decoded; the client's answer comes as [`Request::Answer`].
    Challenge(&'a [u8]),
    /// The credentials are good. The composition takes the maildrop lock here.
    Authenticated,
    /// One message, in the order of the maildrop.
    Entry {
        /// Octets with CRLF line ends, before dot-stuffing.
        size: u64,
        /// The unique-id: 1 to 70 octets of 0x21 to 0x7E (RFC 1939 section 7).
        unique_id: &'a [u8],
    },
    /// The maildrop is listed and open.
    Opened {
        /// What the store allows; never more than was asked for.
        access: Access,
    },
    /// The login was refused.
    Refused(Refusal),
    /// The message is there and its octets follow.
    BodyStart {
        /// Which request.
        ticket: Ticket,
        /// How many octets follow, if that is certain.
        size: Option<u64>,
    },
    /// Octets of the message, raw: line ends as stored, not stuffed, cut anywhere, at most the room
    /// that was offered.
    Body {
        /// Which request.
        ticket: Ticket,
        /// The octets; not empty.
        bytes: &'a [u8],
    },
    /// The message, or the part of it that was asked for, is complete.
    BodyEnd {
        /// Which request.
        ticket: Ticket,
    },
    /// The message cannot be sent, or not to its end.
    BodyFailed {
        /// Which request.
        ticket: Ticket,
        /// Why.
        failure: Failure,
    },
    /// The marked messages are removed.
    Updated,
    /// The store keeps messages whatever the client deletes: nothing happened to the marked ones.
    Kept,
    /// An `Open` or an `Update` could not be carried out.
    Failed(Failure),
}

/// Why a login was refused although everything works. `detail` is for the operator's log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The class, which decides the response code.
    pub kind: RefusalKind,
    /// The store's own words, for the log. Never sent to the client, never holds a secret.
    pub detail: String,
}

/// The classes of [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// `[AUTH]`: the credentials are wrong, or the user does not exist.
    Credentials,
    /// `[IN-USE]`: the credentials are good, another session holds the maildrop.
    InUse,
    /// `[LOGIN-DELAY]`: too soon after the last login.
    LoginDelay,
    /// No code: this kind of login is not available here (mechanism, read-only access, policy).
    Policy,
}

/// Why something did not work. `detail` is for the operator's log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class, which decides the response code.
    pub kind: FailureKind,
    /// What happened in the store's own words, for the log. Never sent to the client, never holds a
    /// secret.
    pub detail: String,
    /// After how long it may work again, if the store says so. The client is told.
    pub retry_after: Option<Duration>,
}

/// The classes of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// `[SYS/TEMP]`: it may work later by itself.
    Temporary,
    /// `[SYS/PERM]`: somebody has to do something about it.
    Permanent,
    /// No code: the message is not there any more. Only for a message.
    Missing,
}

impl Refusal {
    /// A refusal of this class with its detail for the log.
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl Failure {
    /// A failure of this class with its detail for the log.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// It may work again after so long.
    #[must_use]
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }

    /// A temporary failure.
    pub fn temporary(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Temporary, detail)
    }

    /// A permanent failure.
    pub fn permanent(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Permanent, detail)
    }
}

/// Something for the operator's log although nothing failed, or although the client has gone. Never
/// sent to the client, never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub weight: NoteWeight,
    /// The text, printable.
    pub text: String,
}

/// The classes of [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteWeight {
    /// Good to know.
    Information,
    /// Somebody should look at it.
    Warning,
}

impl Note {
    /// A note that is good to know.
    pub fn information(text: impl Into<String>) -> Self {
        Self {
            weight: NoteWeight::Information,
            text: text.into(),
        }
    }

    /// A note that somebody should look at.
    pub fn warning(text: impl Into<String>) -> Self {
        Self {
            weight: NoteWeight::Warning,
            text: text.into(),
        }
    }
}

/// Where an upstream connection goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A host name or an IP address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What a backend asks of its driver.
pub enum Effect<D> {
    /// Open a TCP connection: answered by [`Outcome::Connected`] or [`Outcome::Lost`]. Replaces the
    /// connection that was there.
    Connect(Endpoint),
    /// Take the connection that waits under this claim: answered by [`Outcome::Resumed`] at once. If none does, this is
    /// [`Connect`](Self::Connect).
    Resume(Box<Wanted>),
    /// Put the connection aside for the next login, in the place of closing it. Everything is sent. Not answered.
    Park(Box<Parked>),
    /// Start a TLS handshake on the connection: answered by [`Outcome::TlsReady`] or
    /// [`Outcome::Lost`]. The backend has nothing to transmit until then.
    StartTls {
        /// The name that the certificate must prove.
        server_name: String,
    },
    /// Close the connection once [`Backend::transmit`] is empty. Not answered.
    Disconnect,
    /// Run a job and bring back what it yields as [`Outcome::Done`]. One at a time.
    Run(Job<D>),
}

impl<D> fmt::Debug for Effect<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(endpoint) => f.debug_tuple("Connect").field(endpoint).finish(),
            Self::Resume(wanted) => f.debug_tuple("Resume").field(&wanted.claim).finish(),
            Self::Park(parked) => f.debug_tuple("Park").field(&parked.claim).finish(),
            Self::StartTls { server_name } => f.debug_tuple("StartTls").field(server_name).finish(),
            Self::Disconnect => f.write_str("Disconnect"),
            Self::Run(_) => f.write_str("Run"),
        }
    }
}

/// Work that a backend cannot do itself, because it blocks or waits.
pub enum Job<D> {
    /// Blocks its thread.
    Block(Box<dyn FnOnce() -> D + Send>),
    /// Waits.
    Await(Pin<Box<dyn Future<Output = D> + Send>>),
}

/// What came of an [`Effect`], or happened to the upstream connection.
pub enum Outcome<D> {
    /// The TCP connection is made.
    Connected,
    /// A connection that waited is there again, with what kept it in order.
    Resumed(Box<dyn Waiting>),
    /// The TLS handshake succeeded and the certificate was verified.
    TlsReady,
    /// The job's result.
    Done(D),
    /// The connection could not be made, or is gone (end of stream, reset, bad certificate). What was
    /// received before has been delivered.
    Lost(Failure),
}

impl<D: fmt::Debug> fmt::Debug for Outcome<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("Connected"),
            Self::Resumed(_) => f.write_str("Resumed"),
            Self::TlsReady => f.write_str("TlsReady"),
            Self::Done(done) => f.debug_tuple("Done").field(done).finish(),
            Self::Lost(failure) => f.debug_tuple("Lost").field(failure).finish(),
        }
    }
}

/// A mail store as a state machine. See the [module](self) for the order of things.
///
/// After any call of a `handle_*` method, [`received`](Self::received) or
/// [`transmitted`](Self::transmitted): poll replies while the session has room, then poll effects until
/// `None`, send what [`transmit`](Self::transmit) shows, and ask for the next deadline. Keep to this
/// order: a backend that is polled for a reply and has none may begin something instead.
pub trait Backend: Send {
    /// What its jobs yield; `()` where there are none.
    type Done: Send + 'static;

    /// Takes a request from the session.
    fn handle_request(&mut self, now: Time, request: Request);

    /// Takes what came of an effect.
    fn handle_outcome(&mut self, now: Time, outcome: Outcome<Self::Done>);

    /// The deadline of [`poll_timeout`](Self::poll_timeout) has passed.
    fn handle_timeout(&mut self, now: Time);

    /// The next reply, a body piece of at most `room` octets. With a `room` of 0 no body piece comes
    /// out; all other replies do. The reply counts as taken at `now`: after it the upstream may have to
    /// answer.
    fn poll_reply(&mut self, now: Time, room: usize) -> Option<Reply<'_>>;

    /// The next effect to carry out.
    fn poll_effect(&mut self) -> Option<Effect<Self::Done>>;

    /// The next moment at which [`handle_timeout`](Self::handle_timeout) wants to be called.
    fn poll_timeout(&self) -> Option<Time>;

    /// Which maildrop the login opened, where only the store knows: for an alias, or a name in another case.
    /// Asked at [`Reply::Authenticated`]; the maildrop is then locked under this name instead of the
    /// client's.
    fn maildrop(&self) -> Option<String> {
        None
    }

    /// Room for bytes from the upstream connection. Empty means: do not read now.
    fn recv_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    /// `n` bytes were written to the front of [`recv_buf`](Self::recv_buf).
    #[expect(unused_variables, reason = "there is no upstream connection")]
    fn received(&mut self, now: Time, n: usize) {}

    /// Bytes for the upstream connection. Empty means: nothing to send.
    fn transmit(&self) -> &[u8] {
        &[]
    }

    /// The first `n` bytes of [`transmit`](Self::transmit) were sent.
    #[expect(unused_variables, reason = "there is no upstream connection")]
    fn transmitted(&mut self, now: Time, n: usize) {}

    /// Switches the recording of [`Trace`] lines on. Off from the start.
    fn record(&mut self) {}

    /// The next note for the operator's log. Ask for it after every other call, and once more
    /// after [`Request::Abandon`].
    fn poll_note(&mut self) -> Option<Note> {
        None
    }

    /// The next recorded line of the dialogue with the upstream.
    fn poll_trace(&mut self) -> Option<Trace> {
        None
    }
}
