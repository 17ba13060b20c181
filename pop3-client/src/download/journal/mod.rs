//! The state file: which messages were fetched and when, what is under way, and what may be gone.
//!
//! One JSON value a line, only ever appended to, so that a cut leaves at most half a line at the end,
//! which is dropped. It knows unique-ids, plans and digests, not messages. It is created whole with its
//! first line, so that a file without that line is damaged and never counts as an empty one.
//!
//! A unique-id may be reused once its message is gone (RFC 1939 section 7). So an id is forgotten when a
//! complete listing no longer holds it, and is in doubt from the moment its removal is asked for: then
//! another message may have it, and only the octets show which one it is.

mod lines;

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::DownloadError;
use super::target::private;
use super::witness::Witness;
use lines::{Line, VERSION, compact, create, enter, first_line, read};

pub(super) use lines::{Entry, Plan};

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    done: HashMap<String, Entry>,
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path, account).map_err(failed)?;
                std::fs::read(path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let mut known = read(&text, account).map_err(|damage| damage.error(path))?;
        compact(path, account, &mut known).map_err(failed)?;
        let file = private().append(true).open(path).map_err(failed)?;
        file.set_len(known.whole as u64).map_err(failed)?;
        let mut journal = Self {
            path: path.into(),
            file,
            done: known.done,
            unfinished: known.plans,
            _lock: lock,
        };
        if known.version < VERSION {
            journal.append(&first_line(account))?;
            journal.sync()?;
        }
        Ok(journal)
    }

    /// What is known of the message with this id.
    pub(super) fn fetched(&self, id: &str) -> Option<&Entry> {
        self.done.get(id)
    }

    /// All messages that were fetched and are not known to be gone.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.done.iter()
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
        self.record(plan.ids.clone(), plan.mails.clone(), now())
    }

    /// A message was looked at again: it is there, and was fetched then.
    pub(super) fn is_the_same(
        &mut self,
        id: &str,
        mail: Witness,
        at: u64,
    ) -> Result<(), DownloadError> {
        self.record(vec![id.into()], vec![mail], at)
    }

    /// Notes that these messages may be gone, before their removal is asked for.
    pub(super) fn leave(&mut self, ids: Vec<String>) -> Result<(), DownloadError> {
        if ids.is_empty() {
            return Ok(());
        }
        for id in &ids {
            if let Some(entry) = self.done.get_mut(id) {
                entry.leaving = true;
            }
        }
        self.append(&Line::Leaving { ids })?;
        self.sync()
    }

    /// Forgets what a complete listing does not hold.
    pub(super) fn keep_only(&mut self, listed: &HashSet<&str>) -> Result<(), DownloadError> {
        let left = self.done.keys();
        let gone = left.filter(|id| !listed.contains(id.as_str())).cloned();
        let gone: Vec<String> = gone.collect();
        self.forget(gone)
    }

    /// Forgets messages that are gone: a message that has their ids later is new.
    pub(super) fn forget(&mut self, ids: Vec<String>) -> Result<(), DownloadError> {
        if ids.is_empty() {
            return Ok(());
        }
        ids.iter().for_each(|id| drop(self.done.remove(id)));
        self.append(&Line::Gone { ids })?;
        self.sync()
    }

    fn record(
        &mut self,
        ids: Vec<String>,
        mails: Vec<Witness>,
        at: u64,
    ) -> Result<(), DownloadError> {
        enter(&mut self.done, &ids, &mails, at);
        self.append(&Line::Done { ids, mails, at })
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
    use crate::download::target::Work;

    fn plan(id: &str) -> Plan {
        Plan {
            ids: vec![id.into()],
            mails: Vec::new(),
            work: Work::Moves(vec![(format!("tmp/{id}"), format!("new/{id}"))]),
        }
    }

    #[test]
    fn w079_a_cut_at_any_octet_leaves_a_state_that_was_once_true_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut journal = Journal::open(&path, "u@h").unwrap();
        for id in ["a", "b"] {
            journal.promise(&plan(id)).unwrap();
            journal.finish(&plan(id)).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|octet| *octet == b'\n').unwrap() + 1;
        for cut in 0..first {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let error = Journal::open(&path, "u@h").err().unwrap().to_string();
            assert!(error.contains("backup"), "{cut}: {error}");
            assert_eq!(std::fs::read(&path).unwrap(), whole[..cut]);
        }
        for cut in first..=whole.len() {
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

    #[test]
    fn w079_octets_that_are_no_state_never_count_as_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut journal = Journal::open(&path, "u@h").unwrap();
        journal.promise(&plan("a")).unwrap();
        journal.finish(&plan("a")).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let nuls = [0; 5000];
        let refused = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            let error = Journal::open(&path, "u@h").err().unwrap().to_string();
            assert!(error.contains("state"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), text);
            error
        };
        for text in [
            &nuls[..],
            b"\n",
            b"\n\n\n",
            b"garbage",
            b"{}\n",
            b"{\"done\":{\"ids\":[\"a\"],\"at\":1}}\n",
            b"\xff\xfe{\0",
        ] {
            assert!(refused(text).contains("remove it"));
        }
        for tail in [
            &nuls[..],
            b"\n",
            b"x\n",
            b"x",
            b"{\"gone\":{}}\n",
            b"{\"do\0\0",
        ] {
            let error = refused(&[&whole, tail].concat());
            let remedy = format!("truncate -s {}", whole.len());
            assert!(error.contains(&remedy), "{tail:?}: {error}");
        }
        for place in 0..whole.len() {
            let mut text = whole.clone();
            text[place] = 0;
            refused(&text);
        }
        // and the remedy in the message works
        std::fs::write(&path, &whole).unwrap();
        assert!(Journal::open(&path, "u@h").unwrap().fetched("a").is_some());
    }

    #[test]
    fn w001_a_file_of_version_1_is_read_and_two_ports_of_a_host_are_two_mailboxes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let old = "{\"pop3-client\":{\"version\":1,\"account\":\"u@h\"}}\n\
                   {\"done\":{\"ids\":[\"a\",\"b\"],\"at\":7}}\n";
        std::fs::write(&path, old).unwrap();
        let journal = Journal::open(&path, "u@h port 1110").unwrap();
        assert_eq!(journal.fetched("b").unwrap().at, 7);
        assert!(journal.fetched("b").unwrap().witness.is_none());
        drop(journal);
        assert!(Journal::open(&path, "u@h port 1110").is_ok());
        for other in ["u@h", "u@h port 2110"] {
            let error = Journal::open(&path, other).err().unwrap().to_string();
            assert!(
                error.contains("port 1110") && error.contains("--state"),
                "{error}"
            );
        }
    }

    #[test]
    fn w001_a_file_stays_in_proportion_to_what_is_on_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let many = |from: usize, to: usize| (from..to).map(|n| format!("id{n}"));
        for round in 0..20 {
            let mut journal = Journal::open(&path, "u@h").unwrap();
            if round > 0 {
                let left: Vec<_> = journal.all().map(|(id, _)| id.clone()).collect();
                assert_eq!(left.len(), 10);
                assert!(left.iter().all(|id| journal.fetched(id).unwrap().leaving));
            }
            let plan = Plan {
                ids: many(0, 2000).collect(),
                ..plan("x")
            };
            journal.promise(&plan).unwrap();
            journal.finish(&plan).unwrap();
            journal.leave(many(0, 10).collect()).unwrap();
            journal.forget(many(10, 2000).collect()).unwrap();
            // half done
            journal.promise(&super::tests::plan("late")).unwrap();
            drop(journal);
            let mut journal = Journal::open(&path, "u@h").unwrap();
            assert_eq!(journal.unfinished(), [super::tests::plan("late")]);
            journal.finish(&super::tests::plan("late")).unwrap();
            journal.forget(vec!["late".into()]).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() < 600_000);
        }
    }
}
