//! A mail store of your own: what its author writes, and what is there already.
//!
//! A store answers four questions, in blocking or in asynchronous code: may this user in, which messages
//! are there, what is in this one, and remove those. Everything else that POP3 needs is done here: the
//! adapters [`Blocking`](super::blocking::Blocking) and [`Awaiting`](super::awaiting::Awaiting) make a
//! [`Backend`](super::Backend) of it. This module holds what both have in common. Nothing here opens a
//! file, a socket or a thread: the adapters hand [`Job`](super::Job)s out, and the driver runs them.
//!
//! # A store in a few lines
//!
//! ```
//! use std::io;
//!
//! use pop3_proto::backend::blocking::{Mailbox, Store};
//! use pop3_proto::backend::store::{Entry, StoreError, message_size};
//! use pop3_proto::backend::{Index, Open};
//! use pop3_proto::secret::Secret;
//!
//! const NEWS: [&str; 2] = [
//!     "Subject: Monday\r\n\r\nAll quiet.\r\n",
//!     "Subject: Tuesday\r\n\r\nThe printer is back.\r\n",
//! ];
//!
//! struct News {
//!     password: Secret,
//! }
//!
//! impl Store for News {
//!     type Mailbox = Reader;
//!
//!     fn open(&self, open: &Open) -> Result<Reader, StoreError> {
//!         let known = open.login.user() == Some("reader");
//!         let proven = open.login.proves(&self.password);
//!         if known && proven { Ok(Reader) } else { Err(StoreError::Credentials) }
//!     }
//! }
//!
//! struct Reader;
//!
//! impl Mailbox for Reader {
//!     fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
//!         let entry = |text: &&str| {
//!             let unique_id = text.lines().next().unwrap_or_default().replace(' ', "");
//!             Ok(Entry { size: message_size(text.as_bytes())?, unique_id })
//!         };
//!         NEWS.iter().map(entry).collect()
//!     }
//!
//!     fn message(&mut self, index: Index) -> Result<Box<dyn io::Read + Send>, StoreError> {
//!         let text = NEWS.get(index.0 as usize).ok_or(StoreError::Missing)?;
//!         Ok(Box::new(text.as_bytes()))
//!     }
//!
//!     fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
//!         Err(StoreError::Permanent("the news stay".into()))
//!     }
//! }
//!
//! // A server crate does the rest. By hand, without any socket, it goes like this:
//! use pop3_proto::backend::blocking::Blocking;
//! use pop3_proto::backend::{Backend, Effect, Job, Outcome};
//! use pop3_proto::server::{Event, Policy, Session};
//! use pop3_proto::time::Time;
//!
//! let now = Time::ZERO;
//! let store = News { password: Secret::from(&b"a secret"[..]) };
//! let mut backend = Blocking::new(store.into());
//! let policy = Policy::default().clear_login(true);
//! let mut session = Session::new(policy.into(), "", now);
//! session.handle_input(now, b"USER reader\r\nPASS a secret\r\nLIST\r\nRETR 2\r\nQUIT\r\n");
//! let mut heard = Vec::new();
//! loop {
//!     heard.extend_from_slice(session.transmit());
//!     session.transmitted(now, session.transmit().len());
//!     if let Some(event) = session.poll_event() {
//!         match event {
//!             Event::Request(request) => backend.handle_request(now, request),
//!             Event::StartTls | Event::Close(_) => {}
//!         }
//!     } else if let Some(reply) = backend.poll_reply(now, session.body_room()) {
//!         session.handle_reply(now, reply);
//!     } else if let Some(Effect::Run(Job::Block(job))) = backend.poll_effect() {
//!         // a real driver does this on a thread where blocking is fine
//!         backend.handle_outcome(now, Outcome::Done(job()));
//!     } else {
//!         break;
//!     }
//! }
//! let heard = String::from_utf8_lossy(&heard);
//! assert!(heard.contains("\r\n1 31\r\n2 42\r\n.\r\n"));
//! assert!(heard.contains("\r\nSubject: Tuesday\r\n\r\nThe printer is back.\r\n.\r\n"));
//! ```
//!
//! # What the adapters promise a store
//!
//! * One call at a time for each mailbox, and never one while a message of it is being read.
//! * `remove` (or `update`) is called once at most, after the client said QUIT, with the messages that the
//!   client marked. A session that ends in any other way removes nothing. A read-only session removes
//!   nothing either.
//! * The list is taken after the maildrop was locked, and asked for once: numbers never shift.
//! * A message is read no faster than the client takes it: 64 KiB are asked for when the last 64 KiB are
//!   on their way.
//! * A call that runs when the client goes away is waited for, and its result thrown away.
//! * A call that panics loses what it was given: the mailbox, or the message that was being read. The
//!   driver reports it as [`Outcome::Lost`](super::Outcome::Lost), and everything asked of that mailbox
//!   from then on fails.
//!
//! A store that has to exchange SASL challenges with the client, or that wants to serve several requests
//! at once, is a [`Backend`](super::Backend) of its own instead.

use std::io;

use bytes::BytesMut;

