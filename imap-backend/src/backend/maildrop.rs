//! The folder as the session sees it: its table, which messages are gone, and what may be done with it.
//!
//! Owns the table and the listing that is made from it. Nothing in it changes, except that messages
//! disappear upstream. Never asks the server anything.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use pop3_proto::backend::{Access, Failure, FailureKind, Reply};
use pop3_proto::time::Time;

use super::opening::Folder;
use crate::grammar::Counts;
use crate::presence::Presence;
use crate::table::{Scan, Table};

/// How many messages a listing has at most that is kept for the next session: twelve octets each.
const KEPT: u32 = 1000;

/// How long a listing serves sessions one after the other before the folder is opened anew, whatever the server says.
const LOOKED_AT: Duration = Duration::from_secs(10 * 60);

/// An open folder; empty while none is open.
#[derive(Debug, Default)]
pub(crate) struct Maildrop {
    pub(super) table: Table,
    presence: Presence,
    pub(crate) uid_validity: u64,
    pub(super) read_only: bool,
    /// How many messages the folder has, as last heard.
    pub(super) exists: u32,
    /// The UID that the next message gets, as the server said at SELECT; zero if it did not say.
    pub(crate) uid_next: u64,
    /// When the folder was listed.
    pub(super) listed: Time,
    /// The next entry of the listing.
    listing: Option<u32>,
    /// The server said something that another listing would show, or may.
    differs: bool,
}

impl Maildrop {
    /// What the scan of the folder brought; it is listed next.
    pub(super) fn new(scan: Scan, folder: &Folder, uid_validity: u64, now: Time) -> Self {
        let (table, presence) = scan.finish();
        Self {
            table,
            presence,
            uid_validity,
            read_only: folder.read_only,
            uid_next: folder.uid_next,
            listed: now,
            listing: Some(0),
            ..Self::default()
        }
    }

    /// One without a listing, of which only this is known.
    pub(super) fn unlisted(uid_validity: u64) -> Self {
        Self {
            uid_validity,
            differs: true,
            ..Self::default()
        }
    }

    pub(super) fn uid(&self, index: u32) -> Option<u64> {
        self.table.uid(index)
    }

    /// The size of a message as it was announced; 0 if it is not known.
    pub(super) fn size(&self, index: u32) -> Option<u64> {
        self.table.size(index)
    }

    /// Whether the message with this UID is known to be gone.
    pub(super) fn is_gone(&self, uid: u64) -> bool {
        let place = self.table.find(uid);
        place.is_some_and(|place| self.presence.is_gone(place))
    }

    /// A failure of a message, with what the operator needs to find it.
    pub(super) fn about(&self, index: u32, kind: FailureKind, detail: &str) -> Failure {
        let number = u64::from(index) + 1;
        let detail = match self.uid(index) {
            Some(uid) => format!("{detail} (message {number}, UID {uid})"),
            None => format!("{detail} (message {number})"),
        };
        Failure::new(kind, detail)
    }

    /// Another listing may be another one.
    pub(super) fn differs(&mut self) {
        self.differs = true;
    }

    /// Whether another listing would be the same, as far as is known.
    pub(crate) fn is_as_listed(&self) -> bool {
        !self.differs && self.is_listed()
    }

    /// Whether the listing is kept for the next session, which asks the server if it still is right: it is not large, not
    /// old, and has what the answer is compared with.
    pub(crate) fn is_kept(&self, now: Time) -> bool {
        self.is_as_listed()
            && self.uid_next > 0
            && self.table.len() <= KEPT
            && now.since(self.listed) < LOOKED_AT
    }

    /// Whether the folder has the messages that were listed.
    pub(super) fn is_the_same(&self, counts: Counts) -> bool {
        counts
            == Counts {
                messages: self.table.len().into(),
                uid_next: self.uid_next,
                uid_validity: self.uid_validity,
            }
    }

    /// Lists it from the beginning.
    pub(super) fn list_again(&mut self) {
        self.listing = Some(0);
    }

    pub(super) fn exist(&mut self, count: u32) {
        self.differs();
        self.exists = count;
        self.presence.exist(count);
    }

    pub(super) fn expunged(&mut self, number: u32) {
        self.differs();
        self.exists = self.exists.saturating_sub(1);
        self.presence.expunged(number);
    }

    /// The known sequence numbers mean other messages now.
    pub(super) fn forget_numbers(&mut self) {
        self.differs();
        self.presence.forget_numbers();
    }

    pub(super) fn is_listed(&self) -> bool {
        self.listing.is_none()
    }

    /// The next entry of the listing, then its end. Its unique-id is written where the caller has room.
    pub(super) fn entry<'a>(&mut self, unique_id: &'a mut Vec<u8>) -> Option<Reply<'a>> {
        let index = self.listing?;
        let Some((uid, size)) = self.uid(index).zip(self.size(index)) else {
            self.listing = None;
            *unique_id = Vec::new();
            let access = if self.read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            };
            return Some(Reply::Opened { access });
        };
        self.listing = Some(index + 1);
        unique_id.clear();
        let mut digits = itoa::Buffer::new();
        unique_id.extend_from_slice(digits.format(self.uid_validity).as_bytes());
        unique_id.push(b'.');
        unique_id.extend_from_slice(digits.format(uid).as_bytes());
        Some(Reply::Entry { size, unique_id })
    }
}
