//! The lock of a folder: one writer among all sessions and processes.
//!
//! Owns the wait for a session that has just ended: its client is gone a moment before the lock is.
//! Never leaves a file: the lock ends with the process.

use std::fs::File;
use std::thread;
use std::time::Duration;

use pop3_proto::backend::store::StoreError;

use crate::disk::Dir;
use crate::folder::failed;

const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// A folder that is locked; dropping it frees the folder.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

impl Held {
    /// Locks a folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another holds it for longer than a client needs to come back.
    pub(crate) fn take(home: &Dir) -> Result<Self, StoreError> {
        for tried in 0..TRIES {
            if tried > 0 {
                thread::sleep(PAUSE);
            }
            if let Some(file) = home.lock().map_err(failed)? {
                return Ok(Self { _file: file });
            }
        }
        Err(StoreError::InUse)
    }
}