use super::{Caller, Failure, FailureKind, Login, Refusal, RefusalKind};
use crate::secret::Secret;
use crate::stuffing::Stuffer;
use crate::{apop, sasl};

/// One message in a store's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Octets with CRLF line ends, before dot-stuffing: what [`message_size`] counts. Clients use it to
    /// show progress and to refuse what is too large; few insist on it.
    pub size: u64,
    /// The unique-id: 1 to 70 octets of 0x21 to 0x7E, the same in every session, unique in the maildrop
    /// and never used again for another message. [`unique_id::from_name`](crate::unique_id::from_name)
    /// makes one of any name.
    pub unique_id: String,
}

/// Why a store cannot do what it is asked.
///
/// The texts in it are for the operator's log only: the client never sees them. They hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The credentials are wrong, or the user does not exist: no answer tells which of the two.
    #[error("wrong credentials")]
    Credentials,
    /// The credentials are good, but another session holds the maildrop.
    #[error("the maildrop is in use")]
    InUse,
    /// The user logs in too often.
    #[error("too soon after the last login")]
    LoginDelay,
    /// This kind of login, or of access, is not available.
    #[error("not allowed: {0}")]
    Policy(String),
    /// It may work later by itself.
    #[error("{0}")]
    Temporary(String),
    /// Somebody has to do something about it.
    #[error("{0}")]
    Permanent(String),
    /// The message is not there any more.
    #[error("the message is gone")]
    Missing,
}

impl StoreError {
    /// The answer to a login.
    pub(super) fn into_login_answer(self) -> Result<Refusal, Failure> {
        let kind = match self {
            Self::Credentials => RefusalKind::Credentials,
            Self::InUse => RefusalKind::InUse,
            Self::LoginDelay => RefusalKind::LoginDelay,
            Self::Policy(_) => RefusalKind::Policy,
            Self::Temporary(_) | Self::Permanent(_) | Self::Missing => return Err(self.into()),
        };
        Ok(Refusal::new(kind, self.to_string()))
    }
}

impl From<StoreError> for Failure {
    /// After the login a refusal is a failure too.
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::InUse | StoreError::LoginDelay | StoreError::Temporary(_) => {
                FailureKind::Temporary
            }
            StoreError::Credentials | StoreError::Policy(_) | StoreError::Permanent(_) => {
                FailureKind::Permanent
            }
            StoreError::Missing => FailureKind::Missing,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<io::Error> for StoreError {
    /// What is not found is missing. What needs somebody to change rights, names or disks is permanent.
    /// All else is temporary.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "io::ErrorKind is non-exhaustive and long"
    )]
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidData
            | ErrorKind::Unsupported => Self::Permanent(error.to_string()),
            _ => Self::Temporary(error.to_string()),
        }
    }
}

impl Login {
    /// Whether this login proves that the client knows the secret: the password itself, or an APOP or
    /// CRAM-MD5 digest made with it. In constant time. A token and a relayed mechanism prove nothing here,
    /// and no login proves an empty secret.
    ///
    /// For a user that does not exist, check the login against some other secret, ignore the result
    /// and refuse: that takes as long.
    #[must_use]
    pub fn proves(&self, secret: &Secret) -> bool {
        let proven = match self {
            Self::Password { password, .. } => password == secret,
            Self::Apop {
                timestamp, digest, ..
            } => apop::verify(timestamp, secret, digest),
            Self::CramMd5 {
                challenge, digest, ..
            } => sasl::verify_cram_md5(challenge, secret, digest),
            Self::ActingFor { .. } | Self::Bearer { .. } | Self::Relay { .. } => false,
        };
        proven && !secret.is_empty()
    }
}

/// The octets of a message as they are counted in POP3: with CRLF for every bare LF, and one more at the
/// end if the last line lacks it. A bare CR is no line end. Reads the message to its end in little memory.
pub fn message_size(mut message: impl io::Read) -> io::Result<u64> {
    let mut stuffer = Stuffer::whole();
    let mut sent = BytesMut::new();
    let mut piece = [0; 8 * 1024];
    loop {
        match message.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => stuffer.stuff(&piece[..n], &mut sent),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sent.clear();
    }
    stuffer.finish(&mut sent);
    Ok(stuffer.octets())
}

/// The accounts of a store that holds only mail. One per store, shared by all sessions.
pub trait Accounts: Send + Sync + 'static {
    /// The name of the account that the login proves: the one under which its maildrop lies, whatever case
    /// or alias the client wrote. May block for as long as hashing a password takes, and may stop when the
    /// caller is gone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Credentials`] for a wrong secret and for an unknown user alike, and after the same
    /// time.
    fn check(&self, login: &Login, caller: &Caller) -> Result<String, StoreError>;
}

/// A list whose unique-ids are unique: some clients delete what they take for a repetition (P049).
pub(super) fn checked(entries: Vec<Entry>) -> Result<Vec<Entry>, StoreError> {
    let mut ids: Vec<&str> = entries.iter().map(|e| e.unique_id.as_str()).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(entries),
        Some(pair) => Err(StoreError::Permanent(format!(
            "two messages have the unique-id {:?}",
            pair[0]
        ))),
    }
}
