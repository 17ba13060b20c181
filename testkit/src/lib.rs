//! What the tests, the fuzz targets and the demonstration of the gateway share: not published.
//!
//! | module | what |
//! |---|---|
//! | [`content`] | octets of a message, shared and generated, never copied as a whole |
//! | [`mails`] | a corpus of difficult mails, and a few pleasant ones |
//! | [`imap_server`] | a small IMAP server without I/O, with misbehaviours on request |

pub mod content;
pub mod imap_server;
pub mod mails;

pub use content::Content;
