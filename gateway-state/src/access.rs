//! What an account may do with its mailbox, and the words for it.

use std::fmt;
use std::str::FromStr;

/// What an account may do with its mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Read and delete: `read-write`.
    #[default]
    ReadWrite,
    /// Read alone: `read-only`. DELE is refused.
    ReadOnly,
    /// Read, and mark for deletion without anything being removed: `no-delete`. For devices that cannot do
    /// without DELE.
    NoDelete,
}

impl Access {
    const ALL: [Self; 3] = [Self::ReadWrite, Self::ReadOnly, Self::NoDelete];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::NoDelete => "no-delete",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error is a sentence for the operator.
impl FromStr for Access {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|access| access.as_str() == word);
        found.ok_or("the access is read-write, read-only or no-delete")
    }
}
