//! The state file: which messages were fetched when, and what is under way.
//!
//! One JSON value a line, only ever appended to, so that a cut leaves at most half a line at the end,
//! which is dropped. It knows unique-ids and plans, not messages.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::DownloadError;
use super::target::{Work, private, sync_folder_of};

/// What is written about messages that go to their place together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) ids: Vec<String>,
    pub(super) work: Work,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// The first line: what this file is.
    Pop3Client { version: u32, account: String },
    /// Decided and durable, maybe not yet done.
    Plan(Plan),
    /// Fetched, at this time (seconds of Unix).
    Done { ids: Vec<String>, at: u64 },
}

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    done: HashMap<String, u64>,
    unfinished: Vec<Plan>,
    /// Held as long as this lives.
    _lock: File,
}

impl Journal {
    pub(super) fn open(path: &Path, account: &str) -> Result<Self, DownloadError> {
        let failed = |cause| DownloadError::State {
            file: path.into(),
            cause,
        };
        let lock = lock(path)?;
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let whole = text
            .iter()
            .rposition(|octet| *octet == b'\n')
            .map_or(0, |end| end + 1);
        let (done, unfinished) = read(&text[..whole], account).map_err(failed)?;
        let file = private()
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        let mut journal = Self {
            path: path.into(),
            file,
            done,
            unfinished,
            _lock: lock,
        };
        if whole == 0 {
            journal.append(&Line::Pop3Client {
                version: 1,
                account: account.into(),
            })?;
            journal.sync()?;
            sync_folder_of(path).map_err(failed)?;
        }
        Ok(journal)
    }

    /// When this message was fetched (seconds of Unix).
    pub(super) fn fetched(&self, id: &str) -> Option<u64> {
        self.done.get(id).copied()
    }

    /// Plans of earlier runs that may not have been carried out.
    pub(super) fn unfinished(&mut self) -> Vec<Plan> {
        std::mem::take(&mut self.unfinished)
    }

    /// From here on these messages count as fetched.
    pub(super) fn promise(&mut self, plan: &Plan) -> Result<(), DownloadError> {
        self.append(&Line::Plan(plan.clone()))?;
        self.sync()
    }

    /// The plan was carried out.
    pub(super) fn finish(&mut self, plan: &Plan) -> Result<(), DownloadError> {
        let at = now();
        self.append(&Line::Done {
            ids: plan.ids.clone(),
            at,
        })?;
        self.done.extend(plan.ids.iter().map(|id| (id.clone(), at)));
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<(), DownloadError> {
        let text = serde_json::to_string(line).map_err(io::Error::from);
        text.and_then(|text| self.file.write_all(format!("{text}\n").as_bytes()))
            .map_err(|cause| self.failed(cause))
    }

    fn sync(&self) -> Result<(), DownloadError> {
        self.file.sync_data().map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> DownloadError {
        DownloadError::State {
            file: self.path.clone(),
            cause,
        }
    }
}

/// Now, in seconds of Unix.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

type Known = (HashMap<String, u64>, Vec<Plan>);

fn read(text: &[u8], account: &str) -> io::Result<Known> {
    let damaged = |line: usize, what: &str| {
        let text = format!("line {}: {what}", line + 1);
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let mut done = HashMap::new();
    let mut plans: Vec<Plan> = Vec::new();
    let lines = text.split(|octet| *octet == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let line = serde_json::from_slice(line)
            .map_err(|_| damaged(number, "this is no line of such a file"))?;
        match line {
            Line::Pop3Client {
                version,
                account: of,
            } => {
                if version != 1 {
                    return Err(damaged(number, "written by a later version"));
                }
                if of != account {
                    let what = format!("it is that of {of}, not of {account}");
                    return Err(damaged(number, &what));
                }
            }
            Line::Plan(plan) => plans.push(plan),
            Line::Done { ids, at } => {
                plans.retain(|plan| plan.ids != ids);
                done.extend(ids.into_iter().map(|id| (id, at)));
            }
        }
    }
    Ok((done, plans))
}

fn lock(path: &Path) -> Result<File, DownloadError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |cause| DownloadError::State {
        file: path.into(),
        cause,
    };
    let file = private()
        .append(true)
        .create(true)
        .open(name)
        .map_err(failed)?;
    // a process that is just being started by this one holds the lock for a moment, too
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
    }
    Err(DownloadError::Busy(path.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn plan(id: &str) -> Plan {
        Plan {
            ids: vec![id.into()],
            work: Work::Moves(vec![(format!("tmp/{id}"), format!("new/{id}"))]),
        }
    }

    #[test]
    fn a_cut_at_any_octet_leaves_a_state_that_was_once_true() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut journal = Journal::open(&path, "u@h").unwrap();
        for id in ["a", "b"] {
            journal.promise(&plan(id)).unwrap();
            journal.finish(&plan(id)).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&path, "u@h").unwrap();
            let left = journal.unfinished();
            let done = |id| journal.fetched(id).is_some();
            assert!(done("a") || !done("b"));
            assert!(left.len() <= 1);
            assert!(left.iter().all(|plan| !done(&plan.ids[0])));
            journal.promise(&plan("c")).unwrap();
            journal.finish(&plan("c")).unwrap();
            drop(journal);
            assert!(Journal::open(&path, "u@h").unwrap().fetched("c").is_some());
        }
    }

    #[test]
    fn one_download_at_a_time_and_one_account_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = Journal::open(&path, "u@h").unwrap();
        assert!(matches!(
            Journal::open(&path, "u@h"),
            Err(DownloadError::Busy(_))
        ));
        drop(first);
        assert!(matches!(
            Journal::open(&path, "v@h"),
            Err(DownloadError::State { .. })
        ));
    }
}
