//! How a file becomes a mail: as it is, or with something done to it when it is read.
//!
//! Owns the decision, which depends only on the file's name and its first octets. Never changes a file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crate::config::{Config, Layout};
use crate::name;
use crate::packed::{self, Packing};
use crate::stamp::Stamp;
use crate::text::{self, Charset};

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

/// What to do to a particular file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    Plain,
    Unpack {
        packing: Packing,
        /// The most octets.
        limit: u64,
    },
    Wrap(Charset),
    Decode(Charset),
}

/// Looks at the beginning of a file, which is read again later.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] if the file can never become a mail.
pub(crate) fn plan(layout: Layout, config: &Config, name: &[u8], file: &File) -> io::Result<Plan> {
    if layout == Layout::Maildir {
        let limit = config.max_unpacked;
        return Ok(match packed::look(file)? {
            Some(packing) => Plan::Unpack { packing, limit },
            None => Plan::Plain,
        });
    }
    let mut head = [0; 1024];
    let n = file.read_at(&mut head, 0)?;
    let charset = text::look(&head[..n]);
    if is_text(layout, config, name) {
        return Ok(Plan::Wrap(charset.unwrap_or(Charset::Utf8)));
    }
    let Some(charset) = charset else {
        return Ok(Plan::Plain);
    };
    let mut start = Vec::new();
    text::decoded(charset, &head[..n]).read_to_end(&mut start)?;
    Ok(match text::is_mail(&start) {
        true => Plan::Decode(charset),
        false => Plan::Wrap(charset),
    })
}

/// Whether a file of this name can have this form with these settings. The settings may have been
/// different when it was counted.
pub(crate) fn may_be(layout: Layout, config: &Config, name: &[u8], form: Form) -> bool {
    match form {
        Form::Plain | Form::Decoded => !is_text(layout, config, name),
        Form::Text => true,
        Form::Packed | Form::Broken => layout == Layout::Maildir,
    }
}

fn is_text(layout: Layout, config: &Config, name: &[u8]) -> bool {
    layout == Layout::Directory && name::ends_with_any(name, &config.texts)
}

impl Plan {
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Plain => Form::Plain,
            Self::Unpack { .. } => Form::Packed,
            Self::Wrap(_) => Form::Text,
            Self::Decode(_) => Form::Decoded,
        }
    }

    /// The mail. `mark` is unique to the file.
    pub(crate) fn reader<'a>(
        &self,
        file: impl Read + Send + 'a,
        stamp: Stamp,
        mark: &str,
    ) -> Box<dyn Read + Send + 'a> {
        match *self {
            Self::Plain => Box::new(file),
            Self::Unpack { packing, limit } => Box::new(packed::unpack(packing, file, limit)),
            Self::Wrap(charset) => Box::new(text::wrapped(charset, file, stamp, mark)),
            Self::Decode(charset) => Box::new(text::decoded(charset, file)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_form_that_the_settings_rule_out_is_not_believed() {
        let config = Config::new("/nowhere");
        for (layout, name, form, may) in [
            (Layout::Maildir, "1.a", Form::Packed, true),
            (Layout::Maildir, "1.a", Form::Broken, true),
            (Layout::Directory, "1.a", Form::Packed, false),
            (Layout::Directory, "1.a", Form::Broken, false),
            (Layout::Directory, "a.txt", Form::Plain, false),
            (Layout::Directory, "a.txt", Form::Text, true),
            (Layout::Directory, "a.eml", Form::Decoded, true),
        ] {
            assert_eq!(
                may_be(layout, &config, name.as_bytes(), form),
                may,
                "{name} {form:?}"
            );
        }
    }
}
