//! A passwd-file: `name:credential`, one account a line, as Dovecot reads it too.
//!
//! Owns the text: what is not an account (comments, blank lines, further fields) stays as it is when a tool
//! changes one. Of the further fields `user=` is understood, the eighth's: the login opens the maildrop of
//! that account, so that one account can have several passwords, one for each device. Strict: a line that
//! is not understood is an error that names it.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::credential::{Credential, CredentialError};
use crate::replace;

/// The longest name, in octets.
const MAX_NAME: usize = 255;
/// Behind the name and the credential: uid, gid, gecos, home, shell, and then the extra fields.
const EXTRA_FIELDS: usize = 5;

/// The text of a passwd-file.
#[derive(Clone, Default)]
pub struct PasswdFile {
    lines: Vec<Line>,
}

#[derive(Clone)]
enum Line {
    Account(Box<PasswdEntry>),
    Other(String),
}

/// One account of a [`PasswdFile`].
#[derive(Clone)]
pub struct PasswdEntry {
    name: String,
    maildrop: Option<String>,
    credential: Credential,
    /// The credential as it is written.
    text: String,
    /// What follows it, with its colon.
    rest: String,
}

impl PasswdEntry {
    /// The name under which one logs in.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account whose maildrop is opened: the name, unless `user=` says otherwise.
    pub fn maildrop(&self) -> &str {
        self.maildrop.as_deref().unwrap_or(&self.name)
    }

    /// What passwords are checked against.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }
}

/// Why a passwd-file cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswdError {
    /// A line is wrong.
    #[error("{}:{line}:{column}: {what}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong there, and what to do about it.
        what: String,
    },
    /// The file cannot be read or written.
    #[error("{}: {doing}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What did not work.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// No account may be called that.
    #[error("{0:?} cannot be an account's name: {1}")]
    BadName(String, &'static str),
    /// The credential cannot be written into a line.
    #[error("the credential: {0}")]
    BadCredential(#[from] CredentialError),
    /// The account is there already.
    #[error("there is an account {0:?} already")]
    Exists(String),
    /// There is no such account.
    #[error("there is no account {0:?}")]
    Unknown(String),
}

impl PasswdFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a line of it is wrong.
    pub fn read(path: &Path) -> Result<Self, PasswdError> {
        let octets = fs::read(path).map_err(|source| failed(path, "cannot read it", source))?;
        Self::parse(path, &octets)
    }

    /// Reads the text of a file; `path` is for errors alone.
    ///
    /// # Errors
    ///
    /// If a line of it is wrong.
    pub fn parse(path: &Path, octets: &[u8]) -> Result<Self, PasswdError> {
        let mut lines = Vec::new();
        let mut seen = HashMap::new();
        let malformed = |line, column, what: String| PasswdError::Malformed {
            file: path.to_owned(),
            line,
            column,
            what,
        };
        if octets.is_empty() {
            return Ok(Self::default());
        }
        let text = octets.strip_suffix(b"\n").unwrap_or(octets);
        for (number, line) in (1..).zip(text.split(|octet| *octet == b'\n')) {
            let line = str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line))
                .map_err(|e| malformed(number, e.valid_up_to() + 1, "not UTF-8".into()))?;
            if line.trim().is_empty() || line.starts_with('#') {
                lines.push(Line::Other(line.into()));
                continue;
            }
            let entry = parse_line(line).map_err(|Wrong { at, what }| {
                malformed(number, line[..at].chars().count() + 1, what)
            })?;
            if let Some(first) = seen.insert(folded(&entry.name), number) {
                let what = format!(
                    "the account {:?} is on line {first} already; names are compared without case",
                    entry.name
                );
                return Err(malformed(number, 1, what));
            }
            lines.push(Line::Account(Box::new(entry)));
        }
        Ok(Self { lines })
    }

    /// The accounts, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &PasswdEntry> {
        self.lines.iter().filter_map(|line| match line {
            Line::Account(entry) => Some(&**entry),
            Line::Other(_) => None,
        })
    }

    /// Adds an account at the end; `credential` as [`hash`](crate::hash) makes it.
    ///
    /// # Errors
    ///
    /// If the name is taken or cannot be one, or the credential cannot be read.
    pub fn add(&mut self, name: &str, credential: &str) -> Result<(), PasswdError> {
        check_name(name).map_err(|what| PasswdError::BadName(name.into(), what))?;
        if self.entry_mut(name).is_some() {
            return Err(PasswdError::Exists(name.into()));
        }
        self.lines.push(Line::Account(Box::new(PasswdEntry {
            name: name.into(),
            maildrop: None,
            credential: writable(credential)?,
            text: credential.into(),
            rest: String::new(),
        })));
        Ok(())
    }

    /// Gives an account another credential.
    ///
    /// # Errors
    ///
    /// If there is no such account, or the credential cannot be read.
    pub fn set_credential(&mut self, name: &str, credential: &str) -> Result<(), PasswdError> {
        let parsed = writable(credential)?;
        let entry = self
            .entry_mut(name)
            .ok_or_else(|| PasswdError::Unknown(name.into()))?;
        entry.credential = parsed;
        entry.text = credential.into();
        Ok(())
    }

    /// Removes an account: nobody logs in to it any more.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub fn remove(&mut self, name: &str) -> Result<(), PasswdError> {
        let before = self.lines.len();
        let name_folded = folded(name);
        self.lines.retain(|line| match line {
            Line::Account(entry) => folded(&entry.name) != name_folded,
            Line::Other(_) => true,
        });
        if self.lines.len() == before {
            return Err(PasswdError::Unknown(name.into()));
        }
        Ok(())
    }

    /// Changes the file on disk, in one step: a reader sees all of it or nothing, and two tools at once do
    /// not undo each other's work. A file that is not there yet is made, readable for its owner alone; one
    /// that is keeps its owner and its mode. If `change` fails nothing is written.
    ///
    /// # Errors
    ///
    /// Those of `change`, and if the file cannot be read or written.
    pub fn edit<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, PasswdError>,
    ) -> Result<T, PasswdError> {
        let locked =
            replace::lock(path).map_err(|source| failed(path, "cannot open it", source))?;
        let octets = locked
            .read()
            .map_err(|source| failed(path, "cannot read it", source))?;
        let mut file = Self::parse(path, &octets)?;
        let result = change(&mut file)?;
        locked
            .replace(file.to_string().as_bytes())
            .map_err(|source| failed(path, "cannot write it", source))?;
        Ok(result)
    }

    fn entry_mut(&mut self, name: &str) -> Option<&mut PasswdEntry> {
        let name = folded(name);
        self.lines.iter_mut().find_map(|line| match line {
            Line::Account(entry) if folded(&entry.name) == name => Some(&mut **entry),
            Line::Account(_) | Line::Other(_) => None,
        })
    }
}

