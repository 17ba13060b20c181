//! What the tests and the fuzz targets share: not published.
//!
//! The small IMAP server and its mails are [`imap_test_server`], a crate of its own, because the
//! program's demonstration uses them too.
//!
//! | module | what |
//! |---|---|
//! | [`model`] | the reference maildrop: what replies must be |
//! | [`judge`] | what a client received, compared with the reference maildrop |
//! | [`drawing`] | the drawings of the documentation, compared with the code |
//! | [`generate`] | test cases from raw octets, for fuzzers and proptest |
//! | [`talk`] | a session with a maildrop in memory, driven by hand |
//! | [`scene`] | the dialogues of pop3-proto with what they take place in |
//! | [`transcript`] | dialogues as text files, and their replay |
//! | [`stores`] | what every mail store must do, as one suite |
//! | [`world`] | a network and a clock in memory |

pub mod drawing;
pub mod generate;
pub mod judge;
pub mod model;
pub mod scene;
pub mod stores;
pub mod talk;
pub mod transcript;
pub mod world;

pub use imap_test_server as imap_server;
pub use imap_test_server::{Content, content, mails, tcp};
