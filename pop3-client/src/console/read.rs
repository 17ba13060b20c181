//! The commands that look and change nothing.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use pop3_proto::command::{Command as Wire, MessageNumber};

use super::Console;
use crate::account::home;
use crate::mail::Mail;
use crate::text;
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, Part};

/// Larger messages are saved, not shown.
const MAX_SHOWN: u64 = 64 * 1024 * 1024;

impl Console<'_> {
    pub(super) fn stat(&mut self) -> Result<(), Error> {
        let (messages, octets) = self.with(Session::stat)?;
        let marked = match self.marked.len() {
            0 => String::new(),
            marked => format!(", {marked} more marked for deletion"),
        };
        let count = text::count(messages, "message");
        self.say(&format!("{count}, {octets} octets{marked}"))
    }

    pub(super) fn show(&mut self, number: u32) -> Result<(), Error> {
        self.current = number;
        let Some(octets) = self.whole(number)? else {
            return Ok(());
        };
        let mail = Mail::parse(&octets);
        let mut shown = format!("{}\n{}", mail.short_head(), mail.text());
        for (position, attachment) in mail.attachments().iter().enumerate() {
            shown.push_str(&format!(
                "[attachment {}: {}, {}, {}]\n",
                position + 1,
                attachment.name,
                attachment.kind,
                text::size(attachment.size as u64)
            ));
        }
        self.page(&shown)
    }

    pub(super) fn headers(&mut self, number: u32) -> Result<(), Error> {
        let octets = self.with(|session| session.message(number, Some(0)))?;
        self.page(&Mail::parse(&octets).raw_head())
    }

    /// The header and some lines of the body, as they came.
    pub(super) fn top(&mut self, number: u32, lines: u64) -> Result<(), Error> {
        let octets = self.with(|session| session.message(number, Some(lines)))?;
        self.page(&text::lines(&String::from_utf8_lossy(&octets)))
    }

    pub(super) fn source(&mut self, number: u32) -> Result<(), Error> {
        let Some(octets) = self.whole(number)? else {
            return Ok(());
        };
        self.page(&text::lines(&String::from_utf8_lossy(&octets)))
    }

    pub(super) fn save(&mut self, number: u32, file: Option<&str>) -> Result<(), Error> {
        let usual = format!("{number}.eml");
        let mut path = home(Path::new(file.unwrap_or(&usual)));
        if path.is_dir() {
            path.push(&usual);
        }
        let created = OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = match created {
            Ok(file) => BufWriter::new(file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = path.display();
                return self.say(&format!("{path} is there already: name another file"));
            }
            Err(error) => return self.say(&format!("cannot write {}: {error}", path.display())),
        };
        let mut octets = 0;
        let mut refused = None;
        let fetched = self.with(|session| {
            let command = Wire::Retr(MessageNumber(number));
            session.run_all([command], &mut |_, part| match part {
                Part::Octets(some) => {
                    octets += some.len() as u64;
                    file.write_all(some)
                }
                Part::Refused(refusal) => {
                    refused = Some(refusal);
                    Ok(())
                }
                Part::Start(_) => Ok(()),
                Part::Whole => file.flush(),
            })
        });
        if fetched.is_err() || refused.is_some() {
            let _ = std::fs::remove_file(&path);
        }
        fetched?;
        match refused {
            Some(refusal) => self.say(&format!("the server refuses: {refusal}")),
            None => self.say(&format!("{octets} octets in {}", path.display())),
        }
    }

    pub(super) fn attachments(&mut self, number: u32, folder: Option<&str>) -> Result<(), Error> {
        let folder = folder.map(|folder| home(Path::new(folder)));
        // reported before anything is fetched
        if let Some(folder) = &folder
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            return self.say(&format!("cannot write to {}: {error}", folder.display()));
        }
        let Some(octets) = self.whole(number)? else {
            return Ok(());
        };
        let mail = Mail::parse(&octets);
        let attachments = mail.attachments();
        if attachments.is_empty() {
            return self.say("it has no attachments");
        }
        for (position, attachment) in attachments.iter().enumerate() {
            let saved = match &folder {
                None => String::new(),
                Some(folder) => match keep(folder, &attachment.name, &attachment.octets) {
                    Ok(name) => format!(", saved as {name}"),
                    Err(error) => format!(", not saved: {error}"),
                },
            };
            self.say(&format!(
                "{:>3}  {:>5}  {}  {}{saved}",
                position + 1,
                text::size(attachment.size as u64),
                attachment.kind,
                attachment.name
            ))?;
        }
        Ok(())
    }

    pub(super) fn uidl(&mut self, words: &[&str]) -> Result<(), Error> {
        let ids = self.with(Session::unique_ids)?;
        let words = if words.is_empty() { &["all"] } else { words };
        let Some(chosen) = self.chosen(words)? else {
            return Ok(());
        };
        let shown: String = chosen
            .iter()
            .filter_map(|number| Some(format!("{number:>5} {}\n", ids.get(number)?)))
            .collect();
        self.page(&shown)
    }

    pub(super) fn capa(&mut self) -> Result<(), Error> {
        let shown = self.with(|session| {
            session.ask_capabilities()?;
            let capabilities = session.capabilities().iter();
            Ok(capabilities
                .map(|capability| text::one_line(&capability.to_string()) + "\n")
                .collect::<String>())
        })?;
        self.page(&shown)
    }

    pub(super) fn noop(&mut self) -> Result<(), Error> {
        self.with(|session| session.run(&Wire::Noop))?;
        self.say("the server is there")
    }

    /// The messages that were named, or `None` after a message about what is wrong.
    pub(super) fn chosen(&mut self, words: &[&str]) -> Result<Option<Vec<u32>>, Error> {
        let there = self.sizes.keys().copied().collect();
        match crate::numbers::parse(words, &there) {
            Ok(chosen) => Ok(Some(chosen)),
            Err(complaint) => self.say(&complaint).map(|()| None),
        }
    }

    fn whole(&mut self, number: u32) -> Result<Option<Vec<u8>>, Error> {
        let size = self.sizes.get(&number).copied().unwrap_or(0);
        if size > MAX_SHOWN {
            let size = text::size(size);
            self.say(&format!("it has {size}: 'save {number}' is better"))?;
            return Ok(None);
        }
        self.with(|session| session.message(number, None)).map(Some)
    }
}

/// Writes a file under this name or one like it that is free.
fn keep(folder: &Path, name: &str, octets: &[u8]) -> io::Result<String> {
    std::fs::create_dir_all(folder)?;
    for attempt in 1..1000 {
        let tried = match attempt {
            1 => name.to_string(),
            _ => format!("{attempt}-{name}"),
        };
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(folder.join(&tried));
        match created {
            Ok(mut file) => return file.write_all(octets).map(|()| tried),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
