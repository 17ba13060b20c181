//! The console: one mailbox, one line at a time.
//!
//! It owns the session and what the user has marked; it speaks to a [`Terminal`], which can also be a
//! test. Text from the server is made harmless before it is printed.

mod act;
mod command;
mod editor;
mod keeper;
mod list;
mod page;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

pub use command::NAMES;
pub use editor::Editor;

use crate::account::Access;
use crate::listing::Line;
use crate::text;
use command::Command;
use keeper::Keeper;
use pop3_client_io::Error;
use pop3_client_io::blocking::Session;

/// The user who types and reads.
pub trait Terminal {
    /// Asks for a line; `words` are what may be completed.
    fn read_line(&mut self, prompt: &str, words: &Words) -> io::Result<Input>;
    /// Asks a question whose answer is not a command.
    fn ask(&mut self, question: &str) -> io::Result<Input>;
    /// Shows a text that is harmless already.
    fn print(&mut self, text: &str) -> io::Result<()>;
    /// Columns and rows; `None` if pages are not turned.
    fn size(&self) -> Option<(usize, usize)>;
    /// Shows a text of several screens in the user's pager; returns whether there is one.
    fn page(&mut self, _text: &str) -> io::Result<bool> {
        Ok(false)
    }
}

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A line.
    Line(String),
    /// The user gave the line up (Ctrl-C).
    Interrupted,
    /// Nothing more comes (Ctrl-D).
    End,
}

/// What may be completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The messages that exist.
    pub numbers: Vec<u32>,
}

/// How the console behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// How long the session may be idle before a NOOP shows the server that we are still there.
    pub keep_alive: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            // some servers log out after five minutes, below what RFC 1939 allows them
            keep_alive: Duration::from_secs(4 * 60),
        }
    }
}

/// Runs the console until the user leaves.
pub fn run(access: Access, terminal: &mut dyn Terminal, manners: Manners) -> Result<(), Error> {
    let mut console = Console {
        access,
        terminal,
        keeper: Keeper::new(manners.keep_alive),
        sizes: BTreeMap::new(),
        known: BTreeMap::new(),
        marked: BTreeSet::new(),
        current: 0,
        words: Words::default(),
    };
    console.open()?;
    console.converse()
}

struct Console<'a> {
    access: Access,
    terminal: &'a mut dyn Terminal,
    keeper: Keeper,
    /// Of all messages, including marked ones.
    sizes: BTreeMap<u32, u64>,
    /// What is known of them from earlier lists.
    known: BTreeMap<u32, Line>,
    marked: BTreeSet<u32>,
    /// The message that was shown last; 0 before the first.
    current: u32,
    words: Words,
}

/// Whether there is another line.
enum Then {
    GoOn,
    Leave,
}

impl Console<'_> {
    fn open(&mut self) -> Result<(), Error> {
        let terminal = &mut *self.terminal;
        let mut session = self.access.open(&mut |complaint| {
            let _ = terminal.print(&format!("{complaint}\n"));
        })?;
        self.marked.clear();
        self.known.clear();
        self.current = 0;
        self.sizes = session.sizes()?;
        self.words.numbers = numbers_of(&self.sizes);
        let way = session.tls().map_or("in clear", |facts| facts.protocol);
        self.say(&format!(
            "{}: {}, {} ({way}). 'help' lists the commands.",
            text::one_line(&self.access.account().label()),
            text::count(self.sizes.len() as u64, "message"),
            text::size(self.sizes.values().sum()),
        ))?;
        self.keeper.give(session);
        Ok(())
    }

    fn converse(&mut self) -> Result<(), Error> {
        let prompt = format!("{}> ", text::one_line(&self.access.account().user));
        loop {
            let input = self.terminal.read_line(&prompt, &self.words);
            let then = match input.map_err(Error::Local)? {
                Input::Interrupted => Then::GoOn,
                Input::End => self.end_of_input()?,
                Input::Line(line) => match Command::parse(&line) {
                    Ok(None) => Then::GoOn,
                    Ok(Some(command)) => self.obey(&command)?,
                    Err(complaint) => {
                        self.say(&complaint)?;
                        Then::GoOn
                    }
                },
            };
            if matches!(then, Then::Leave) {
                return Ok(());
            }
        }
    }

    /// Does what the line says, and reports what goes wrong; only a failing terminal ends the console.
    fn obey(&mut self, command: &Command<'_>) -> Result<Then, Error> {
        let outcome = match command {
            Command::Help(about) => self.page(&command::help(*about)),
            Command::Find(text) => self.find(text),
            Command::Next => self.step(true),
            Command::Previous => self.step(false),
            Command::Top(number, lines) => self.top(*number, *lines),
            Command::Undelete(numbers) => self.undelete(numbers),
            Command::List(numbers) => self.list(numbers),
            Command::Stat => self.stat(),
            Command::Show(number) => self.show(*number),
            Command::Headers(number) => self.headers(*number),
            Command::Source(number) => self.source(*number),
            Command::Save(number, file) => self.save(*number, *file),
            Command::Attachments(number, folder) => self.attachments(*number, *folder),
            Command::Delete(numbers) => self.delete(numbers),
            Command::Rollback => self.rollback(),
            Command::Uidl(numbers) => self.uidl(numbers),
            Command::Capa => self.capa(),
            Command::Noop => self.noop(),
            Command::Reconnect => self.reconnect(),
            Command::Quit => return self.quit(),
            Command::Exit => return self.end_of_input(),
            Command::Abort => return self.abort(),
        };
        match outcome {
            Ok(()) => {}
            // the user went away, or the terminal did
            Err(Error::Local(error)) if is_terminal_gone(&error) => {
                return Err(Error::Local(error));
            }
            Err(error) => self.complain(&error)?,
        }
        Ok(Then::GoOn)
    }

    /// Shows the message after the one that was shown last, or the one before it.
    fn step(&mut self, forwards: bool) -> Result<(), Error> {
        let current = self.current;
        let mut left = self
            .sizes
            .keys()
            .copied()
            .filter(|number| !self.marked.contains(number));
        let next = if forwards {
            left.find(|number| *number > current)
        } else {
            left.rfind(|number| *number < current)
        };
        match next {
            Some(number) => self.show(number),
            None => self.say("there is no other message"),
        }
    }

    fn end_of_input(&mut self) -> Result<Then, Error> {
        if self.marked.is_empty() {
            return self.quit();
        }
        let question = format!(
            "{} marked. Delete for good? [y/N] ",
            text::count(self.marked.len() as u64, "message")
        );
        let answer = self.terminal.ask(&question);
        match answer.map_err(Error::Local)? {
            Input::Line(answer) if matches!(answer.trim(), "y" | "Y" | "yes") => self.quit(),
            Input::Line(_) | Input::Interrupted | Input::End => self.abort(),
        }
    }

    /// Uses the session.
    fn with<T>(
        &mut self,
        action: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.keeper.with(action)
    }

    fn complain(&mut self, error: &Error) -> Result<(), Error> {
        self.say(&text::one_line(&error.to_string()))?;
        if !self.keeper.is_alive() {
            let lost = if self.marked.is_empty() {
                "'reconnect' opens a new session."
            } else {
                "Nothing was deleted. 'reconnect' opens a new session, without the marks."
            };
            self.say(lost)?;
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), Error> {
        self.terminal
            .print(&format!("{line}\n"))
            .map_err(Error::Local)
    }
}

fn numbers_of(sizes: &BTreeMap<u32, u64>) -> Vec<u32> {
    sizes.keys().copied().collect()
}

fn is_terminal_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
