//! A POP3 server session as a state machine: no socket, no clock, no thread.
//!
//! Octets, replies and time go in; octets, events and a deadline come out.
//!
//! ```text
//! loop {
//!     feed what arrived:    handle_input (at most input_room octets), handle_reply, handle_timeout, …
//!     until nothing moves:  poll_event → carry out; Backend::poll_reply(now, body_room) → handle_reply
//!     send transmit(),      report transmitted(n)
//!     wait for the socket, the backend or poll_timeout()
//! }
//! ```
//!
//! Every method that changes something ends in the same private step, which runs as many commands as
//! there is input and room for. Commands run one at a time, in order; pipelined ones wait in the bounded
//! input. Output is bounded too: when the client does not read, [`input_room`](Session::input_room) and
//! [`body_room`](Session::body_room) fall to zero, and back-pressure reaches the sockets.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::server::{Policy, Session};
//! use pop3_proto::time::Time;
//!
//! let policy = Policy::default().implementation(None);
//! let mut session = Session::new(policy.into(), "", Time::ZERO);
//! session.handle_input(Time::ZERO, b"QUIT\r\n");
//! assert_eq!(session.transmit(), b"+OK POP3 server ready\r\n+OK bye\r\n");
//! ```

mod event;
mod maildrop;
mod offer;
mod phase;
mod policy;
mod session;
mod standing;
mod state;

pub use event::{Event, Reason, Summary, TlsInfo};
pub use policy::{Expire, Policy, ReadOnly, TlsOffer};
pub use session::Session;
