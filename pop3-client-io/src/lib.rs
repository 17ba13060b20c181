//! Fetch mail by POP3: blocking, on tokio, or on any runtime of futures-io.
//!
//! ```no_run
//! use pop3_client_io::{Endpoint, Identity, blocking::Session};
//!
//! let mut session = Session::connect(&Endpoint::new("pop.example.org"))?;
//! session.log_in(&Identity::password("alice", "secret"))?;
//! for (number, id) in session.unique_ids()? {
//!     let mut file = std::fs::File::create(format!("{id}.eml"))?;
//!     session.retrieve_to(number, &mut file)?;
//! }
//! session.quit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | feature | module | runtime |
//! |---|---|---|
//! | `blocking` (on by default) | `blocking` | none: threads that wait |
//! | `tokio` | `tokio` | tokio |
//! | `futures` | `futures` | smol and every other one, by async-io |
//!
//! The session, [`Session`], is the same on all of them; the module of a runtime has its way to connect
//! and what needs its own types. The protocol is [`pop3_proto::client`]'s, which does no I/O.
//!
//! # What it takes care of
//!
//! * **TLS** begins at once (port 995), or by STLS (port 110), see [`TlsMode`]. Certificates are verified; one
//!   can be pinned, or named by a file, see [`Trust`].
//! * **Logins**: the strongest way that both sides know (SASL PLAIN, LOGIN, CRAM-MD5, XOAUTH2, OAUTHBEARER;
//!   APOP, USER and PASS), and no password in clear over a network.
//! * **Pipelining** where the server announces it: [`Session::batch`].
//! * **Streaming**: a message is handed out piece by piece, [`Session::retrieve`], and takes the memory of a
//!   piece, whatever its size. It is whole only when its end has come.
//! * **Time**: a server that does nothing for [`Endpoint::patience`] ends the session.
//! * **Errors** name the thing, the cause and what may help.

mod ask;
mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod channel;
#[cfg(any(feature = "blocking", feature = "tokio", feature = "futures"))]
mod dial;
mod endpoint;
mod error;
#[cfg(feature = "futures")]
pub mod futures;
mod login;
#[cfg(any(feature = "tokio", feature = "futures"))]
mod race;
mod session;
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transcript;
mod transport;
mod words;

pub use batch::{Batch, Message, Part};
pub use endpoint::{Endpoint, TlsMode};
pub use error::{Error, Refusal};
pub use login::{Identity, Preference, SecretKind};
pub use peer_trust::Fingerprint;
pub use session::Session;
pub use tls::{TlsError, TlsFacts, Trust};
pub use transcript::Transcript;
pub use transport::Transport;
pub use words::Words;

/// The vocabulary of the protocol: commands, capabilities, ways to log in.
pub use pop3_proto;

/// The examples of the README are compiled.
#[cfg(all(doctest, feature = "blocking"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
