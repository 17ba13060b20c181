//! The questions that a session can ask the server.

use std::collections::BTreeMap;
use std::io;

use pop3_proto::client::Event;
use pop3_proto::command::{Command, MessageNumber};

use crate::batch::{Batch, Message, Part};
use crate::error::Error;
use crate::session::{Session, end_of};
use crate::transport::Transport;

impl<T: Transport> Session<T> {
    /// How many messages there are, and their octets.
    ///
    /// # Errors
    ///
    /// The server refuses, its answer makes no sense, or the connection ends.
    pub async fn stat(&mut self) -> Result<(u64, u64), Error> {
        let mut found = None;
        self.ask(&Command::Stat, |event| {
            if let Event::Stat {
                messages, octets, ..
            } = event
            {
                found = Some((*messages, *octets));
            }
        })
        .await?;
        found.ok_or_else(|| nonsense(&Command::Stat, b""))
    }

    /// The messages and their sizes; lines that make no sense are left out.
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends.
    pub async fn sizes(&mut self) -> Result<BTreeMap<u32, u64>, Error> {
        let mut sizes = BTreeMap::new();
        self.ask(&Command::List(None), |event| {
            if let Event::Size { number, octets, .. } = event {
                sizes.insert(number.0, *octets);
            }
        })
        .await?;
        Ok(sizes)
    }

    /// The messages and their unique-ids; octets that an id must not have are escaped; lines that make
    /// no sense are left out, and so is a message with two ids.
    ///
    /// # Errors
    ///
    /// The server refuses (not every server knows UIDL), or the connection ends.
    pub async fn unique_ids(&mut self) -> Result<BTreeMap<u32, String>, Error> {
        let mut ids = BTreeMap::new();
        let mut doubtful = Vec::new();
        self.ask(&Command::Uidl(None), |event| {
            if let Event::UniqueId { number, id, .. } = event {
                let id = escaped(id);
                let before = ids.insert(number.0, id.clone());
                if before.is_some_and(|before| before != id) {
                    doubtful.push(number.0);
                }
            }
        })
        .await?;
        for number in doubtful {
            ids.remove(&number);
        }
        Ok(ids)
    }

    /// Sends a command whose only result is success.
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection ends.
    pub async fn run(&mut self, command: &Command) -> Result<(), Error> {
        self.ask(command, |_| {}).await.map(|_| ())
    }

    /// A whole message, piece by piece (RETR).
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn retrieve(&mut self, number: u32) -> Result<Message<'_, T>, Error> {
        Message::ask(self, Command::Retr(MessageNumber(number)))
    }

    /// The header of a message and its first lines, piece by piece (TOP).
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn top(&mut self, number: u32, lines: u64) -> Result<Message<'_, T>, Error> {
        Message::ask(self, Command::Top(MessageNumber(number), lines))
    }

    /// Sends commands whose answers are messages or nothing, several ahead where the server allows it.
    pub fn batch<I>(&mut self, commands: I) -> Batch<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = Command>,
    {
        Batch::new(self, commands.into_iter())
    }

    /// The same, and hands on what comes: `take(position of the command, part)`. An error of `take` ends
    /// the session.
    ///
    /// # Errors
    ///
    /// `take` fails, or the connection ends.
    pub async fn run_all<I>(
        &mut self,
        commands: I,
        mut take: impl FnMut(usize, Part<'_>) -> io::Result<()>,
    ) -> Result<(), Error>
    where
        I: IntoIterator<Item = Command>,
    {
        let mut batch = self.batch(commands);
        loop {
            let outcome = match batch.next().await? {
                Some((position, part)) => take(position, part),
                None => return Ok(()),
            };
            if let Err(error) = outcome {
                batch.give_up();
                return Err(Error::Local(error));
            }
        }
    }

    /// Marks messages as deleted; returns those that the server refuses, and why. QUIT deletes.
    ///
    /// # Errors
    ///
    /// The connection ends.
    pub async fn delete(&mut self, numbers: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
        let mut refused = BTreeMap::new();
        let commands = numbers
            .iter()
            .map(|number| Command::Dele(MessageNumber(*number)));
        self.run_all(commands, |position, part| {
            if let (Part::Refused(refusal), Some(number)) = (part, numbers.get(position)) {
                refused.insert(*number, refusal.to_string());
            }
            Ok(())
        })
        .await?;
        Ok(refused)
    }

    /// Ends the session. The server removes what was marked, and answers whether it did.
    ///
    /// # Errors
    ///
    /// The server refuses (some messages were not removed), or the connection ends before it answers, so that
    /// it is not known.
    pub async fn quit(&mut self) -> Result<String, Error> {
        let answer = self.ask(&Command::Quit, |_| {}).await?;
        self.close().await;
        Ok(answer)
    }

    /// Sends a command and waits for its end; `take` sees what comes before it.
    async fn ask(
        &mut self,
        command: &Command,
        mut take: impl FnMut(&Event<'_>),
    ) -> Result<String, Error> {
        let is_listing = matches!(command, Command::List(None) | Command::Uidl(None));
        let tag = self.send(command)?;
        let mut odd = None;
        let end = self
            .until_some(|event| {
                if let Event::Malformed { bytes, .. } = event
                    && !is_listing
                {
                    // one bad line of a listing must not hide the others (qB6)
                    odd = Some(nonsense(command, bytes));
                }
                take(&event);
                end_of(&event, tag)
            })
            .await?;
        match (end, odd) {
            (Err(refusal), _) => Err(Error::refused(command, refusal)),
            (Ok(_), Some(odd)) => Err(odd),
            (Ok(text), None) => Ok(text),
        }
    }
}

fn nonsense(command: &Command, line: &[u8]) -> Error {
    Error::Nonsense {
        what: command.to_string(),
        line: String::from_utf8_lossy(line).into_owned(),
    }
}

/// A unique-id as text; two ids never give the same text.
fn escaped(id: &[u8]) -> String {
    let mut text = String::with_capacity(id.len());
    for &octet in id {
        if octet.is_ascii_graphic() && octet != b'%' {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
    }
    text
}
