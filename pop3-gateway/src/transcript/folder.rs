//! A folder with one file for every session.
//!
//! The files are readable by their owner alone, have names that cannot be foreseen, and are made anew: what lies
//! there already, a link above all, is never written to. The folder must be the process's own, and no other user
//! may write to it. Only a bounded number of files is open at once; a quiet session's file is closed and opened again when
//! there is more to write.
//!
//! What one process writes down is bounded, in files and in octets: beyond it the oldest sessions' files are
//! removed.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pop3_server::transcript::Dialogue;
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::process::geteuid;

use super::{Line, Scribe, Speaker};

/// Files that are open at once.
const OPEN: usize = 64;

/// What the transcripts of one process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Files, one for each session.
    pub files: usize,
    /// Octets, all files together.
    pub octets: u64,
}

impl Default for Bound {
    fn default() -> Self {
        Self {
            files: 10_000,
            octets: 1 << 30,
        }
    }
}

/// Writes each session into a file of its own.
#[derive(Debug)]
pub struct Folder {
    dir: OwnedFd,
    /// Sets the files of this process apart from those of others; it cannot be foreseen.
    prefix: String,
    bound: Bound,
    /// The open files, the one that was written to last at the end.
    open: Vec<(u64, File)>,
    /// All files and their octets, the oldest first.
    kept: VecDeque<(u64, u64)>,
    octets: u64,
}

impl Folder {
    /// Uses this folder, and makes it if it is not there. An error says what is wrong with it.
    pub fn open(dir: &Path, bound: Bound) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(dir)?;
        // a link as the last part of the path is the operator's, and is followed; what it leads to is looked at
        let found = File::open(dir)?;
        check(&found.metadata()?)?;
        let started: String = humantime::format_rfc3339_seconds(SystemTime::now())
            .to_string()
            .chars()
            .filter(|c| *c != '-' && *c != ':')
            .collect();
        let mut unique = [0; 8];
        getrandom::fill(&mut unique).map_err(io::Error::other)?;
        let folder = Self {
            dir: found.into(),
            prefix: format!("{started}-{:016x}", u64::from_be_bytes(unique)),
            bound,
            open: Vec::new(),
            kept: VecDeque::new(),
            octets: 0,
        };
        folder.try_out()?;
        Ok(folder)
    }

    /// Whether files can be made there: the operator should learn it at the start, not at the first session.
    fn try_out(&self) -> io::Result<()> {
        let name = PathBuf::from(format!("{}.try", self.prefix));
        self.make(&name)?;
        Ok(unlinkat(&self.dir, &name, AtFlags::empty())?)
    }

    fn name(&self, session: u64) -> PathBuf {
        format!("{}-{session:06}.txt", self.prefix).into()
    }

    fn make(&self, name: &Path) -> io::Result<File> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(openat(&self.dir, name, flags | OFlags::APPEND, mode)?.into())
    }

    /// A file that this process made before.
    fn again(&self, name: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
        let file: File = openat(&self.dir, name, flags | OFlags::NONBLOCK, Mode::empty())?.into();
        let found = file.metadata()?;
        let own = found.is_file()
            && found.uid() == geteuid().as_raw()
            && found.nlink() == 1
            && found.mode() & 0o077 == 0;
        if own {
            Ok(file)
        } else {
            Err(io::Error::other(
                "somebody has put another file in its place",
            ))
        }
    }

    fn file(&mut self, session: u64) -> io::Result<&mut File> {
        let file = match self.open.iter().position(|(open, _)| *open == session) {
            Some(place) => self.open.remove(place).1,
            None => {
                if self.open.len() >= OPEN {
                    self.open.remove(0);
                }
                let name = self.name(session);
                if self.kept.iter().any(|(known, _)| *known == session) {
                    self.again(&name)?
                } else {
                    let file = self.make(&name)?;
                    self.kept.push_back((session, 0));
                    file
                }
            }
        };
        Ok(&mut self.open.push_mut((session, file)).1)
    }

    /// Removes the oldest files until there is room for this many octets; never the one that is written to.
    fn make_room(&mut self, session: u64, octets: u64) {
        while self.octets.saturating_add(octets) > self.bound.octets
            || self.kept.len() > self.bound.files.max(1)
        {
            let Some(place) = self.kept.iter().position(|(other, _)| *other != session) else {
                return;
            };
            let Some((oldest, freed)) = self.kept.remove(place) else {
                return;
            };
            self.octets -= freed;
            self.open.retain(|(open, _)| *open != oldest);
            // one that somebody else removed is gone as well
            let _ = unlinkat(&self.dir, self.name(oldest), AtFlags::empty());
        }
    }
}

/// Others must not be able to put files there, or to put other files in the place of ours.
fn check(found: &Metadata) -> io::Result<()> {
    let (owner, own, mode) = (found.uid(), geteuid().as_raw(), found.mode() & 0o7777);
    if owner != own {
        return Err(io::Error::other(format!(
            "it belongs to user {owner} and the gateway runs as user {own}; give it a folder of its own"
        )));
    }
    if mode & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "others may write there (mode {mode:04o}); take that right away with \"chmod go-w\", or give it a folder of its own"
        )));
    }
    Ok(())
}

