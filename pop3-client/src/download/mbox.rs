//! An mbox file (mboxrd): messages are collected in a file beside it and appended together.
//!
//! The mbox is locked as mail programs lock it (a `.lock` file and an `fcntl` lock) while it is looked
//! at and appended to. To finish a plan that was cut off, it looks whether the octets are there
//! already.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::dot_lock::Lock;
use super::journal::now;
use super::mboxrd::{Quoter, from_line};
use super::target::{LineEnds, Target, Work, private, sync_folder_of};

pub(super) struct Mbox {
    path: PathBuf,
    mark: String,
    count: u64,
    /// The file that messages are collected in, and how much of it is whole.
    staged: Option<Staged>,
    /// From the moment the plan is made until it is carried out, so that its offset stays true.
    open: Option<(File, Lock)>,
    converted: Vec<u8>,
    quoted: Vec<u8>,
}

struct Staged {
    name: String,
    file: BufWriter<File>,
    whole: u64,
    written: u64,
    line_ends: LineEnds,
    quoter: Quoter,
}

impl Mbox {
    pub(super) fn new(path: &Path, mark: &str) -> Self {
        Self {
            path: path.into(),
            mark: mark.into(),
            count: 0,
            staged: None,
            open: None,
            converted: Vec::new(),
            quoted: Vec::new(),
        }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        }
    }

    fn prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{name}.{}-", self.mark)
    }

    fn staged(&mut self) -> io::Result<&mut Staged> {
        if self.staged.is_none() {
            self.count += 1;
            let name = format!("{}{}-{}", self.prefix(), std::process::id(), self.count);
            let file = private()
                .write(true)
                .create_new(true)
                .open(self.folder().join(&name))?;
            self.staged = Some(Staged {
                name,
                file: BufWriter::new(file),
                whole: 0,
                written: 0,
                line_ends: LineEnds::default(),
                quoter: Quoter::default(),
            });
        }
        self.staged
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The mbox, locked.
    fn locked(&self) -> io::Result<(File, Lock)> {
        let mbox = private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        let lock = Lock::take(&self.path, &mbox, &self.prefix())?;
        Ok((mbox, lock))
    }

    fn append(&self, mbox: &mut File, staged: &Path) -> io::Result<()> {
        let before = mbox.seek(SeekFrom::End(0))?;
        let mut end_line = || {
            if before > 0 {
                mbox.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                mbox.read_exact(&mut last)?;
                if last != *b"\n" {
                    mbox.write_all(b"\n")?;
                }
            }
            io::copy(&mut File::open(staged)?, mbox)?;
            mbox.sync_all()
        };
        if let Err(error) = end_line() {
            // half a mail must not stay, but the plan has to
            let _ = mbox.set_len(before);
            return Err(error);
        }
        sync_folder_of(&self.path)
    }
}

impl Target for Mbox {
    fn begin(&mut self, _: &str) -> io::Result<()> {
        self.count += 1;
        let from = from_line(now(), self.count);
        let staged = self.staged()?;
        staged.file.write_all(from.as_bytes())?;
        staged.written += from.len() as u64;
        staged.quoter = Quoter::default();
        staged.line_ends = LineEnds::default();
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let Some(staged) = &mut self.staged else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.converted.clear();
        self.quoted.clear();
        staged.line_ends.convert(octets, &mut self.converted);
        staged.quoter.quote(&self.converted, &mut self.quoted);
        staged.written += self.quoted.len() as u64;
        staged.file.write_all(&self.quoted)
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(staged) = &mut self.staged else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.converted.clear();
        self.quoted.clear();
        staged.line_ends.finish(&mut self.converted);
        staged.quoter.quote(&self.converted, &mut self.quoted);
        staged.quoter.finish(&mut self.quoted);
        staged.written += self.quoted.len() as u64;
        staged.file.write_all(&self.quoted)?;
        staged.whole = staged.written;
        Ok(())
    }

