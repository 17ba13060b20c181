//! Where what is shared is kept. An engine answers batches of questions; it decides nothing and remembers nothing of its
//! own but a connection.

mod memory;
mod postgres;
mod redis;

use std::fmt;

use crate::ask::{Answer, Ask};
use crate::digest::Digest;
use crate::timing::Timing;

pub use memory::Memory;
pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;

/// Why a batch was not answered: the thing, the cause, the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    text: String,
    /// Waiting does not help: a person has to do something.
    pub(crate) lasting: bool,
}

impl Trouble {
    /// Trouble that may pass by itself.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            lasting: false,
        }
    }

    /// Trouble that needs a person.
    pub(crate) fn lasting(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            lasting: true,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What does not change from batch to batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    pub(crate) timing: Timing,
    pub(crate) check: Digest,
}

/// An engine. It lives in one thread and may block there; whoever waits for it does not wait for ever.
pub(crate) trait Engine: Send {
    /// Answers a batch: an answer to each question, in the same order. After an error it is not known which of them took
    /// place, and the connection is not used again.
    fn answer(&mut self, common: &Common, asks: &[Ask]) -> Result<Vec<Answer>, Trouble>;
}

#[cfg(test)]
mod tests;
