//! Fetching a mailbox into a Maildir, an mbox or files, so that no mail is lost and none comes twice.
//!
//! This holds wherever the power fails, the line breaks or the process is killed, because of these steps:
//!
//! 1. Whole messages are collected on the disk, under names that no reader looks at, and synced.
//! 2. The *plan* for them (which goes where) is written to the state file and synced. From here on they
//!    count as fetched.
//! 3. The plan is carried out (renames, or one append) and the folder synced.
//! 4. The state file records that.
//! 5. Only then may they be marked as deleted on the server, and only QUIT removes them. Before that the
//!    state file records that they may be gone.
//!
//! A run that was cut off before step 2 left only rubbish, which the next one removes. One that was cut
//! off after it left a plan, which the next one carries out first: every plan can be carried out twice
//! without harm.

mod destination;
mod dot_lock;
mod fetch;
mod files;
mod journal;
mod listed;
mod maildir;
mod mbox;
mod mboxrd;
mod means;
mod pass;
mod target;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use destination::Destination;

use journal::Journal;
use pop3_client_io::Error;
use pop3_client_io::blocking::Session;

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

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn start(&mut self, _: u64, _: u64) {}
    fn octets(&mut self, _: u64) {}
    fn message(&mut self) {}
    fn note(&mut self, _: &str) {}
    fn stop(&mut self) {}
}

/// A download that did not finish. What was fetched before is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The session.
    #[error(transparent)]
    Session(#[from] Error),
    /// No unique-ids, so it is not known what was fetched before.
    #[error(
        "the server has no UIDL ({0}): without it nothing tells new mail from old; with --delete-after all of \
         the mail is fetched and removed"
    )]
    NoUniqueIds(String),
    /// The state file.
    #[error("the state file {}: {cause}", file.display())]
    State {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        cause: io::Error,
    },
    /// Another process downloads the same.
    #[error("another download into {} is under way", .0.display())]
    Busy(PathBuf),
    /// The destination.
    #[error("cannot store mail in {}: {cause}", place.display())]
    Place {
        /// Which.
        place: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// How many messages may put the server's answers out of step before a run gives up.
const MAX_DOUBTFUL: usize = 20;

/// Downloads what is new, over as many sessions as it takes.
pub fn download(
    open: &mut dyn FnMut() -> Result<Session, Error>,
    order: &Order,
    watch: &mut dyn Watch,
) -> Result<Report, DownloadError> {
    let place_failed = |cause| DownloadError::Place {
        place: order.to.path().into(),
        cause,
    };
    order.to.prepare().map_err(place_failed)?;
    let state = order.state.clone();
    let state = state.unwrap_or_else(|| order.to.default_state(&order.account));
    let mut journal = Journal::open(&state, &order.account)?;
    let mark = target::mark(&order.account, &state).map_err(place_failed)?;
    let mut target = order.to.open(&mark).map_err(place_failed)?;
    for plan in journal.unfinished() {
        target.recover(&plan.work).map_err(place_failed)?;
        journal.finish(&plan)?;
    }
    target.clean().map_err(place_failed)?;

    let mut report = Report::default();
    let mut doubtful = BTreeSet::new();
    let mut tries = 0;
    loop {
        let before = report.fetched;
        let doubted = doubtful.len();
        let mut pass = pass::Pass::with(means::Means {
            order,
            journal: &mut journal,
            target: target.as_mut(),
            report: &mut report,
            watch,
            doubtful: &mut doubtful,
        });
        let outcome = open()
            .map_err(DownloadError::from)
            .and_then(|session| pass.run(session));
        watch.stop();
        if report.fetched > before {
            tries = 0;
        }
        match outcome {
            // the others may still be fetched
            Err(DownloadError::Session(error))
                if doubtful.len() > doubted && doubtful.len() <= MAX_DOUBTFUL =>
            {
                watch.note(&format!("{error}; going on without that message"));
            }
            Err(DownloadError::Session(error)) if error.is_loss() && tries < order.retries => {
                let pause = order.pause * 2u32.saturating_pow(tries);
                watch.note(&format!("{error}; trying again"));
                std::thread::sleep(pause);
                tries += 1;
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok(report),
        }
    }
}

/// An account as older versions named it, which did not distinguish ports.
fn without_port(account: &str) -> &str {
    match account.rsplit_once(" port ") {
        Some((base, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => base,
        Some(_) | None => account,
    }
}