/// The text of the file, credentials and all.
impl fmt::Display for PasswdFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Account(entry) => write!(f, "{}:{}{}", entry.name, entry.text, entry.rest)?,
                Line::Other(text) => f.write_str(text)?,
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}

impl fmt::Debug for PasswdFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

impl fmt::Debug for PasswdEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PasswdEntry")
            .field(&self.name)
            .finish_non_exhaustive()
    }
}

/// Names are compared without case.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

pub(crate) fn failed(path: &Path, doing: &'static str, source: io::Error) -> PasswdError {
    PasswdError::Io {
        file: path.to_owned(),
        doing,
        source,
    }
}

/// What is wrong with a line, and at which octet of it.
struct Wrong {
    at: usize,
    what: String,
}

fn parse_line(line: &str) -> Result<PasswdEntry, Wrong> {
    let wrong = |at, what: &str| Wrong {
        at,
        what: what.into(),
    };
    let Some((name, behind)) = line.split_once(':') else {
        return Err(wrong(
            line.len(),
            "no credential; an account is written as name:credential",
        ));
    };
    check_name(name).map_err(|what| wrong(0, &format!("not a name for an account: {what}")))?;
    let at = name.len() + 1;
    let text_len = behind.find(':').unwrap_or(behind.len());
    let (text, rest) = behind.split_at(text_len);
    let credential = Credential::parse(text).map_err(|error| wrong(at, &error.to_string()))?;
    let maildrop = extra_fields(rest).map_err(|what| wrong(at + text_len, &what))?;
    Ok(PasswdEntry {
        name: name.into(),
        maildrop,
        credential,
        text: text.into(),
        rest: rest.into(),
    })
}

/// What `user=` says. Fields that limit an account and that are not understood are not passed over.
fn extra_fields(rest: &str) -> Result<Option<String>, String> {
    let mut maildrop = None;
    let Some(extra) = rest.splitn(EXTRA_FIELDS + 2, ':').nth(EXTRA_FIELDS + 1) else {
        return Ok(None);
    };
    for field in extra.split_ascii_whitespace() {
        match field.split_once('=') {
            Some(("user", name)) => {
                check_name(name).map_err(|what| format!("user={name}: {what}"))?;
                maildrop = Some(name.into());
            }
            _ if field.starts_with("userdb_") => {}
            _ => {
                let name = field.split('=').next().unwrap_or_default();
                return Err(format!(
                    "the extra field {name:?} is not supported; remove it"
                ));
            }
        }
    }
    Ok(maildrop)
}

/// What an account can be called: it stands in a line of the file, and before a colon there.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_NAME {
        return Err("it is longer than 255 octets");
    }
    if name.contains(':') {
        return Err("it has a colon, which ends the name");
    }
    if name.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if name.starts_with('#') || name.trim() != name {
        return Err("it starts with #, or with a space, or ends with one");
    }
    Ok(())
}

fn writable(credential: &str) -> Result<Credential, PasswdError> {
    let parsed = Credential::parse(credential)?;
    if credential.contains([':', '\n', '\r']) {
        return Err(CredentialError::UnknownKind.into());
    }
    Ok(parsed)
}
