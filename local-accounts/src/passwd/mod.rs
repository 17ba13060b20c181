//! A passwd-file: `name:credential`, one account a line, as Dovecot reads it too.
//!
//! Owns the text: what is not an account (comments, blank lines, further fields) stays as it is when a tool
//! changes one. Of the further fields, those about logins and the maildrop are honoured: with `user=` one
//! account can have several passwords, one for each device.
//!
//! A line that is not understood turns off its own account and no other: it is a [`fault`], and the line
//! stays where it is. A name on several lines is off altogether, so that a later mistake does not bring back
//! an earlier password.
//!
//! [`fault`]: PasswdFile::faults

mod error;
mod line;
mod look;

use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use crate::credential::{Credential, CredentialError};
use crate::{replace, source};

pub use error::PasswdError;
pub(crate) use error::{failed, malformed};
pub(crate) use line::Wrong;
pub use line::{PasswdEntry, day};
pub(crate) use look::{Look, again, entry_of, folded, lines, look, name_of};

/// The text of a passwd-file.
#[derive(Clone, Default)]
pub struct PasswdFile {
    path: PathBuf,
    lines: Vec<Line>,
}

#[derive(Clone)]
enum Line {
    Account(Box<PasswdEntry>),
    /// A line that is wrong, as it is.
    Off(Vec<u8>),
    /// Neither an account nor wrong.
    Other(Vec<u8>),
}

