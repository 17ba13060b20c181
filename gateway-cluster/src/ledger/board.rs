//! What all nodes have to hear of soon, and none waits for: each reads it with its renewals.
//!
//! One row for all of it, so that reading it costs the same however much there is.

use std::time::Duration;

use super::{BOARD, Book, millis};
use crate::ask::{Answer, Post, Posted};
use crate::digest::Digest;
use crate::lease::Foreign;

/// How many there are at most; what was said longest ago makes room.
const MOST: usize = 500;

/// What stands there, and until when, in milliseconds of the engine's clock.
struct Entry {
    post: Post,
    account: Digest,
    until: u64,
}

impl Entry {
    fn read(word: &str) -> Result<Self, Foreign> {
        let (letter, rest) = word.split_at_checked(1).ok_or(Foreign)?;
        let (account, until) = rest.split_once('=').ok_or(Foreign)?;
        Ok(Self {
            post: Post::of_letter(letter).ok_or(Foreign)?,
            account: account.parse()?,
            until: until.parse().map_err(|_| Foreign)?,
        })
    }

    fn write(&self) -> String {
        let (letter, account, until) = (self.post.letter(), self.account, self.until);
        format!("{letter}{account}={until}")
    }
}

impl Book<'_, '_> {
    /// It stands there for so long, or for as long as it does already.
    pub(super) fn post(
        &mut self,
        post: Post,
        account: Digest,
        span: Duration,
    ) -> Result<Answer, Foreign> {
        let until = self.terms.now.saturating_add(millis(span));
        let mut entries = self.entries()?;
        let same = |entry: &Entry| entry.post == post && entry.account == account;
        if entries
            .iter()
            .any(|entry| same(entry) && entry.until >= until)
            || span.is_zero()
        {
            return Ok(Answer::Done);
        }
        entries.retain(|entry| !same(entry));
        entries.push(Entry {
            post,
            account,
            until,
        });
        let surplus = entries.len().saturating_sub(MOST);
        entries.drain(..surplus);
        let last = entries.iter().map(|entry| entry.until).max();
        let left = last.unwrap_or_default().saturating_sub(self.terms.now);
        let words: Vec<String> = entries.iter().map(Entry::write).collect();
        self.set(BOARD, words.join(" "), Some(Duration::from_millis(left)));
        Ok(Answer::Done)
    }

    /// What all nodes are to hear of.
    pub(super) fn posted(&self) -> Result<Vec<Posted>, Foreign> {
        let posted = |entry: Entry| Posted {
            post: entry.post,
            account: entry.account,
            left: Duration::from_millis(entry.until.saturating_sub(self.terms.now)),
        };
        Ok(self.entries()?.into_iter().map(posted).collect())
    }

    /// What has not ended.
    fn entries(&self) -> Result<Vec<Entry>, Foreign> {
        let words = self.get(BOARD).unwrap_or_default().split_ascii_whitespace();
        let mut entries = words.map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        entries.retain(|entry| entry.until > self.terms.now);
        Ok(entries)
    }
}
