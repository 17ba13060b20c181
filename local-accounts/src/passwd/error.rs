//! Why a passwd-file cannot be read or changed, and what is wrong with a line of it.

use std::io;
use std::path::{Path, PathBuf};

use super::line::Wrong;
use crate::credential::CredentialError;

/// Why a passwd-file cannot be read or changed, or what is wrong with a line of it.
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
    /// More lines are wrong than are listed one by one.
    #[error("{}: {more} further lines are wrong", file.display())]
    More {
        /// The file.
        file: PathBuf,
        /// How many.
        more: usize,
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

pub(crate) fn malformed(file: &Path, number: usize, line: &[u8], wrong: Wrong) -> PasswdError {
    let Wrong { at, what } = wrong;
    let before = String::from_utf8_lossy(&line[..at.min(line.len())]);
    PasswdError::Malformed {
        file: file.into(),
        line: number,
        column: before.chars().count() + 1,
        what,
    }
}

pub(crate) fn failed(path: &Path, doing: &'static str, source: io::Error) -> PasswdError {
    PasswdError::Io {
        file: path.to_owned(),
        doing,
        source,
    }
}
