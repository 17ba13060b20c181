#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! [`MaildirStore`] is a blocking [`Store`](pop3_proto::backend::blocking::Store). An implementation of
//! [`Accounts`](pop3_proto::backend::store::Accounts) decides about logins; the [`Config`] says where
//! the messages are and what becomes of them.
//!
//! # What others see
//!
//! Delivery agents, mail programs and IMAP servers can work as if the gateway were not there. A session renames
//! nothing and marks nothing; a message that another program renames meanwhile is found again, and one that it
//! removes is gone here, too. Only QUIT changes anything: the marked messages are treated as [`Deletion`] says,
//! and with [`Config::mark_seen`] retrieved messages become seen. Folders within a Maildir (Maildir++) are not
//! shown.
//!
//! Only the file that was listed or retrieved is deleted. If another one is in its place it stays, and QUIT
//! is answered with an error. In a plain directory it is not sent either: it appears at the next login.
//!
//! # What identifies a message
//!
//! In a Maildir it is the name up to the colon, which the Maildir rules make unique for ever: an agent that
//! uses a name for a second message breaks them, and clients that have the first will not fetch the second.
//! Names that cannot be unique-ids are escaped or hashed. So ids stay when flags change, when `new` becomes
//! `cur`, when a backup is restored and when the server restarts.
//!
//! In a plain directory names are reused: a scanner counts from one, a report is overwritten. There the
//! unique-id is made of the name, the file (the moment of its birth, or its inode), the time of its last
//! change and its content, so that a new file under an old name is a message of its own. Rights, hard links
//! and restarts change nothing; a file that was touched, renamed, copied or restored from a backup is
//! fetched again, rather than never.
//!
//! # What becomes a mail
//!
//! A file is sent as it is, with these exceptions. A message that an IMAP server has packed in a Maildir with
//! gzip, bzip2 or zstd is unpacked, up to [`Config::max_unpacked`]. In a plain directory a text
//! ([`Config::texts`]) is wrapped into a mail. A file there in UTF-16 or with a byte order mark is sent in
//! UTF-8 without the mark, and wrapped if it does not begin with a header. A text that is not UTF-8 is read as
//! Windows-1252.
//!
//! A message that cannot be read, is damaged or too large is refused before any of it is sent; the
//! others are not affected. If one broke off while it was sent, it is first read to its end before it is
//! sent again.
//!
//! # Sizes
//!
//! POP3 counts line ends as CRLF, so the size of a file is not enough. The `,W=` in a name is that count, and
//! is believed if `,S=` is the size of the file; other messages are read once. The counts are kept in the
//! file `pop3-gateway.sizes` of the Maildir (`.pop3-gateway.sizes` of a plain directory), which may be
//! deleted at any time. If it cannot be written, they are kept in memory. Counting takes at most 20 seconds
//! of a login. Messages of a Maildir that are not counted by then are listed with the size in their name or
//! that of their file, and counted by the next logins; those of a plain directory appear at the next logins.
//! The sizes of a session never change.
//!
//! # Locks
//!
//! A session that may delete holds `flock` on the folder, against a second process and a second session. It
//! is no lock against delivery agents, which need none.

mod config;
mod disk;
mod folder;
mod form;
#[cfg(fuzzing)]
pub mod fuzzing;
mod held;
mod identity;
mod listing;
mod mailbox;
mod measure;
mod message;
mod name;
mod packed;
mod quota;
mod removal;
mod shared;
mod sizes;
mod snapshot;
mod stamp;
mod store;
mod suspects;
mod template;
mod text;
mod tools;
mod user;

pub use config::{Config, ConfigError, Deletion, Layout, Missing, Users};
pub use mailbox::MaildirMailbox;
pub use store::MaildirStore;
pub use template::{Template, TemplateError};
pub use tools::Listed;
