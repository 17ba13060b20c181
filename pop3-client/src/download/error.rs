//! Why a download did not come to its end.

use std::io;
use std::path::PathBuf;

use pop3_client_io::Error;

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
