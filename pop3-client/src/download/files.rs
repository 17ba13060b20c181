//! A folder with a file for each message, named after its unique-id, octet for octet.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::target::{Target, Work, move_all, numbered, private, sweep, sync_folder};
use crate::mail::file_name;

pub(super) struct Files {
    folder: PathBuf,
    mark: String,
    count: u64,
    writing: Option<(Names, BufWriter<File>)>,
    /// Whole, but not synced yet: syncing them together costs less.
    ready: Vec<(Names, File)>,
    /// The names that are taken and may not exist yet.
    taken: HashSet<String>,
}

/// The name while it is collected, and the name it gets.
type Names = (String, String);

impl Files {
    pub(super) fn new(folder: &Path, mark: &str) -> Self {
        Self {
            folder: folder.into(),
            mark: mark.into(),
            count: 0,
            writing: None,
            ready: Vec::new(),
            taken: HashSet::new(),
        }
    }

    fn free_name(&self, id: &str) -> String {
        let stem = Some(file_name(id)).filter(|stem| !stem.is_empty());
        let stem = stem.unwrap_or_else(|| "message".into());
        let is_free =
            |name: &String| !self.taken.contains(name) && !self.folder.join(name).exists();
        let first = format!("{stem}.eml");
        let mut number = 1;
        loop {
            let name = numbered(&first, number);
            if is_free(&name) {
                return name;
            }
            number += 1;
        }
    }
}

impl Target for Files {
    fn begin(&mut self, id: &str) -> io::Result<()> {
        self.count += 1;
        let collected = format!(".{}-{}-{}", self.mark, std::process::id(), self.count);
        let name = self.free_name(id);
        let file = private()
            .write(true)
            .create_new(true)
            .open(self.folder.join(&collected))?;
        self.writing = Some(((collected, name), BufWriter::new(file)));
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.writing {
            Some((_, file)) => file.write_all(octets),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        let Some((names, file)) = self.writing.take() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.taken.insert(names.1.clone());
        self.ready.push((names, file.into_inner()?));
        Ok(())
    }

    fn discard(&mut self) -> io::Result<()> {
        if let Some(((collected, _), _)) = self.writing.take() {
            // the next run removes what is left
            let _ = std::fs::remove_file(self.folder.join(collected));
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
        sync_folder(&self.folder)?;
        let moves = self.ready.drain(..).map(|(names, _)| names);
        Ok(Some(Work::Moves(moves.collect())))
    }

    fn carry_out(&mut self, work: &Work) -> io::Result<()> {
        move_all(&self.folder, work, false)?;
        sync_folder(&self.folder)
    }

    fn recover(&mut self, work: &Work) -> io::Result<()> {
        move_all(&self.folder, work, true)?;
        sync_folder(&self.folder)
    }

    fn clean(&mut self) -> io::Result<()> {
        let mark = format!(".{}-", self.mark);
        sweep(&self.folder, &|name| name.starts_with(&mark))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Every server counts from 1, so accounts have ids in common.
    #[test]
    fn two_accounts_in_one_folder_take_no_name_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = ["a", "b"].map(|mark| Files::new(folder.path(), mark));
        for account in &mut accounts {
            account.begin("1.1").unwrap();
        }
        let works = accounts.each_mut().map(|account| {
            account.write(account.mark.clone().as_bytes()).unwrap();
            account.end().unwrap();
            account.seal().unwrap().unwrap()
        });
        accounts[0].carry_out(&works[0]).unwrap();
        // this run was cut off after its plan
        let mut again = Files::new(folder.path(), "b");
        for _ in 0..2 {
            again.recover(&works[1]).unwrap();
            let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(read("1.1.eml"), "a");
            assert_eq!(read("1.1-2.eml"), "b");
        }
    }
}
