//! Messages as they come: one, or several that were asked for ahead.
//!
//! A piece of a message is handed out and forgotten, so that a message of any size takes the memory of a
//! piece. A message is whole only when its end has come.

use std::collections::VecDeque;
use std::iter::{Enumerate, Fuse};
use std::mem;

use pop3_proto::client::{Event, Tag};
use pop3_proto::command::Command;

use crate::error::{Error, Refusal};
use crate::session::{Session, end_of};
use crate::transport::Transport;

/// What comes in answer to one of several commands.
#[derive(Debug)]
pub enum Part<'a> {
    /// A message begins; the server says how many octets it has.
    Start(Option<u64>),
    /// Octets of it, without dot-stuffing, with the line ends that the server sent.
    Octets(&'a [u8]),
    /// The command succeeded; a message that began is whole.
    Whole,
    /// The server refused the command.
    Refused(Refusal),
}

/// Commands under way. When this is dropped, the rest of their answers is skipped.
pub struct Batch<'a, T, I: Iterator<Item = Command>> {
    session: &'a mut Session<T>,
    commands: Fuse<Enumerate<I>>,
    waiting: VecDeque<(Tag, usize)>,
}

/// What the machine said; octets are in the session.
enum Step {
    Start(Option<u64>),
    Octets,
    End(Result<String, Refusal>),
}

impl<'a, T: Transport, I: Iterator<Item = Command>> Batch<'a, T, I> {
    pub(crate) fn new(session: &'a mut Session<T>, commands: I) -> Self {
        Self {
            session,
            commands: commands.enumerate().fuse(),
            waiting: VecDeque::new(),
        }
    }

    /// What comes next, and for which of the commands; `None` when all are answered.
    ///
    /// # Errors
    ///
    /// The connection ends: a message that began is not whole.
    pub async fn next(&mut self) -> Result<Option<(usize, Part<'_>)>, Error> {
        while self.waiting.len() < self.session.window() {
            let Some((position, command)) = self.commands.next() else {
                break;
            };
            self.waiting
                .push_back((self.session.send(&command)?, position));
        }
        let Some(&(tag, position)) = self.waiting.front() else {
            return Ok(None);
        };
        let part = match step(self.session, tag).await? {
            Step::Start(size) => Part::Start(size),
            Step::Octets => Part::Octets(&self.session.piece),
            Step::End(end) => {
                self.waiting.pop_front();
                end.map_or_else(Part::Refused, |_| Part::Whole)
            }
        };
        Ok(Some((position, part)))
    }

    /// The caller cannot store what comes: the session ends.
    pub(crate) fn give_up(self) {
        self.session.give_up();
    }
}

/// A message that comes piece by piece.
///
/// Dropping it before its end leaves the session usable: the rest is skipped.
pub struct Message<'a, T> {
    session: &'a mut Session<T>,
    command: Command,
    tag: Tag,
    size: Option<u64>,
    whole: bool,
}

impl<'a, T: Transport> Message<'a, T> {
    pub(crate) fn ask(session: &'a mut Session<T>, command: Command) -> Result<Self, Error> {
        let tag = session.send(&command)?;
        Ok(Self {
            session,
            command,
            tag,
            size: None,
            whole: false,
        })
    }

    /// The octets that the server says there are, once a piece came: a hint, often wrong.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next octets, without dot-stuffing, with the line ends that the server sent; `None` when the
    /// message is whole.
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends before the message does: then what came must not be kept.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        while !self.whole {
            match step(self.session, self.tag).await? {
                Step::Start(size) => self.size = size,
                Step::Octets => return Ok(Some(&self.session.piece)),
                Step::End(Ok(_)) => self.whole = true,
                Step::End(Err(refusal)) => return Err(Error::refused(&self.command, refusal)),
            }
        }
        Ok(None)
    }

    /// All of it, in memory.
    ///
    /// # Errors
    ///
    /// See [`next`](Self::next).
    pub async fn octets(mut self) -> Result<Vec<u8>, Error> {
        let mut message = Vec::new();
        while let Some(octets) = self.next().await? {
            message.extend_from_slice(octets);
        }
        Ok(message)
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "of many events a few count here"
)]
async fn step<T: Transport>(session: &mut Session<T>, tag: Tag) -> Result<Step, Error> {
    // octets are lent only until the next event
    let mut piece = mem::take(&mut session.piece);
    piece.clear();
    let step = session.until_some(|event| match event {
        Event::BodyStart { tag: of, size } if of == tag => Some(Step::Start(size)),
        Event::Body { tag: of, bytes } if of == tag => {
            piece.extend_from_slice(bytes);
            Some(Step::Octets)
        }
        event => end_of(&event, tag).map(Step::End),
    });
    let step = step.await;
    session.piece = piece;
    step
}
