//! Locking an mbox as mail programs do: a `.lock` file that names its owner, and an `fcntl` lock.
//!
//! A lock file whose owner is gone (killed, or switched off with the machine) is removed, as liblockfile
//! does: if its process does not exist, or if it names none and is old.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Pid, test_kill_process};

use super::target::private;

/// How long another program may hold the mbox.
const PATIENCE: Duration = Duration::from_secs(30);

/// After this time a lock file without an owner counts as left over.
const OLD: Duration = Duration::from_secs(5 * 60);

/// The lock of an mbox, held while this lives.
pub(super) struct Lock {
    dot: PathBuf,
}

impl Lock {
    /// Waits for the lock; `prefix` begins the names of files that may be made beside the mbox.
    pub(super) fn take(path: &Path, mbox: &File, prefix: &str) -> io::Result<Self> {
        let mut dot = path.as_os_str().to_owned();
        dot.push(".lock");
        let dot = PathBuf::from(dot);
        let name = format!("{prefix}lock-{}", std::process::id());
        let own = path.with_file_name(name);
        let start = Instant::now();
        let wait = |error: io::Error| {
            if start.elapsed() > PATIENCE {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(100));
            Ok(())
        };
        loop {
            match create(&own, &dot) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if is_left_over(&dot) {
                        let _ = std::fs::remove_file(&dot);
                    } else {
                        wait(io::Error::other(format!("{} stays there", dot.display())))?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let lock = Self { dot };
        loop {
            match fcntl_lock(mbox, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(lock),
                Err(error) => wait(error.into())?,
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.dot);
    }
}

/// Makes the lock file with its owner in it, or not at all.
fn create(own: &Path, dot: &Path) -> io::Result<()> {
    let mut file = private()
        .write(true)
        .create(true)
        .truncate(true)
        .open(own)?;
    writeln!(file, "{}", std::process::id())?;
    let linked = std::fs::hard_link(own, dot);
    let _ = std::fs::remove_file(own);
    linked
}

fn is_left_over(dot: &Path) -> bool {
    let owner = std::fs::read_to_string(dot)
        .ok()
        .and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    match owner {
        Some(owner) => test_kill_process(owner) == Err(rustix::io::Errno::SRCH),
        None => std::fs::metadata(dot)
            .and_then(|facts| facts.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age > OLD)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_lock_whose_owner_is_gone_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        let dot = folder.path().join("mbox.lock");
        let mbox = File::create(&path).unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        std::fs::write(&dot, format!("{}\n", gone.id())).unwrap();
        let lock = Lock::take(&path, &mbox, ".mbox.mark-").unwrap();
        let owner = std::fs::read_to_string(&dot).unwrap();
        assert_eq!(owner.trim(), std::process::id().to_string());
        assert!(!is_left_over(&dot));
        drop(lock);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&dot, "").unwrap();
        assert!(!is_left_over(&dot));
    }
}
