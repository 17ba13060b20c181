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
mod error;
mod fetch;
mod files;
mod journal;
mod listed;
mod maildir;
mod mbox;
mod mboxrd;
mod means;
mod order;
mod pass;
mod target;
mod witness;

use std::collections::BTreeSet;

pub use destination::Destination;
pub use error::DownloadError;
pub use order::{Order, Removal, Report, Unwatched, Watch};

use journal::Journal;
use pop3_client_io::Error;
use pop3_client_io::blocking::Session;

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
