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
    pub position: Option<(usize, usize)>,
    /// The key with its path (`listener[2].tls`) or the flag (`--tls`); empty for the whole file.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty where `what` says it all.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
pub(super) enum Origin {
    /// Keys of a file.
    File,
    /// Flags of the command line, named like the keys but with dashes.
    Flags,
}

impl Origin {
    /// How the operator writes this setting.
    pub(super) fn setting(self, key: &str, value: &str) -> String {
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
pub(super) struct Problem {
    /// The key, without the path of its table.
    pub(super) key: &'static str,
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Problem {
    pub(super) fn new(
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
    pub(super) fn of_flag(self) -> ConfigError {
        ConfigError {
            file: None,
            position: None,
            key: flag(self.key),
            what: self.what,
            remedy: self.remedy,
        }
    }
}

/// Something wrong at a place in the text.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where in the text, as an offset.
    pub(super) at: Option<usize>,
    /// The key with its path.
    pub(super) key: String,
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Fault {
    /// The error when the text is that of this file.
    pub(super) fn in_file(self, file: &Path, text: &str) -> ConfigError {
        ConfigError {
            file: Some(file.to_owned()),
            position: self.at.map(|offset| position(text, offset)),
            key: self.key,
            what: self.what,
            remedy: self.remedy,
        }
    }
}

fn flag(key: &str) -> String {
    let name = match key {
        "url" => "upstream",
        "certificate" => "tls_cert",
        "self_signed" => "tls_self_signed",
        "allow_clear" => "allow_clear_upstream",
        other => other,
    };
    format!("--{}", name.replace('_', "-"))
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}
