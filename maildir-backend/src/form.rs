//! How a file becomes a mail: as it is, or with something done to it when it is read.
//!
//! Owns the decision, which depends on the file's name and its first octets alone. Never changes a file.

use std::fs::File;
use std::io::{self, Read};

use crate::config::{Config, Layout};
use crate::packed;
use crate::stamp::Stamp;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing.
    Plain,
    /// It is unpacked.
    Packed,
    /// It is packed and cannot be unpacked.
    Broken,
    /// It is a text, and wrapped into a mail.
    Text,
    /// It is a mail in another encoding of Unicode, or with a mark of it in front.
    Decoded,
}

impl Form {
    const WORDS: [(Self, &'static str); 5] = [
        (Self::Plain, "plain"),
        (Self::Packed, "packed"),
        (Self::Broken, "broken"),
        (Self::Text, "text"),
        (Self::Decoded, "decoded"),
    ];

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(form, _)| *form == self)
            .map_or("", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, known)| *known == word)
            .map(|(form, _)| *form)
    }
}

/// What is to be done to a certain file.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Plain,
}

/// Looks at the beginning of a file; what is read of it is read again.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] if the file can never become a mail.
pub(crate) fn plan(layout: Layout, _: &Config, _: &[u8], file: &File) -> io::Result<Plan> {
    match layout {
        Layout::Maildir => packed::refuse(file)?,
        Layout::Directory => {}
    }
    Ok(Plan::Plain)
}

/// Whether a file of this name can have been of this form with these settings.
pub(crate) fn may_be(_: Layout, _: &Config, _: &[u8], _: Form) -> bool {
    true
}

impl Plan {
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Plain => Form::Plain,
        }
    }

    /// The mail. `mark` is what is the file's alone.
    pub(crate) fn reader<'a>(
        &self,
        file: impl Read + Send + 'a,
        _: Stamp,
        _: &str,
    ) -> Box<dyn Read + Send + 'a> {
        match self {
            Self::Plain => Box::new(file),
        }
    }
}