    fn discard(&mut self) -> io::Result<()> {
        if let Some(staged) = self.staged.take_if(|staged| staged.whole == 0) {
            // the next run removes what is left
            let _ = std::fs::remove_file(self.folder().join(staged.name));
        }
        if let Some(staged) = &mut self.staged {
            staged.file.seek(SeekFrom::Start(staged.whole))?;
            staged.file.get_ref().set_len(staged.whole)?;
            staged.written = staged.whole;
        }
        Ok(())
    }

    fn seal(&mut self) -> io::Result<Option<Work>> {
        let Some(staged) = self.staged.take_if(|staged| staged.whole > 0) else {
            return Ok(None);
        };
        let file = staged.file.into_inner()?;
        file.set_len(staged.whole)?;
        file.sync_all()?;
        sync_folder_of(&self.path)?;
        let open = self.locked()?;
        let offset = open.0.metadata()?.len();
        self.open = Some(open);
        Ok(Some(Work::Append {
            staged: staged.name,
            offset,
        }))
    }

    fn carry_out(&mut self, work: &Work) -> io::Result<()> {
        let (Work::Append { staged, .. }, Some((mut mbox, _lock))) = (work, self.open.take())
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let staged = self.folder().join(staged);
        self.append(&mut mbox, &staged)?;
        std::fs::remove_file(&staged)
    }

    fn recover(&mut self, work: &Work) -> io::Result<()> {
        let Work::Append { staged, offset } = work else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let staged = self.folder().join(staged);
        // it is removed last, so a plan without it was carried out
        if !staged.try_exists()? {
            return Ok(());
        }
        let (mut mbox, _lock) = self.locked()?;
        let wanted = std::fs::metadata(&staged)?.len();
        let there = same_octets(&mut mbox, *offset, &staged)?;
        if there < wanted && !holds(&mut mbox, &staged, wanted)? {
            let length = mbox.metadata()?.len();
            if length > *offset && there == length - offset {
                // only its beginning is there
                mbox.set_len(*offset)?;
            }
            self.append(&mut mbox, &staged)?;
        }
        std::fs::remove_file(&staged)
    }

    fn clean(&mut self) -> io::Result<()> {
        let prefix = self.prefix();
        super::target::sweep(self.folder(), &|name| name.starts_with(&prefix))
    }
}

/// How many octets of the mbox, from `offset` on, are those of the staged file.
fn same_octets(mbox: &mut File, offset: u64, staged: &Path) -> io::Result<u64> {
    mbox.seek(SeekFrom::Start(offset))?;
    let ours = BufReader::new(File::open(staged)?);
    let theirs = BufReader::new(mbox);
    let mut same = 0;
    for (ours, theirs) in ours.bytes().zip(theirs.bytes()) {
        if ours? != theirs? {
            break;
        }
        same += 1;
    }
    Ok(same)
}

/// Whether the mbox holds the staged octets somewhere: its reader may have rewritten the part before.
fn holds(mbox: &mut File, staged: &Path, wanted: u64) -> io::Result<bool> {
    let mut first = Vec::new();
    BufReader::new(File::open(staged)?).read_until(b'\n', &mut first)?;
    mbox.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(&mut *mbox);
    let (mut line, mut start, mut found) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if line == first {
            found.push(start);
        }
        start += length as u64;
    }
    for place in found {
        if same_octets(mbox, place, staged)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_append_that_was_cut_anywhere_is_finished_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        let before = b"From x\n\nold\n\n";
        let new = b"From y\n\nnew mail\n\n";
        let whole = [before.as_slice(), new].concat();
        let staged = ".mbox.mark-1-1".to_string();
        for cut in before.len()..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            std::fs::write(folder.path().join(&staged), new).unwrap();
            let work = Work::Append {
                staged: staged.clone(),
                offset: before.len() as u64,
            };
            let mut mbox = Mbox::new(&path, "mark");
            mbox.recover(&work).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole);
            mbox.recover(&work).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
        // another program removed the old mail in between
        std::fs::write(&path, new).unwrap();
        std::fs::write(folder.path().join(&staged), new).unwrap();
        let work = Work::Append {
            staged,
            offset: before.len() as u64,
        };
        Mbox::new(&path, "mark").recover(&work).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), new);
    }
}
