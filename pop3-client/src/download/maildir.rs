//! A Maildir: messages are written in `tmp` and moved to `new`.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::target::{LineEnds, Target, Work, move_all, private, sweep, sync_folder};

pub(super) struct Maildir {
    folder: PathBuf,
    mark: String,
    count: u64,
    writing: Option<(String, BufWriter<File>, LineEnds)>,
    /// Whole, but not synced yet: syncing them together costs less.
    ready: Vec<(String, File)>,
    converted: Vec<u8>,
}

impl Maildir {
    pub(super) fn new(folder: &Path, mark: &str) -> Self {
        Self {
            folder: folder.into(),
            mark: mark.into(),
            count: 0,
            writing: None,
            ready: Vec::new(),
            converted: Vec::new(),
        }
    }

    /// A name that no other has: time, process, count, and the mark in the host's place.
    fn name(&mut self) -> String {
        self.count += 1;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        format!(
            "{}.M{:06}P{}Q{:06}.{}",
            now.as_secs(),
            now.subsec_micros(),
            std::process::id(),
            self.count,
            self.mark
        )
    }
}

impl Target for Maildir {
    fn begin(&mut self, _: &str) -> io::Result<()> {
        let name = self.name();
        let file = private()
            .write(true)
            .create_new(true)
            .open(self.folder.join("tmp").join(&name))?;
        self.writing = Some((name, BufWriter::new(file), LineEnds::default()));
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let Some((_, file, line_ends)) = &mut self.writing else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.converted.clear();
        line_ends.convert(octets, &mut self.converted);
        file.write_all(&self.converted)
    }

    fn end(&mut self) -> io::Result<()> {
        let Some((name, mut file, mut line_ends)) = self.writing.take() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.converted.clear();
        line_ends.finish(&mut self.converted);
        file.write_all(&self.converted)?;
        self.ready.push((name, file.into_inner()?));
        Ok(())
    }

    fn discard(&mut self) -> io::Result<()> {
        if let Some((name, ..)) = self.writing.take() {
            // the next run removes what is left
            let _ = std::fs::remove_file(self.folder.join("tmp").join(name));
        }
        Ok(())
    }

    fn seal(&mut self) -> io::Result<Option<Work>> {
        if self.ready.is_empty() {
            return Ok(None);
        }
        self.ready
            .iter()
            .try_for_each(|(_, file)| file.sync_all())?;
        sync_folder(&self.folder.join("tmp"))?;
        let moves = self
            .ready
            .drain(..)
            .map(|(name, _)| (format!("tmp/{name}"), format!("new/{name}")));
        Ok(Some(Work::Moves(moves.collect())))
    }

    fn carry_out(&mut self, work: &Work) -> io::Result<()> {
        move_all(&self.folder, work, false)?;
        sync_folder(&self.folder.join("new"))
    }

    fn recover(&mut self, work: &Work) -> io::Result<()> {
        move_all(&self.folder, work, true)?;
        sync_folder(&self.folder.join("new"))
    }

    fn clean(&mut self) -> io::Result<()> {
        sweep(&self.folder.join("tmp"), &|name| name.ends_with(&self.mark))
    }
}
