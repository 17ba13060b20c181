//! What is wrong with a configuration, said so that it can be put right.
//!
//! A [`ConfigError`] names the place (file, line, column, key), says what is wrong there and what to
//! do about it. It never holds a secret, because the configuration holds none.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, unless the configuration came from the command line.
    pub file: Option<PathBuf>,
    /// Line and column in the file, both counted from 1, where a place is to blame.
    pub position: Option<(u32, u32)>,
    /// The key with its path (`listener[2].tls`) or the flag (`--tls`); empty for the whole file.
    pub key: Box<str>,
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty where `what` says it all.
    pub remedy: String,
    /// The other mistakes in the file, in the order of their places.
    pub others: Box<[Self]>,
}

impl fmt::Display for ConfigError {
    /// A line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line(f)?;
        for other in &self.others {
            f.write_str("\n")?;
            other.line(f)?;
        }
        Ok(())
    }
}

impl ConfigError {
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some((line, column)) = self.position {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Where settings came from: decides how a remedy names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Keys of a file.
    File,
    /// Flags of the command line, named like the keys but with dashes.
    Flags,
}

impl Origin {
    /// How the operator writes this setting.
    pub(crate) fn setting(self, key: &str, value: &str) -> String {
        match (self, value) {
            (Self::File, "true" | "false") => format!("{key} = {value}"),
            (Self::File, _) => format!("{key} = \"{value}\""),
            (Self::Flags, "true") => flag(key),
            (Self::Flags, _) => format!("{} {value}", flag(key)),
        }
    }
}

/// Something wrong with one setting, before it is known where the setting stands.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The key, without the path of its table.
    pub(crate) key: &'static str,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Problem {
    pub(crate) fn new(
        key: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            key,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The error when the setting was a flag.
    pub(crate) fn of_flag(self) -> ConfigError {
        ConfigError {
            file: None,
            position: None,
            key: flag(self.key).into(),
            what: self.what,
            remedy: self.remedy,
            others: Box::default(),
        }
    }
}

/// What is wrong in a text: a mistake, or several.
#[derive(Debug, Default)]
pub(crate) struct Fault(Vec<Mistake>);

/// Something wrong at a place in the text.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// Where in the text, as an offset.
    pub(crate) at: Option<usize>,
    /// The key with its path.
    pub(crate) key: String,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl From<Mistake> for Fault {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl From<Vec<Mistake>> for Fault {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes)
    }
}

impl Fault {
    /// Takes what is wrong out of a result, so that what follows is looked at too.
    pub(crate) fn note<T>(&mut self, result: Result<T, Self>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(more) => {
                self.0.extend(more.0);
                None
            }
        }
    }

    /// Forgets mistakes that come of others.
    pub(crate) fn without(mut self, explained: impl Fn(&Mistake) -> bool) -> Self {
        self.0.retain(|mistake| !explained(mistake));
        self
    }

    /// An error if there was a mistake.
    pub(crate) fn found(&mut self) -> Result<(), Self> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(std::mem::take(self)),
        }
    }

    /// The error when the text is that of this file.
    pub(crate) fn in_file(mut self, file: &Path, text: &str) -> ConfigError {
        self.0.sort_by_key(|mistake| mistake.at);
        let mut errors = self.0.into_iter().map(|mistake| ConfigError {
            file: Some(file.to_owned()),
            position: mistake.at.map(|offset| position(text, offset)),
            key: mistake.key.into(),
            what: mistake.what,
            remedy: mistake.remedy,
            others: Box::default(),
        });
        let first = errors.next().unwrap_or_else(|| ConfigError {
            file: Some(file.to_owned()),
            position: None,
            key: Box::default(),
            what: "this cannot be used".into(),
            remedy: String::new(),
            others: Box::default(),
        });
        ConfigError {
            others: errors.collect(),
            ..first
        }
    }
}

/// The flag that sets this key.
pub(crate) fn flag(key: &str) -> String {
    let name = match key {
        "url" => "upstream",
        "certificate" | "cert" => "tls_cert",
        "key" => "tls_key",
        "format" => "log",
        "level" => "log_level",
        "dir" => "transcript",
        "self_signed" => "tls_self_signed",
        "self_signed_names" => "tls_name",
        "allow_clear" => "allow_clear_upstream",
        other => other,
    };
    format!("--{}", name.replace('_', "-"))
}

fn position(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let counted =
        |count: usize| u32::try_from(count).map_or(u32::MAX, |count| count.saturating_add(1));
    (
        counted(before.matches('\n').count()),
        counted(before[line_start..].chars().count()),
    )
}