impl Scribe for Folder {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let clock = humantime::format_rfc3339_millis(line.clock);
        let dialogue = match line.dialogue {
            Dialogue::Client => "POP3",
            Dialogue::Upstream => "IMAP",
        };
        let speaker = match line.speaker {
            Speaker::Client => 'C',
            Speaker::Server => 'S',
        };
        let text = format!("{clock} {dialogue} {speaker}: {}\n", line.text);
        let octets = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.make_room(line.session, octets);
        let session = line.session;
        let known = self.kept.iter().find(|(kept, _)| *kept == session);
        if known.map_or(0, |(_, taken)| *taken).saturating_add(octets) > self.bound.octets {
            // one session alone may take all of it
            return Ok(());
        }
        self.file(session)?.write_all(text.as_bytes())?;
        if let Some((_, taken)) = self.kept.iter_mut().find(|(kept, _)| *kept == session) {
            *taken += octets;
        }
        self.octets += octets;
        self.make_room(session, 0);
        Ok(())
    }

    fn lost(&mut self, lines: u64) {
        tracing::warn!(lines, "lines of transcripts came too fast and are lost");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use pop3_proto::time::Time;

    use super::*;

    fn line(session: u64, text: &str) -> Line {
        Line {
            session,
            at: Time::ZERO,
            clock: SystemTime::UNIX_EPOCH,
            dialogue: Dialogue::Client,
            speaker: Speaker::Client,
            text: text.into(),
        }
    }

    #[test]
    fn every_session_has_its_file_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(&dir.path().join("transcripts"), Bound::default()).unwrap();
        for round in 0..2 {
            for session in 0..OPEN as u64 + 10 {
                folder
                    .write(&line(session, &format!("round {round}")))
                    .unwrap();
            }
        }
        assert!(folder.open.len() <= OPEN);
        let files: Vec<_> = std::fs::read_dir(dir.path().join("transcripts"))
            .unwrap()
            .collect();
        assert_eq!(files.len(), OPEN + 10);
        for file in files {
            let file = file.unwrap();
            assert_eq!(
                std::fs::read_to_string(file.path()).unwrap(),
                "1970-01-01T00:00:00.000Z POP3 C: round 0\n1970-01-01T00:00:00.000Z POP3 C: round 1\n"
            );
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// W029: a folder that others can write to, or that is another's, is refused at the start.
    #[test]
    fn w029_the_folder_must_be_its_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        for (mode, good) in [
            (0o700, true),
            (0o755, true),
            (0o770, false),
            (0o1777, false),
        ] {
            let folder = dir.path().join(format!("{mode:o}"));
            std::fs::create_dir(&folder).unwrap();
            let mode_only = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&folder, mode_only).unwrap();
            let opened = Folder::open(&folder, Bound::default());
            assert_eq!(opened.is_ok(), good, "{mode:o}");
            assert!(files(&folder).is_empty());
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Folder::open(&file, Bound::default()).is_err());
    }

    /// W029: names cannot be foreseen, and nothing that lies there is written to.
    #[test]
    fn w029_what_lies_there_is_never_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        let own = dir.path().join("transcripts");
        let mut folder = Folder::open(&own, Bound::default()).unwrap();
        let other = Folder::open(&own, Bound::default()).unwrap();
        assert_ne!(folder.prefix, other.prefix);
        std::os::unix::fs::symlink(&target, own.join(folder.name(1))).unwrap();
        std::fs::hard_link(&target, own.join(folder.name(2))).unwrap();
        for session in [1, 2] {
            assert!(folder.write(&line(session, "x")).is_err(), "{session}");
        }
        // one that was put there while its file was closed
        folder.write(&line(3, "x")).unwrap();
        folder.open.clear();
        std::fs::remove_file(own.join(folder.name(3))).unwrap();
        std::fs::hard_link(&target, own.join(folder.name(3))).unwrap();
        assert!(folder.write(&line(3, "x")).is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }

    /// W029: the newest sessions are kept, within both bounds.
    #[test]
    fn w029_what_is_written_down_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        for bound in [
            Bound {
                files: 5,
                octets: 1 << 20,
            },
            Bound {
                files: 1000,
                octets: 500,
            },
        ] {
            let own = dir.path().join(format!("{}", bound.files));
            let mut folder = Folder::open(&own, bound).unwrap();
            for session in 0..50 {
                folder
                    .write(&line(session, "a line of some length"))
                    .unwrap();
                let sizes = files(&own)
                    .iter()
                    .map(|file| file.metadata().unwrap().len())
                    .sum::<u64>();
                assert!(files(&own).len() <= bound.files && sizes <= bound.octets);
            }
            assert!(own.join(folder.name(49)).exists() && !own.join(folder.name(0)).exists());
            for _ in 0..100 {
                folder
                    .write(&line(77, "and one that talks without end"))
                    .unwrap();
            }
            let sizes = files(&own)
                .iter()
                .map(|file| file.metadata().unwrap().len())
                .sum::<u64>();
            assert!(sizes <= bound.octets);
        }
    }
}