impl PasswdFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no regular file.
    pub fn read(path: &Path) -> Result<Self, PasswdError> {
        let io = |source| failed(path, "cannot read it", source);
        let (file, _) = source::open(path, OpenOptions::new().read(true)).map_err(io)?;
        Ok(Self::parse(path, &source::read(&file).map_err(io)?))
    }

    /// Reads the text of a file; `path` is only for messages.
    pub fn parse(path: &Path, octets: &[u8]) -> Self {
        let line = |(_, line): (usize, &[u8])| match line::read(line) {
            Ok(Some(entry)) => Line::Account(Box::new(entry)),
            Ok(None) => Line::Other(line.into()),
            Err(_) => Line::Off(line.into()),
        };
        Self {
            path: path.into(),
            lines: lines(octets).map(line).collect(),
        }
    }

    /// The accounts that can be logged in to, as far as their lines go, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &PasswdEntry> {
        let names = self.names();
        self.accounts().filter(move |entry| {
            names
                .get(&folded(&entry.name))
                .is_none_or(|lines| *lines < 2)
        })
    }

    /// The account of this name, however it is written: as a login finds it.
    pub fn find(&self, name: &str) -> Option<&PasswdEntry> {
        let wanted = folded(name);
        self.entries().find(|entry| folded(&entry.name) == wanted)
    }

    /// The mistakes in the lines of the file, each with the name of the account that is off because of it, if
    /// that can be read.
    pub fn faults(&self) -> Vec<(Option<String>, PasswdError)> {
        let octets = self.octets();
        let mut faults = Vec::new();
        let mut first = HashMap::new();
        for (number, line) in lines(&octets) {
            let mut tell = |wrong| {
                let name = line::name(line).map(str::to_owned);
                faults.push((name, malformed(&self.path, number, line, wrong)));
            };
            match look(&mut first, number, line) {
                Look::Wrong(wrong) => tell(wrong),
                Look::Again { earlier, .. } => tell(again(line, earlier)),
                Look::Account(_) | Look::Nothing => {}
            }
        }
        faults
    }

    /// Adds an account at the end; `credential` as [`hash`](crate::hash) makes it.
    ///
    /// # Errors
    ///
    /// If the name is taken (also by a wrong line) or not possible, or the credential cannot be read.
    pub fn add(&mut self, name: &str, credential: &str) -> Result<(), PasswdError> {
        line::check_name(name).map_err(|what| PasswdError::BadName(name.into(), what))?;
        if self.lines.iter().any(|line| line.is_of(&folded(name))) {
            return Err(PasswdError::Exists(name.into()));
        }
        let entry = line::made(name, credential, writable(credential)?);
        self.lines.push(Line::Account(Box::new(entry)));
        Ok(())
    }

    /// Gives an account another credential; mends a line whose only mistake was the credential.
    ///
    /// # Errors
    ///
    /// If the account does not exist or exists several times, the credential cannot be read, or the line
    /// has another mistake.
    pub fn set_credential(&mut self, name: &str, credential: &str) -> Result<(), PasswdError> {
        writable(credential)?;
        let folded = folded(name);
        let path = self.path.clone();
        let mut own = (1..)
            .zip(&mut self.lines)
            .filter(|(_, line)| line.is_of(&folded));
        let Some((number, line)) = own.next() else {
            return Err(PasswdError::Unknown(name.into()));
        };
        if let Some((second, _)) = own.next() {
            let text = line.octets();
            return Err(malformed(&path, second, &text, again(&text, number)));
        }
        let before = line.octets();
        let mut fields = before.splitn(3, |octet| *octet == b':');
        let mut text = fields.next().unwrap_or_default().to_vec();
        text.push(b':');
        text.extend_from_slice(credential.as_bytes());
        if let Some(rest) = fields.nth(1) {
            text.push(b':');
            text.extend_from_slice(rest);
        }
        match line::read(&text) {
            Ok(Some(entry)) => *line = Line::Account(Box::new(entry)),
            Ok(None) => return Err(PasswdError::Unknown(name.into())),
            Err(wrong) => return Err(malformed(&path, number, &text, wrong)),
        }
        Ok(())
    }

    /// Removes an account, with every line that is about it: no login opens it any more.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub fn remove(&mut self, name: &str) -> Result<(), PasswdError> {
        let before = self.lines.len();
        let folded = folded(name);
        self.lines.retain(|line| !line.is_of(&folded));
        if self.lines.len() == before {
            return Err(PasswdError::Unknown(name.into()));
        }
        Ok(())
    }

    /// Changes the file on disk, in one step: a reader sees all of it or nothing, and two tools at once do
    /// not undo each other's work. A missing file is made, readable for its owner only; an existing one
    /// keeps its owner and its mode. If `change` fails nothing is written.
    ///
    /// # Errors
    ///
    /// Those of `change`, and if the file cannot be read or written.
    pub fn edit<T, E: From<PasswdError>>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let locked =
            replace::lock(path).map_err(|source| failed(path, "cannot open it", source))?;
        let octets = locked
            .read()
            .map_err(|source| failed(path, "cannot read it", source))?;
        let mut file = Self::parse(path, &octets);
        let result = change(&mut file)?;
        locked
            .replace(&file.octets())
            .map_err(|source| failed(path, "cannot write it", source))?;
        Ok(result)
    }

    /// The text of the file, credentials and all.
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for line in &self.lines {
            octets.extend(line.octets());
            octets.push(b'\n');
        }
        octets
    }

    fn accounts(&self) -> impl Iterator<Item = &PasswdEntry> {
        self.lines.iter().filter_map(|line| match line {
            Line::Account(entry) => Some(&**entry),
            Line::Off(_) | Line::Other(_) => None,
        })
    }

    /// How many lines are about each account.
    fn names(&self) -> HashMap<String, usize> {
        let mut names = HashMap::new();
        for line in &self.lines {
            if let Some(name) = line.name() {
                *names.entry(folded(name)).or_default() += 1;
            }
        }
        names
    }
}

impl Line {
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Account(entry) => {
                format!("{}:{}{}", entry.name, entry.text, entry.rest).into_bytes()
            }
            Self::Off(text) | Self::Other(text) => text.clone(),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Account(entry) => Some(&entry.name),
            Self::Off(text) => line::name(text),
            Self::Other(_) => None,
        }
    }

    fn is_of(&self, folded_name: &str) -> bool {
        self.name().is_some_and(|name| folded(name) == folded_name)
    }
}

impl fmt::Debug for PasswdFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.accounts()).finish()
    }
}

fn writable(credential: &str) -> Result<Credential, PasswdError> {
    let parsed = Credential::parse(credential)?;
    if credential.contains([':', '\n', '\r']) {
        return Err(CredentialError::UnknownKind.into());
    }
    Ok(parsed)
}
