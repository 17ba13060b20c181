//! A folder with one file for every session.
//!
//! The files are readable by their owner alone. Only so many are open at once; a quiet session's file
//! is closed and opened again when there is more to write.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use pop3_server::transcript::Dialogue;

use super::{Line, Scribe, Speaker};

/// Files that are open at once.
const OPEN: usize = 64;

/// Writes each session into a file of its own.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    /// Sets the files of this process apart from those of others.
    started: String,
    /// The open files, the one that was written to last at the end.
    open: Vec<(u64, File)>,
}

impl Folder {
    /// Uses this folder, and makes it if it is not there.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&dir)?;
        let started: String = humantime::format_rfc3339_seconds(SystemTime::now())
            .to_string()
            .chars()
            .filter(|c| *c != '-' && *c != ':')
            .collect();
        Ok(Self {
            dir,
            started: format!("{started}-{}", std::process::id()),
            open: Vec::new(),
        })
    }

    fn file(&mut self, session: u64) -> io::Result<&mut File> {
        let file = match self.open.iter().position(|(open, _)| *open == session) {
            Some(place) => self.open.remove(place).1,
            None => {
                if self.open.len() >= OPEN {
                    self.open.remove(0);
                }
                let name = format!("{}-{session:06}.txt", self.started);
                let mut options = OpenOptions::new();
                options.append(true).create(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                options.open(self.dir.join(name))?
            }
        };
        Ok(&mut self.open.push_mut((session, file)).1)
    }
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
        self.file(line.session)?.write_all(text.as_bytes())
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
        let mut folder = Folder::open(dir.path().join("transcripts")).unwrap();
        for round in 0..2 {
            for session in 0..OPEN as u64 + 10 {
                folder
                    .write(&line(session, &format!("round {round}")))
                    .unwrap();
            }
        }
        assert!(folder.open.len() <= OPEN);
        let files: Vec<_> = std::fs::read_dir(&folder.dir).unwrap().collect();
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
}
