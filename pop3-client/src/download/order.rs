//! What is wanted of a download, what it came to, and what watches it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::destination::Destination;

/// What to download and where to, and what becomes of it on the server.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the mail goes.
    pub to: Destination,
    /// The state file; `None`: beside the mail.
    pub state: Option<PathBuf>,
    /// Whose mail it is (`user@host`, with ` port N` after it where that is not the usual one): tells several
    /// accounts with one destination apart.
    pub account: String,
    /// What is removed from the server.
    pub removal: Removal,
    /// How often a broken connection is tried again without a mail in between.
    pub retries: u32,
    /// How long to wait before that, the first time; twice as long each time.
    pub pause: Duration,
}

/// What is removed from the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// Nothing.
    #[default]
    Never,
    /// Downloaded messages.
    AfterDownload,
    /// Messages that were downloaded this many days ago.
    AfterDays(u32),
}

/// The result of a download.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Messages fetched.
    pub fetched: u64,
    /// Their octets.
    pub octets: u64,
    /// Messages that were there already.
    pub known: u64,
    /// Messages removed from the server.
    pub removed: u64,
    /// Unique-ids of messages that the server did not give out, and what it said.
    pub refused: BTreeMap<String, String>,
    /// Warnings to the user.
    pub warnings: BTreeSet<String>,
}

/// Watches a download.
pub trait Watch {
    /// This many messages and octets will be fetched.
    fn start(&mut self, messages: u64, octets: u64);
    /// Octets came.
    fn octets(&mut self, octets: u64);
    /// A message is whole.
    fn message(&mut self);
    /// A message to the user.
    fn note(&mut self, text: &str);
    /// Nothing more comes for now.
    fn stop(&mut self);
}

/// Progress is not shown.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn start(&mut self, _: u64, _: u64) {}
    fn octets(&mut self, _: u64) {}
    fn message(&mut self) {}
    fn note(&mut self, _: &str) {}
    fn stop(&mut self) {}
}
