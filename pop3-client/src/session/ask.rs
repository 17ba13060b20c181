//! What a session can be asked for, behind the login and before it.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use pop3_proto::client::{Event, Tag};
use pop3_proto::command::{Command, MessageNumber};

use super::pump::{Step, nonsense};
use super::{Error, Refusal, Session};

/// What comes in answer to one of several commands.
#[derive(Debug)]
pub enum Part<'a> {
    /// A message begins; the server says that it has so many octets.
    Start(Option<u64>),
    /// Octets of it.
    Octets(&'a [u8]),
    /// The command succeeded; a message that began is whole.
    Whole,
    /// The server refused the command.
    Refused(Refusal),
}

impl Session {
    /// How many messages there are, and their octets.
    pub fn stat(&mut self) -> Result<(u64, u64), Error> {
        let mut found = None;
        self.ask(&Command::Stat, &mut |event| {
            if let Event::Stat {
                messages, octets, ..
            } = event
            {
                found = Some((messages, octets));
            }
        })?;
        found.ok_or_else(|| nonsense(&Command::Stat, b""))
    }

    /// The messages and their sizes; lines that make no sense are left out.
    pub fn sizes(&mut self) -> Result<BTreeMap<u32, u64>, Error> {
        let mut sizes = BTreeMap::new();
        self.ask(&Command::List(None), &mut |event| {
            if let Event::Size { number, octets, .. } = event {
                sizes.insert(number.0, octets);
            }
        })?;
        Ok(sizes)
    }

    /// The messages and their unique-ids; octets that may not stand in one are escaped, lines that make
    /// no sense left out, and so is a message that has two ids.
    pub fn unique_ids(&mut self) -> Result<BTreeMap<u32, String>, Error> {
        let mut ids = BTreeMap::new();
        let mut doubtful = Vec::new();
        self.ask(&Command::Uidl(None), &mut |event| {
            if let Event::UniqueId { number, id, .. } = event {
                let id = escaped(id);
                let before = ids.insert(number.0, id.clone());
                if before.is_some_and(|before| before != id) {
                    doubtful.push(number.0);
                }
            }
        })?;
        for number in doubtful {
            ids.remove(&number);
        }
        Ok(ids)
    }

    /// Sends a command that yields nothing but success.
    pub fn run(&mut self, command: &Command) -> Result<(), Error> {
        self.ask(command, &mut |_| {})
    }

    /// Sends commands whose answers are messages or nothing, several ahead where the server allows it,
    /// and hands on what comes: `take(position of the command, part)`. An error of `take` ends the
    /// session.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    pub fn run_all(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        take: &mut dyn FnMut(usize, Part<'_>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut commands = commands.into_iter().enumerate().peekable();
        let mut waiting: VecDeque<(Tag, usize)> = VecDeque::new();
        loop {
            while waiting.len() < self.window {
                let Some((position, command)) = commands.next() else {
                    break;
                };
                waiting.push_back((self.send(&command)?, position));
            }
            let Some(&(tag, position)) = waiting.front() else {
                return Ok(());
            };
            self.pump(&mut |event| {
                let (part, step) = match event {
                    Event::BodyStart { size, .. } => (Part::Start(size), Step::More),
                    Event::Body { bytes, .. } => (Part::Octets(bytes), Step::More),
                    Event::Done { tag: of, .. } if of == tag => (Part::Whole, Step::Enough),
                    Event::Refused {
                        tag: of,
                        code,
                        text,
                    } if of == tag => (Part::Refused(Refusal { code, text }), Step::Enough),
                    _ => return Ok(Step::More),
                };
                take(position, part).map_err(Error::Local)?;
                Ok(step)
            })?;
            waiting.pop_front();
        }
    }

    /// Reads a whole message, or its first lines.
    pub fn message(&mut self, number: u32, lines: Option<u64>) -> Result<Vec<u8>, Error> {
        let number = MessageNumber(number);
        let command = lines.map_or(Command::Retr(number), |lines| Command::Top(number, lines));
        let what = command.to_string();
        let mut message = Vec::new();
        let mut refused = None;
        self.run_all([command], &mut |_, part| {
            match part {
                Part::Octets(octets) => message.extend_from_slice(octets),
                Part::Refused(refusal) => refused = Some(refusal),
                Part::Start(_) | Part::Whole => {}
            }
            Ok(())
        })?;
        match refused {
            Some(refusal) => Err(Error::Refused { what, refusal }),
            None => Ok(message),
        }
    }

    /// Marks messages as deleted and says which of them the server refuses, and why. QUIT deletes.
    pub fn delete(&mut self, numbers: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
        let mut refused = BTreeMap::new();
        let commands = numbers
            .iter()
            .map(|number| Command::Dele(MessageNumber(*number)));
        self.run_all(commands, &mut |position, part| {
            if let (Part::Refused(refusal), Some(number)) = (part, numbers.get(position)) {
                refused.insert(*number, refusal.to_string());
            }
            Ok(())
        })?;
        Ok(refused)
    }

    /// Ends the session; the server removes what was marked, and says whether it did.
    pub fn quit(&mut self) -> Result<String, Error> {
        let tag = self.send(&Command::Quit)?;
        let mut answer = None;
        self.until(tag, &Command::Quit, &mut |event| {
            if let Event::Done { text, .. } = event {
                answer = Some(text);
            }
        })?;
        self.over = true;
        self.stream.close();
        Ok(answer.unwrap_or_default())
    }

    /// Asks for the capabilities (again); a server without CAPA has none.
    pub fn ask_capabilities(&mut self) -> Result<(), Error> {
        match self.run(&Command::Capa) {
            Err(Error::Refused { .. }) => Ok(()),
            other => other,
        }
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
