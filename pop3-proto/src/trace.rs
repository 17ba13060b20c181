//! One line of a dialogue as an operator may read it.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::server::{Policy, Session};
//! use pop3_proto::time::Time;
//! use pop3_proto::trace::Direction;
//!
//! let mut session = Session::new(Policy::default().into(), "", Time::ZERO);
//! session.record();
//! session.handle_input(Time::ZERO, b"USER tim\r\n");
//! let lines: Vec<_> = std::iter::from_fn(|| session.poll_trace()).collect();
//! assert_eq!(lines[1].direction, Direction::Received);
//! assert_eq!(lines[1].text, "USER tim");
//! ```

use alloc::string::String;
use core::fmt;

/// The direction of a [`Trace`] line, seen from the machine that reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The peer said it to this machine.
    Received,
    /// This machine said it to the peer.
    Sent,
}

/// One line of a dialogue, without its line end. The machine that knows the type of an
/// argument writes the line, so secrets are replaced by their kind (`PASS <password>`) and
/// message bodies by their size (`<1234 octets>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The direction.
    pub direction: Direction,
    /// What was said, printable.
    pub text: String,
}

/// The name of somebody who has not proven to be it, as logs and transcripts show it: up to its first space, for
/// what follows may be a password that was typed in the wrong place.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'n>(pub &'n str);

impl fmt::Display for Claimed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(' ') {
            Some((word, rest)) => write!(f, "{word} <{} octets>", rest.len()),
            None => f.write_str(self.0),
        }
    }
}
