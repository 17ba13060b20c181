//! What the tests, the fuzz targets and the demonstration of the gateway share: not published.
//!
//! | module | what |
//! |---|---|
//! | [`content`] | octets of a message, shared and generated, never copied as a whole |
//! | [`mails`] | a corpus of difficult mails, and a few pleasant ones |
//! | [`imap_server`] | a small IMAP server without I/O, with misbehaviours on request |
//! | [`model`] | the reference maildrop: what replies must be |
//! | [`judge`] | what a client heard, held against the reference maildrop |
//! | [`generate`] | test cases from raw octets, for fuzzers and proptest |
//! | [`talk`] | a session with a maildrop in memory, driven by hand |
//! | [`scene`] | the dialogues of pop3-proto with what they take place in |
//! | [`transcript`] | dialogues as text files, and their replay |
//! | [`stores`] | what every mail store must do, as one suite |
//! | [`tcp`] | the small IMAP server on a real socket |
//! | [`world`] | a network and a clock in memory |

pub mod content;
pub mod generate;
pub mod imap_server;
pub mod judge;
pub mod mails;
pub mod model;
pub mod scene;
pub mod stores;
pub mod talk;
pub mod tcp;
pub mod transcript;
pub mod world;

pub use content::Content;
