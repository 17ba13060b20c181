#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! [`MaildirStore`] is a blocking [`Store`](pop3_proto::backend::blocking::Store). An implementation of
//! [`Accounts`](pop3_proto::backend::store::Accounts) says who may log in; the [`Config`] says where the
//! messages lie and what becomes of them.
//!
//! # What others see
//!
//! Delivery agents, mail programs and IMAP servers go on as if there were no gateway. A session renames nothing
//! and marks nothing; a message that somebody else renames meanwhile is found again, and one that somebody
//! else removed is gone here too. Only QUIT changes anything: the marked messages go the way that
//! [`Deletion`] says, and with [`Config::mark_seen`] what was retrieved becomes seen. Folders within a
//! Maildir (Maildir++) are not shown.
//!
//! What is deleted is what was there: a file that is not any more the one that was listed or retrieved
//! stays, and QUIT is answered with an error. In a plain directory it is not sent either: it comes with the
//! next login.
//!
//! # What identifies a message
//!
//! In a Maildir its name up to the colon, which the Maildir rules make unique for ever: an agent that uses a
//! name for a second message breaks them, and clients that have the first will not fetch the second. Names
//! that are no unique-ids as they are, are escaped or hashed. So ids stay when flags change, when `new`
//! becomes `cur`, when a backup is restored and when the server restarts.
//!
//! In a plain directory names come again: a scanner counts from one, a report is overwritten. There the
//! unique-id is made of the name, the file (the moment of its birth, or its inode), the time of its last
//! change and its content, so that whatever comes under an old name is a message of its own. Rights, hard
//! links and restarts change nothing; a file that was touched, renamed, copied or restored from a backup is
//! fetched again, rather than never.
//!
//! # What becomes a mail
//!
//! A file is sent as it is, but for these: a message that an IMAP server has packed in a Maildir with gzip,
//! bzip2 or zstd is unpacked, up to [`Config::max_unpacked`]; in a plain directory a text
//! ([`Config::texts`]) is wrapped into a mail, and what is in UTF-16 or has a byte order mark in front is sent
//! in UTF-8 without it, wrapped if it does not begin with a header. A text that is no UTF-8 is taken for
//! Windows-1252.
//!
//! A message that cannot be read, is damaged or too large is refused by itself, before anything of it is
//! sent. One that broke off while it was sent is read once before it is sent again.
//!
//! # Sizes
//!
//! POP3 counts line ends as CRLF, which the size of a file does not tell. A name's `,W=` does, and is
//! believed where `,S=` is the size of the file; other messages are read once. What was counted is kept in
//! the file `pop3-gateway.sizes` of the Maildir (`.pop3-gateway.sizes` of a plain directory), which may be
//! deleted at any time. Where it cannot be written, it is kept in memory. Counting takes 20 seconds of a
//! login at most: messages of a Maildir whose turn did not come are listed with what their name or their file
//! tells, and counted by the next logins; those of a plain directory come with the next logins. The sizes of
//! a session never change.
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
