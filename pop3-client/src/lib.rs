//! A POP3 client for people and for scripts, and a probe for POP3 servers.
//!
//! The binary `pop3-client` is a command line over this library, and over `pop3-client-io`, which has the
//! sessions and connections:
//!
//! | module | what it is |
//! |---|---|
//! | [`check`] | probing a server |
//! | [`cli`] | the command line |
//! | [`account`] | whose mailbox, on which server, with which secret: configuration |
//! | [`mail`] | a mail as people read it |
//! | [`console`] | the console, over anything that reads and shows lines |
//! | [`download`] | fetching a mailbox so that nothing is lost and nothing comes twice |
//! | [`listing`], [`numbers`] | what a mailbox holds, and which of it is meant |
//! | [`terminal`] | the terminal's size |
//! | [`text`] | strangers' text made harmless for a terminal |

pub mod account;
pub mod check;
pub mod cli;
pub mod console;
pub mod download;
pub mod listing;
pub mod mail;
pub mod numbers;
pub mod terminal;
pub mod text;
